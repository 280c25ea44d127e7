"""How fast rows come in, what they take on disk, and whether memory stays flat.

Rows of 20 columns are a machine's load every ten seconds (a time, nine texts that name the machine, ten measures that wander); servers keep two
indexes on them, DuckDB none. Rows of five columns come as COPY BINARY, many more of them, from rows that are encoded once.
"""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy

from systems import LOAD_LIMIT, checked, drain, in_parallel

HOSTS, BATCH_ROWS = 500, 1000
MEASURES = "load_user load_system load_idle load_nice load_wait load_irq load_softirq load_steal load_guest load_other".split()
TAGS = "host region zone rack os arch team service stage".split()
COLUMNS = ["measured_at timestamptz NOT NULL", *(f"{tag} text" for tag in TAGS), *(f"{measure} double precision" for measure in MEASURES)]
INDEXES = ["CREATE INDEX ON loads (host, measured_at DESC)", "CREATE INDEX ON loads (measured_at DESC)"]
# COPY's binary format (manual, page of COPY): per row the number of columns, per column its length and its value.
BINARY_HEAD, BINARY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
BINARY_COLUMNS = {"measured_at": ">i8", "device": ">i4", "sensor": ">i4", "value": ">f8", "state": ">i2"}
BINARY_ROW = numpy.dtype([("columns", ">i2"), *itertools.chain.from_iterable(
    ((f"{name} length", ">i4"), (name, kind)) for name, kind in BINARY_COLUMNS.items())])
BINARY_ROWS = 100_000


def run(bench):
    halves = [bench.folder / f"loads.{half}.tsv" for half in (0, 1)]
    bench.report.step(f"making {bench.options.cpu_rows:,} rows")
    rows = write(halves, bench.options.cpu_rows)

    def create(system):
        system.run("DROP TABLE IF EXISTS loads", f"CREATE TABLE loads ({', '.join(COLUMNS)})", *(INDEXES if system.name != "DuckDB" else ()))

    def copy(connections):
        def work(system):
            create(system)
            seconds = system.copy("loads", halves, "text", connections)
            counted(system, "loads", rows)
            return [rows / seconds]
        return work

    def insert(server):
        create(server)
        seconds = insert_batches(server, halves[0], bench.options.insert_batches)
        counted(server, "loads", bench.options.insert_batches * BATCH_ROWS)
        return [bench.options.insert_batches * BATCH_ROWS / seconds]

    def size(system):
        system.settle(["loads"])
        return [system.table_bytes(["loads"]) / rows]

    bench.measure([f"prepared INSERTs of {BATCH_ROWS:,} rows of 20 columns (rows/s)"], insert, bench.servers)
    bench.measure(["COPY of rows of 20 columns, two connections (rows/s)"], copy(2), bench.servers)
    bench.measure(["COPY of rows of 20 columns, one connection (rows/s)"], copy(1))
    bench.measure(["rows of 20 columns on disk (bytes a row)"], size, once=True)
    count = bench.options.binary_rows // (2 * BINARY_ROWS) * 2 * BINARY_ROWS
    bench.measure([f"COPY BINARY of {count:,} rows of 5 columns, two connections (rows/s)", "server's memory after a tenth (MB)",
                   "server's memory at most (MB)", "server's memory at the end (MB)", "rows of 5 columns on disk (bytes a row)"],
                  lambda server: copy_binary(server, count, bench.report), bench.servers, once=True)


