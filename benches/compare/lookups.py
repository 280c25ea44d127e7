"""Rows by their primary key, one at a time, with a prepared statement.

Nearly all rows are loaded and put into their final files; then the last hundredth is inserted, and a hundredth of all rows is updated, so that
look-ups meet both files and what is not in files yet.
"""

import random
import time

from report import percentile
from systems import LOAD_LIMIT, checked

BATCH_ROWS = 1_000_000
QUERY = "SELECT a, b FROM things WHERE id = $1"


def run(bench):
    rows, count = bench.options.lookup_rows, bench.options.lookups
    settled = rows - rows // 100

    def insert(system, first, last):
        return system.run(f"INSERT INTO things SELECT g, CAST(g AS bigint) * 7919 % 1000003, 'the thing of number ' || g "
                          f"FROM generate_series({first}, {last}) AS s(g)")

    def load(system):
        system.run("CREATE TABLE things (id bigint PRIMARY KEY, a bigint NOT NULL, b text NOT NULL)")
        seconds = 0
        for first in range(1, settled + 1, BATCH_ROWS):
            seconds += insert(system, first, min(settled, first + BATCH_ROWS - 1))
            bench.report.step(f"{system.name}: {min(settled, first + BATCH_ROWS - 1):,} rows")
        system.settle(["things"])
        insert(system, settled + 1, rows)
        system.run("UPDATE things SET a = a + 1 WHERE id % 100 = 0")
        return [settled / seconds]

    bench.measure(["INSERT … SELECT with a primary key (rows/s)"], load, once=True)
    chance = random.Random(1)
    ids = [chance.randint(1, rows) for _ in range(count)]
    bench.measure([f"look-ups among {rows:,} rows, {percent} (µs)" for percent in ("p50", "p95", "p99")], lambda system: look_up(system, ids))


def look_up(system, ids):
    """Percentiles of microseconds. Every answer is checked."""
    times = []
    for id_, seconds, row in by_duckdb(system, ids) if system.name == "DuckDB" else by_server(system, ids):
        times.append(seconds)
        if row != (id_ * 7919 % 1000003 + (id_ % 100 == 0), f"the thing of number {id_}"):
            raise RuntimeError(f"row {id_} is {row}")
    return [percentile(times, percent) * 1e6 for percent in (50, 95, 99)]


def by_server(server, ids):
    with server.session(LOAD_LIMIT) as connection:
        libpq = connection.pgconn
        checked(libpq.prepare(b"look", QUERY.encode()))
        for id_ in ids:
            parameters = [str(id_).encode()]
            start = time.perf_counter()
            result = libpq.exec_prepared(b"look", parameters)
            seconds = time.perf_counter() - start
            found = checked(result).ntuples == 1
            yield id_, seconds, (int(result.get_value(0, 0)), result.get_value(0, 1).decode()) if found else None


def by_duckdb(system, ids):
    system.database.execute(f"PREPARE look AS {QUERY}")
    for id_ in ids:
        start = time.perf_counter()
        system.database.execute(f"EXECUTE look({id_})")
        seconds = time.perf_counter() - start
        yield id_, seconds, system.database.fetchone()
    system.database.execute("DEALLOCATE look")
