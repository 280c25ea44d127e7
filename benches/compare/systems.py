"""The systems: a server of this project, a PostgreSQL cluster of its own, and DuckDB in this process. Each has a folder and is stopped with `stop`.

All of them understand `ask` (a timed question and its answer as text), `run` (statements that take long), `copy` (a file into a table),
`settle` (nothing is left to do in the background), `table_bytes` and `version`.
"""

import datetime
import os
import pwd
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
from psycopg.pq import DiagnosticField

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = Path("/usr/lib/postgresql/15/bin")
# Longest time of loading or changing, in seconds.
LOAD_LIMIT = 1800
# How long a server may overstep a limit before its connection is cut.
GRACE_SECONDS = 15
# Forms of files: as PostgreSQL and as DuckDB call them.
FORMS = {
    "csv": ("FORMAT csv, NULL '\\N'", "FORMAT csv, HEADER false, NULLSTR '\\N'"),
    "csv with header": ("FORMAT csv, HEADER", "FORMAT csv, HEADER, NULLSTR ''"),
    "text": ("FORMAT text", "FORMAT csv, HEADER false, DELIMITER '\t', QUOTE '', ESCAPE '', NULLSTR '\\N'"),
}


class TimedOut(Exception):
    """A statement took longer than its limit."""


@contextmanager
def cut_off(seconds, cut):
    """Calls `cut` if the work within takes longer."""
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def checked(result):
    """A result of libpq, if it is no error."""
    if result.error_message:
        state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
        raise (TimedOut if state == "57014" else RuntimeError)(f"{state} {result.error_message.decode().strip()}")
    return result


class Server:
    """A server on a folder of its own, with PostgreSQL's protocol."""

    kept = None

    def connect(self, limit=0):
        """A connection whose statements may take `limit` seconds (0: any)."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True, connect_timeout=10,
                               options=f"-c statement_timeout={limit}s -c timezone=UTC")

    @contextmanager
    def session(self, limit):
        """A connection that is cut if the server does not heed the limit."""
        with self.connect(limit) as connection:
            with cut_off(limit + GRACE_SECONDS, lambda: cut(connection)):
                yield connection

    def wait(self):
        """Returns when the server takes connections."""
        try:
            for _ in range(300):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
                try:
                    return self.connect().close()
                except psycopg.OperationalError:
                    time.sleep(0.1)
            raise RuntimeError(f"{self.name} did not start")
        except BaseException:
            self.process.kill()
            raise

    def stop(self):
        if self.process.poll() is not None:
            print(f"{self.name} had ended with {self.process.returncode}", flush=True)
        for number in self.stop_signals:
            self.process.send_signal(number)
            try:
                return self.process.wait(60)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not stop", flush=True)

    def version(self):
        with self.connect() as connection:
            return connection.execute("SELECT version()").fetchone()[0]

    def ask(self, question, limit=LOAD_LIMIT):
        """Seconds until the last byte of the answer, and the answer. All questions come over one connection."""
        if self.kept is None or self.kept.pgconn.status != psycopg.pq.ConnStatus.OK:
            self.kept = self.connect()
        with cut_off(limit + GRACE_SECONDS, lambda: cut(self.kept)):
            checked(self.kept.pgconn.exec_(f"SET statement_timeout = '{limit}s'".encode()))
            start = time.perf_counter()
            result = self.kept.pgconn.exec_(question.encode())
            seconds = time.perf_counter() - start
        columns = range(checked(result).nfields)
        decode = lambda value: None if value is None else value.decode()
        return seconds, [[decode(result.get_value(row, column)) for column in columns] for row in range(result.ntuples)]

    def run(self, *statements):
        """Seconds that the statements take."""
        with self.session(LOAD_LIMIT) as connection:
            start = time.perf_counter()
            for statement in statements:
                connection.execute(statement)
            return time.perf_counter() - start

    def copy(self, table, files, form, connections=1):
        """Seconds that COPY of all the files takes, over so many connections at once."""
        def send(file):
            with self.session(LOAD_LIMIT) as connection, open(file, "rb") as source:
                with connection.cursor().copy(f"COPY {table} FROM STDIN ({FORMS[form][0]})") as copy:
                    while block := source.read(1 << 18):
                        copy.write(block)
                        drain(connection)

        return in_parallel(send, files, connections)

    def settle(self, tables):
        """Statistics are there, everything is in its files, and the background has come to rest (which it gets a minute for)."""
        self.run(*(f"VACUUM ANALYZE {table}" for table in tables), "CHECKPOINT")
        sizes = []
        while len(sizes) < 60 and (len(sizes) < 3 or len(set(sizes[-3:])) > 1):
            time.sleep(0.5)
            sizes.append(self.table_bytes(tables))

    def table_bytes(self, tables):
        """Bytes on disk with indexes."""
        with self.connect() as connection:
            return sum(connection.execute(f"SELECT pg_total_relation_size('{table}')").fetchone()[0] for table in tables)

    def memory(self):
        """Bytes of memory of all the server's processes; what they share counts once."""
        main = self.process.pid
        total = 0
        for process in [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]:
            try:
                lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                continue  # Ended meanwhile.
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        return total