def write(halves, wanted):
    """Writes whole ticks of all hosts, half of the hosts to each file; returns the number of rows."""
    chance = random.Random(1)
    ticks = max(1, wanted // HOSTS)
    tags = ["\t".join([f"host-{host:03}", f"region-{host % 7}", f"zone-{host % 21}", str(host % 97), chance.choice(["debian-12", "debian-13", "ubuntu-24.04"]),
                       chance.choice(["x86_64", "aarch64"]), chance.choice(["red", "green", "blue"]), f"service-{host % 19}",
                       chance.choice(["live", "test"])]) for host in range(HOSTS)]
    steps = numpy.random.default_rng(1)
    state = steps.random((HOSTS, len(MEASURES))) * 100
    with open(halves[0], "w") as first, open(halves[1], "w") as second:
        for tick in range(ticks):
            at = str(numpy.datetime64("2025-01-01T00:00:00") + 10 * tick) + "Z"
            state = numpy.clip(state + steps.standard_normal(state.shape), 0, 100)
            for host, values in enumerate(state.astype(int).tolist()):
                (second if host % 2 else first).write(f"{at}\t{tags[host]}\t" + "\t".join(map(str, values)) + "\n")
    return ticks * HOSTS


def counted(system, table, rows):
    found = system.ask(f"SELECT count(*) FROM {table}")[1][0][0]
    if found != str(rows):
        raise RuntimeError(f"{found} rows arrived of {rows}")


def insert_batches(server, file, batches):
    """Seconds of INSERTs with a parameter for each value; every one is a transaction."""
    with open(file, "rb") as source:
        lines = [line.rstrip(b"\n").split(b"\t") for line in itertools.islice(source, batches * BATCH_ROWS)]
    work = [list(itertools.chain.from_iterable(lines[at:at + BATCH_ROWS])) for at in range(0, batches * BATCH_ROWS, BATCH_ROWS)]
    width = len(COLUMNS)
    rows = (", ".join(f"${row * width + column}" for column in range(1, width + 1)) for row in range(BATCH_ROWS))
    with server.session(LOAD_LIMIT) as connection:
        libpq = connection.pgconn
        checked(libpq.prepare(b"batch", f"INSERT INTO loads VALUES ({'), ('.join(rows)})".encode()))
        start = time.perf_counter()
        for parameters in work:
            checked(libpq.exec_prepared(b"batch", parameters))
        return time.perf_counter() - start


def copy_binary(server, rows, report):
    """Rate, memory of the server (after a tenth, at most, at the end), bytes of a row."""
    server.run("CREATE TABLE readings (measured_at timestamptz, device integer, sensor integer, value double precision, state smallint)")
    sent, tenths = [0, 0], []

    def watch():
        while len(tenths) < 10:
            if done.wait(0.05) or sum(sent) >= rows * (len(tenths) + 1) // 10:
                tenths.append(server.memory() / 1e6)
                report.step(f"{server.name}: {sum(sent):,} rows sent, {tenths[-1]:,.0f} MB of memory")
            if done.is_set():
                return

    def send(half):
        block = readings(half)
        with server.session(LOAD_LIMIT) as connection, connection.cursor().copy("COPY readings FROM STDIN (FORMAT binary)") as copy:
            copy.write(BINARY_HEAD)
            while sent[half] < rows // 2:
                copy.write(block.tobytes())
                drain(connection)
                block["measured_at"] += BINARY_ROWS
                sent[half] += BINARY_ROWS
            copy.write(BINARY_END)

    done = threading.Event()
    with ThreadPoolExecutor(1) as watcher:
        watching = watcher.submit(watch)
        try:
            seconds = in_parallel(send, [0, 1], 2)
        finally:
            done.set()
    watching.result()
    counted(server, "readings", rows)
    server.settle(["readings"])
    return [rows / seconds, tenths[0], max(tenths), tenths[-1], server.table_bytes(["readings"]) / rows]


def readings(half):
    """Rows in COPY's binary format: a reading every microsecond by one of a thousand devices."""
    chance = numpy.random.default_rng(half)
    block = numpy.zeros(BINARY_ROWS, BINARY_ROW)
    block["columns"] = len(BINARY_COLUMNS)
    for name, kind in BINARY_COLUMNS.items():
        block[f"{name} length"] = numpy.dtype(kind).itemsize
    block["measured_at"] = numpy.arange(BINARY_ROWS) + 800_000_000_000_000
    block["device"] = chance.integers(0, 1000, BINARY_ROWS) * 2 + half
    block["sensor"] = chance.integers(0, 20, BINARY_ROWS)
    block["value"] = chance.normal(20, 5, BINARY_ROWS).round(3)
    block["state"] = chance.integers(0, 4, BINARY_ROWS)
    return block
