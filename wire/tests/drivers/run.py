#!/usr/bin/env python3
"""Runs every driver's program against a server of its own: SCRAM over TLS on a free port, in a temporary folder.

The server is the binary that AEGIS names, or the debug build of this workspace. Drivers that are not installed fail the run; `cargo xtask test`
installs them.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PASSWORD = "correct horse"
JAR = "/usr/share/java/postgresql.jar"
SECONDS_PER_DRIVER = 300

PROGRAMS = {
    "psycopg 3": [sys.executable, HERE / "psycopg3.py"],
    "psycopg2": [sys.executable, HERE / "psycopg2_.py"],
    "asyncpg": [sys.executable, HERE / "asyncpg_.py"],
    "SQLAlchemy": [sys.executable, HERE / "sqlalchemy_.py"],
    "node-postgres": ["node", HERE / "node_pg.mjs"],
    "pgjdbc": ["java", "-cp", JAR, HERE / "Jdbc.java"],
}


def binary():
    if "AEGIS" in os.environ:
        return os.environ["AEGIS"]
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "aegis"


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True)


def start(folder):
    """Starts the server; returns the process and its port."""
    certificate(folder)
    server = subprocess.Popen(
        [binary(), "start", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--data-dir", folder / "data",
         "--auth", "scram-sha-256", "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"],
        env={**os.environ, "AEGIS_SUPERUSER_PASSWORD": PASSWORD}, stderr=subprocess.PIPE, text=True)
    log = []
    for line in server.stderr:
        log.append(line)
        ready = re.search(r"ready: PostgreSQL on 127\.0\.0\.1:(\d+)", line)
        if ready:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, ready[1]
    sys.exit("the server did not start:\n" + "".join(log))


def main():
    with tempfile.TemporaryDirectory() as name:
        server, port = start(Path(name))
        environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "postgres", "PGPASSWORD": PASSWORD,
                       "PGDATABASE": "postgres", "PGSSLMODE": "require"}
        failed = []
        try:
            for driver, command in PROGRAMS.items():
                print(f"--- {driver}", flush=True)
                done = subprocess.run([str(word) for word in command], env=environment, timeout=SECONDS_PER_DRIVER)
                if done.returncode != 0:
                    failed.append(driver)
        finally:
            server.terminate()
            server.wait(30)
    print(f"drivers: {len(PROGRAMS) - len(failed)} passed, {len(failed)} failed", *failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
