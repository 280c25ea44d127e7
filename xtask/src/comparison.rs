//! The comparison with PostgreSQL's regression tests, which is no part of the repository: a folder with the program `pgdiff.py`, which takes the address
//! of a server and a folder for its report.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shares::{self, Mode};
use crate::{run as execute, setup};

/// Names the folder. Without it nothing is compared.
pub const FOLDER: &str = "AEGIS_REGRESSION_SUITE";

const PROGRAM: &str = "pgdiff.py";

/// Runs the comparison against a server of this build; a share that fell is an error.
pub fn run(folder: &Path) -> Result<()> {
    crate::cargo(&["build", "--workspace", "--bin", "aegis"])?;
    let work = std::env::temp_dir().join(format!("aegis-comparison-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let result = compare(folder, &work);
    std::fs::remove_dir_all(&work)?;
    result
}

fn compare(folder: &Path, work: &Path) -> Result<()> {
    let server = Server::start(&work.join("data"))?;
    execute(Command::new(folder.join(PROGRAM)).arg(&server.address).arg("--out").arg(work).current_dir(folder))?;
    drop(server);
    shares::run(&work.join("report.json"), Mode::Check)
}

/// A server that ends with the value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Result<Self> {
        let program: PathBuf = setup::target().join("debug/aegis");
        let mut child = Command::new(program)
            .args(["start", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .stderr(Stdio::piped())
            .spawn()
            .context("can't start the server")?;
        let log = child.stderr.take().context("the server has no log")?;
        let mut server = Self { child, address: String::new() };
        let mut lines = BufReader::new(log).lines();
        for line in &mut lines {
            let line = line?;
            if let Some((_, rest)) = line.split_once("ready: PostgreSQL on ") {
                server.address = rest.split(',').next().unwrap_or_default().to_owned();
                // What else it says must not fill the pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
        }
        bail!("the server did not start")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
