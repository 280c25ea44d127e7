#!/usr/bin/env python3
"""Aegis beside PostgreSQL 15 (and DuckDB where it can take part) on this machine, in one run.

Loads the flights of `aegis demo` by COPY, asks the 25 questions of tests/flights/, runs pgbench, and prints a table of medians with ratios.
The systems take turns within every round, so that what else the machine does hits them alike; answers are compared. Every system acknowledges
a commit only when it is on disk. `cargo xtask bench` builds the release binary and starts this with what it needs.
"""

import argparse
import io
import os
import pwd
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import zstandard

try:
    import duckdb
except ImportError:
    duckdb = None

ROOT = Path(__file__).resolve().parents[1]
POSTGRES = Path("/usr/lib/postgresql/15/bin")
TABLES = {line.split()[2]: line for line in (ROOT / "tests/flights/tables.sql").read_text().splitlines()}
QUESTIONS = (ROOT / "tests/flights/questions.sql").read_text().splitlines()


def data(table):
    packed = (ROOT / f"src/demo/{table}.csv.zst").read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()


CSV = {table: data(table) for table in TABLES}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server on a folder of its own; `stop` ends it."""

    def connect(self):
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True)

    def wait(self):
        for _ in range(200):
            try:
                return self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def copy(self, table):
        with self.connect() as connection:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(TABLES[table])
            start = time.perf_counter()
            with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)") as copy:
                for at in range(0, len(CSV[table]), 1 << 18):
                    copy.write(CSV[table][at:at + (1 << 18)])
            return time.perf_counter() - start

    def ask(self, question):
        """Seconds and the answer as text."""
        with self.connect() as connection:
            connection.execute("SET timezone = 'UTC'")
            start = time.perf_counter()
            result = connection.pgconn.exec_(question.encode())
            seconds = time.perf_counter() - start
            if result.error_message:
                raise SystemExit(f"{self.name}: {question}: {result.error_message.decode()}")
            return seconds, [[result.get_value(r, c) for c in range(result.nfields)] for r in range(result.ntuples)]

    def pgbench(self, *arguments):
        command = [POSTGRES / "pgbench", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *arguments, "postgres"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: pgbench: {done.stderr}")
        return done.stdout


class Aegis(Server):
    name = "Aegis"

    def __init__(self, folder, binary, *options):
        self.port, self.data = free_port(), folder / "aegis"
        folder.mkdir(exist_ok=True)
        self.log = open(folder / "aegis.log", "a")
        self.process = subprocess.Popen(
            [binary, "start", "--listen", f"127.0.0.1:{self.port}", "--http-listen", "127.0.0.1:0", "--data-dir", self.data, *options],
            stderr=self.log)
        self.wait()

    def table_bytes(self):
        with self.connect() as connection:
            connection.execute("CHECKPOINT")
        return sum(file.stat().st_size for file in (self.data / "segments").iterdir())


class PostgreSQL(Server):
    name = "PostgreSQL 15"

    def __init__(self, folder):
        self.port, data = free_port(), folder / "postgres"
        account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        data.mkdir()
        if account:
            os.chown(data, account.pw_uid, account.pw_gid)
            folder.chmod(0o755)
        start = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        subprocess.run([POSTGRES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **start)
        self.process = subprocess.Popen(
            [POSTGRES / "postgres", "-D", data, "-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1"],
            stderr=subprocess.DEVNULL, cwd="/", **start)
        self.wait()

    def stop(self):
        self.process.send_signal(2)
        self.process.wait(60)

    def table_bytes(self):
        with self.connect() as connection:
            sizes = [connection.execute(f"SELECT pg_total_relation_size('{t}')").fetchone()[0] for t in TABLES]
        return sum(sizes)


class DuckDB:
    """In this process: no network, no protocol."""

    name = "DuckDB"

    def __init__(self, folder):
        self.folder, self.database = folder, duckdb.connect(str(folder / "duck.db"))
        self.database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        for table in TABLES:
            (folder / f"{table}.csv").write_bytes(CSV[table])

    def stop(self):
        self.database.close()

    def copy(self, table):
        self.database.execute(f"DROP TABLE IF EXISTS {table}")
        self.database.execute(re.sub(r" PRIMARY KEY", "", TABLES[table]))
        start = time.perf_counter()
        self.database.execute(f"COPY {table} FROM '{self.folder / table}.csv' (HEADER, NULLSTR '')")
        self.database.execute("CHECKPOINT")
        return time.perf_counter() - start

    def ask(self, question):
        try:
            start = time.perf_counter()
            self.database.execute(question.rstrip(";")).fetchall()
            return time.perf_counter() - start, None
        except duckdb.Error:
            return None, None

    def table_bytes(self):
        return (self.folder / "duck.db").stat().st_size


def rate(output):
    return float(re.search(r"tps = ([0-9.]+)", output)[1])


def latency_us(output):
    return float(re.search(r"latency average = ([0-9.]+) ms", output)[1]) * 1000


def measure_pgbench(servers, rounds, seconds, folder):
    """Rates of the standard scripts, and the latency of SELECT 1."""
    for server in servers:
        server.pgbench("-i", "-s", "10", "-q")
    one = folder / "one.sql"
    one.write_text("SELECT 1;\n")
    timed = ["-n", "-M", "prepared", "-T", str(seconds)]
    scripts = {
        "pgbench -S, 1 client (tps)": (["-S", "-c", "1"], rate),
        "pgbench -S, 16 clients (tps)": (["-S", "-c", "16", "-j", "2"], rate),
        "pgbench -N, 16 clients (tps)": (["-N", "-c", "16", "-j", "2"], rate),
        "SELECT 1, prepared (µs)": (["-f", one, "-c", "1"], latency_us),
    }
    for metric, (arguments, read) in scripts.items():
        for round_ in range(rounds):
            for server in servers[::1 if round_ % 2 else -1]:
                yield metric, server.name, read(server.pgbench(*timed, *arguments))


def measure_flights(systems, rounds):
    """Loading, size, and the questions; answers are compared with PostgreSQL's."""
    rows = CSV["flights"].count(b"\n") - 1
    for round_ in range(rounds):
        for system in systems[::1 if round_ % 2 else -1]:
            yield "COPY flights (rows/s)", system.name, rows / system.copy("flights")
    for system in systems:
        for table in TABLES:
            system.copy(table)
        yield "tables on disk (MB)", system.name, system.table_bytes() / 1e6
    times = {system.name: [[] for _ in QUESTIONS] for system in systems}
    for number, question in enumerate(QUESTIONS):
        for round_ in range(rounds):
            answers = {}
            for system in systems[::1 if round_ % 2 else -1]:
                seconds, answers[system.name] = system.ask(question)
                times[system.name][number].append(seconds)
            if answers["Aegis"] != answers["PostgreSQL 15"]:
                raise SystemExit(f"answers differ: {question}")
            if max(filter(None, (t[number][-1] for t in times.values()))) > 5:
                break  # Once is enough for what takes so long.
    medians = {name: [None if None in t else statistics.median(t) for t in all_] for name, all_ in times.items()}
    for name, all_ in medians.items():
        if None in all_:
            print(f"{name} can't answer {sum(m is None for m in all_)} of {len(all_)} questions and has no total")
            continue
        slowest = max(range(len(QUESTIONS)), key=lambda n: medians["PostgreSQL 15"][n])
        yield "25 questions (s)", name, sum(all_)
        yield "the questions without PostgreSQL's slowest (s)", name, sum(m for n, m in enumerate(all_) if n != slowest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aegis", default=str(ROOT / "target/release/aegis"), help="release binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each pgbench run")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aegis-bench-"))
    systems = []
    try:
        systems += [Aegis(folder, options.aegis), PostgreSQL(folder)]
        servers = list(systems)
        if duckdb:
            systems.append(DuckDB(folder))
        results = {}
        for source in (measure_flights(systems, options.rounds), measure_pgbench(servers, options.rounds, options.seconds, folder)):
            for metric, name, value in source:
                results.setdefault(metric, {}).setdefault(name, []).append(value)
                print(f"  {metric}: {name}: {value:,.2f}", flush=True)
        names = [system.name for system in systems]
        print(f"\n| | {' | '.join(names)} | Aegis / PostgreSQL |\n|---|{'---|' * (len(names) + 1)}")
        for metric, values in results.items():
            medians = {name: statistics.median(values[name]) for name in values}
            cells = [f"{medians[name]:,.{0 if medians[name] >= 100 else 2}f}" if name in medians else "" for name in names]
            print(f"| {metric} | {' | '.join(cells)} | {medians['Aegis'] / medians['PostgreSQL 15']:.2f} |")
    finally:
        for system in systems:
            system.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
