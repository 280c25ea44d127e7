"""The flights of `aegis demo`: loading them, their size, and the 25 questions of tests/flights/."""

import io
import math

import zstandard

from systems import ROOT

TABLES = {line.split()[2]: line for line in (ROOT / "tests/flights/tables.sql").read_text().splitlines()}
QUESTIONS = (ROOT / "tests/flights/questions.sql").read_text().splitlines()


def run(bench):
    files = {table: bench.folder / f"{table}.csv" for table in TABLES}
    for table, file in files.items():
        packed = (ROOT / f"src/demo/{table}.csv.zst").read_bytes()
        file.write_bytes(zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read())
    rows = files["flights"].read_bytes().count(b"\n") - 1

    def load(system, table):
        system.run(f"DROP TABLE IF EXISTS {table}", TABLES[table])
        return system.copy(table, [files[table]], "csv with header")

    def load_others(system):
        for table in TABLES.keys() - {"flights"}:
            load(system, table)
        system.settle(TABLES)
        return [system.table_bytes(TABLES) / 1e6]

    bench.measure(["COPY of 336,776 flights, one connection (rows/s)"], lambda system: [rows / load(system, "flights")])
    bench.measure(["the five tables on disk (MB)"], load_others, once=True)
    outcomes = bench.ask_all("25 questions", [question.rstrip(";") for question in QUESTIONS])
    by_postgres = [outcome["PostgreSQL 15"] for outcome in outcomes]
    # What was cut off is slower than all others.
    slowest = max(range(len(outcomes)), key=lambda number: by_postgres[number] if isinstance(by_postgres[number], float) else math.inf)
    for system in bench.systems:
        others = [outcome[system.name] for number, outcome in enumerate(outcomes) if number != slowest]
        if all(isinstance(seconds, float) for seconds in others):
            bench.report.add("25 questions without PostgreSQL's slowest, total (s)", system.name, sum(others))
