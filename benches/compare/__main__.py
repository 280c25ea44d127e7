"""Aegis beside PostgreSQL 15 and DuckDB on this machine, in one run: times, sizes and answers. `cargo xtask bench` builds the release binary and
starts this with what it needs.

The rules: each workload has systems of its own, started on empty folders. They take turns within a round, in another order each round; the first
round warms up and does not count (save where a thing is done once, as loading is where it takes long); figures are medians. Every system
acknowledges a commit only when it is on disk. Tables, keys and texts of queries are the same for all; statistics are gathered before questions are
asked. A question's time ends with the last byte of its answer, which is then compared with PostgreSQL's (DuckDB's, where PostgreSQL has none):
another answer ends the figure and is shown as an error. DuckDB runs in this process, without network and protocol, and takes no part where many
clients do. A question that takes longer than a minute is cut off, and counts as a minute in totals and means.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path

import flights
import hits
import ingest
import lookups
import oltp
import tpch
from bench import Bench
from report import Report
from systems import ROOT, Aegis, DuckDB, PostgreSQL

WORKLOADS = {"flights": flights, "oltp": oltp, "lookups": lookups, "ingest": ingest, "tpch": tpch, "hits": hits}
# Sizes: with --quick, otherwise, and what they are.
SIZES = {
    "rounds": (1, 3, "rounds that count"),
    "query-limit": (5, 60, "longest time of a question, in seconds"),
    "seconds": (2, 5, "of each run of pgbench"),
    "pgbench-scale": (1, 10, "scale of pgbench's tables"),
    "ones": (1_000, 20_000, "times that SELECT 1 is asked in a round"),
    "lookup-rows": (50_000, 10_000_000, "rows that look-ups choose from"),
    "lookups": (1_000, 20_000, "look-ups of a round"),
    "cpu-rows": (20_000, 2_000_000, "rows of 20 columns for COPY"),
    "insert-batches": (5, 100, "INSERTs of 1,000 such rows"),
    "binary-rows": (1_000_000, 50_000_000, "rows of 5 columns for COPY BINARY"),
    "tpch-scale": (0.01, 1.0, "scale of TPC-H"),
    "hits-rows": (20_000, 1_000_000, "page views"),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aegis", default=str(ROOT / "target/release/aegis"), help="release binary")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help=f"some of {','.join(WORKLOADS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does everything work?")
    parser.add_argument("--out", type=Path, help="file for all results, as JSON")
    for name, (quick, full, what) in SIZES.items():
        parser.add_argument(f"--{name}", type=type(full), help=f"{what} (default: {full:,}; with --quick {quick:,})")
    options = parser.parse_args()
    for name, (quick, full, _) in SIZES.items():
        name = name.replace("-", "_")
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    options.workloads = options.workloads.split(",")
    if unknown := set(options.workloads) - WORKLOADS.keys():
        parser.error(f"no such workload: {', '.join(unknown)}")
    return options


@contextmanager
def systems(folder, binary):
    """All three, on new folders; nothing of them is left afterwards."""
    folder.mkdir()
    started = []
    try:
        for start in (lambda: Aegis(folder, binary), lambda: PostgreSQL(folder), lambda: DuckDB(folder)):
            started.append(start())
        yield started
    finally:
        for system in started:
            system.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report([system.name for system in (Aegis, PostgreSQL, DuckDB)],
                    {name: value for name, value in vars(options).items() if name not in ("aegis", "out")})
    folder = Path(tempfile.mkdtemp(prefix="aegis-bench-"))
    # The account that PostgreSQL runs as must reach its folder.
    folder.chmod(0o755)
    try:
        for name in options.workloads:
            report.workload = name
            report.step("starting")
            try:
                with systems(folder / name, options.aegis) as started:
                    report.versions = {system.name: system.version() for system in started}
                    WORKLOADS[name].run(Bench(started, folder / name, options, report))
            except Exception as error:  # noqa: BLE001: other workloads may work, and the table says that this did not.
                traceback.print_exc()
                report.fail("the whole workload", "Aegis", error)
            if options.out:
                report.write(options.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"\nMedians of {options.rounds} rounds. More is better of what is per second (/s, tps), less of everything else.\n\n{report.table()}")
    sys.exit(any(name == "Aegis" for _, name in report.errors))


if __name__ == "__main__":
    main()