def cut(connection):
    """Ends a connection under a thread that waits for it."""
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as other:
        other.shutdown(socket.SHUT_RDWR)


def drain(connection):
    """Waits until libpq has sent what it was given, as it would keep any amount of it."""
    while connection.pgconn.flush():
        select.select([], [connection.pgconn.socket], [])


def in_parallel(work, items, threads):
    """Seconds that `work` of all items takes on so many threads."""
    pool = ThreadPoolExecutor(threads)
    try:
        start = time.perf_counter()
        list(pool.map(work, items))
        return time.perf_counter() - start
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Aegis(Server):
    name = "Aegis"
    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, folder, binary, *options):
        self.port, self.data = free_port(), folder / "aegis"
        folder.mkdir(exist_ok=True)
        self.log = open(folder / "aegis.log", "a")
        self.process = subprocess.Popen(
            [binary, "start", "--listen", f"127.0.0.1:{self.port}", "--http-listen", "127.0.0.1:0", "--data-dir", self.data, *options],
            stderr=self.log)
        self.wait()


class PostgreSQL(Server):
    """Defaults, but for the shared buffers that its manual advises (19.4.1) and room for sorting and for the log."""

    name = "PostgreSQL 15"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)

    def __init__(self, folder):
        self.port, data = free_port(), folder / "postgres"
        account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        data.mkdir()
        if account:
            os.chown(data, account.pw_uid, account.pw_gid)
        start = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        subprocess.run([POSTGRES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **start)
        buffers_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 >> 20
        settings = ["listen_addresses=127.0.0.1", f"shared_buffers={buffers_mb}MB", "work_mem=64MB", "max_wal_size=4GB"]
        self.process = subprocess.Popen(
            [POSTGRES / "postgres", "-D", data, "-p", str(self.port), "-k", "", *(word for setting in settings for word in ("-c", setting))],
            stderr=subprocess.DEVNULL, cwd="/", **start)
        self.wait()


class DuckDB:
    """In this process: no network, no protocol. Its time of a question ends when the answer is there, before it is made objects of Python."""

    name = "DuckDB"

    def __init__(self, folder):
        self.database = duckdb.connect(str(folder / "duck.db"))
        self.database.execute("SET TimeZone = 'UTC'")

    def stop(self):
        self.database.close()

    def version(self):
        return "DuckDB " + self.database.execute("SELECT version()").fetchone()[0]

    def timed(self, statement, limit):
        try:
            with cut_off(limit, self.database.interrupt):
                start = time.perf_counter()
                self.database.execute(statement)
                return time.perf_counter() - start
        except duckdb.InterruptException as error:
            raise TimedOut(str(error)) from error

    def ask(self, question, limit=LOAD_LIMIT):
        seconds = self.timed(question, limit)
        return seconds, [[text(value) for value in row] for row in self.database.fetchall()]

    def run(self, *statements):
        return sum(self.timed(statement, LOAD_LIMIT) for statement in statements)

    def copy(self, table, files, form, connections=1):
        return self.run(*(f"COPY {table} FROM '{file}' ({FORMS[form][1]})" for file in files), "CHECKPOINT")

    def settle(self, tables):
        self.run("ANALYZE", "CHECKPOINT")

    def table_bytes(self, tables):
        """Of the whole database: each workload has one of its own."""
        used, size = self.database.execute("SELECT used_blocks, block_size FROM pragma_database_size()").fetchone()
        return used * size


def text(value):
    """A value as PostgreSQL writes it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return str(value).removesuffix(":00")
    return None if value is None else str(value)
