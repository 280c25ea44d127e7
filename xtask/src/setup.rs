//! What the tests need besides Rust: PostgreSQL 15, Java, Node and Python with their drivers. Installed once, by version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo_command, run as execute};

/// Debian packages, each with a file that tells that it is there.
const SYSTEM_PACKAGES: &[(&str, &str)] = &[
    ("postgresql-15", "/usr/lib/postgresql/15/bin/initdb"),
    ("postgresql-client-15", "/usr/lib/postgresql/15/bin/psql"),
    ("libpostgresql-jdbc-java", "/usr/share/java/postgresql.jar"),
    ("default-jdk-headless", "/usr/bin/javac"),
    ("nodejs", "/usr/bin/node"),
    ("npm", "/usr/bin/npm"),
    ("openssl", "/usr/bin/openssl"),
    ("python3-venv", "/usr/bin/python3"),
];

/// Where the drivers live.
pub struct Environment {
    python: PathBuf,
    cargo_deny: PathBuf,
    node_modules: PathBuf,
}

/// Installs what is missing.
pub fn run() -> Result<Environment> {
    install_system_packages()?;
    let cache = cache_folder()?;
    Ok(Environment {
        python: python_environment(&cache, "python", "wire/tests/drivers/requirements.txt")?,
        cargo_deny: cargo_deny(&cache)?,
        node_modules: node_environment(&cache)?,
    })
}

/// Runs a script (or a package) of `benches/` on the release binary, with what it needs installed.
pub fn measure(script: &str, arguments: &[String]) -> Result<()> {
    install_system_packages()?;
    let python = python_environment(&cache_folder()?, "benches", "benches/requirements.txt")?;
    let mut command = Command::new(python);
    command.arg(root().join("benches").join(script)).arg("--aegis").arg(target().join("release/aegis")).args(arguments);
    execute(&mut command)
}

impl Environment {
    /// Licences, bans and sources of all dependencies. Advisories need a network that build machines may lack.
    pub fn cargo_deny(&self) -> Result<()> {
        execute(Command::new(&self.cargo_deny).args(["--offline", "check", "licenses", "bans", "sources"]))
    }

    /// Real drivers against a server of their own.
    pub fn drivers(&self) -> Result<()> {
        let mut command = Command::new(&self.python);
        command.arg(root().join("wire/tests/drivers/run.py")).env("NODE_PATH", &self.node_modules);
        execute(&mut command)
    }
}

fn install_system_packages() -> Result<()> {
    let missing: Vec<&str> =
        SYSTEM_PACKAGES.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("please install what the tests need (names as in Debian): {}", missing.join(" "));
    }
    let root = Command::new("id").arg("-u").output().context("can't run id")?.stdout.trim_ascii() == b"0";
    let apt = |args: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        execute(&mut command)
    };
    apt(&["update", "--quiet"])?;
    apt(&[&["install", "--quiet", "--yes", "--no-install-recommends"], missing.as_slice()].concat())
}

/// `~/.cache/aegis-tests`: outside the tree, so that a clean checkout finds it again.
fn cache_folder() -> Result<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = cache.join("aegis-tests");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    Ok(folder)
}

/// Version of the checker of dependencies.
const CARGO_DENY: &str = "0.19.0";

/// `cargo-deny`, built once.
fn cargo_deny(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    if !program.exists() {
        let package = format!("cargo-deny@{CARGO_DENY}");
        // In a build folder of its own: the workspace's is kept small.
        let mut install = cargo_command();
        install
            .args(["install", "--quiet", "--locked", "--root"])
            .arg(&folder)
            .arg(&package)
            .env_remove("CARGO_TARGET_DIR");
        execute(&mut install)?;
    }
    Ok(program)
}

/// A virtual environment with the packages of a requirements file; made anew when that file changes.
fn python_environment(cache: &Path, name: &str, requirements: &str) -> Result<PathBuf> {
    let requirements = root().join(requirements);
    let wanted = std::fs::read_to_string(&requirements)?;
    let folder = cache.join(name);
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    execute(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    execute(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

/// The modules of wire/tests/drivers/package-lock.json.
fn node_environment(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("node");
    std::fs::create_dir_all(&folder)?;
    let mut fresh = folder.join("node_modules").exists();
    for name in ["package.json", "package-lock.json"] {
        let wanted = std::fs::read(root().join("wire/tests/drivers").join(name))?;
        fresh &= std::fs::read(folder.join(name)).is_ok_and(|installed| installed == wanted);
        std::fs::write(folder.join(name), wanted)?;
    }
    if !fresh {
        execute(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    }
    Ok(folder.join("node_modules"))
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The checkout that cargo runs us for. (What the compiler knew may be another one, if two share a build folder.)
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), |xtask| PathBuf::from(xtask).join(".."))
}
