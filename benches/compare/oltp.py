"""pgbench's scripts with prepared statements, and how long SELECT 1 takes. The rate and the 99th percentile are of the same run."""

import re
import subprocess
import time

from report import percentile
from systems import LOAD_LIMIT, POSTGRES, checked

TPCB = "pgbench tpcb-like, 16 clients"
SCRIPTS = {
    "pgbench -S, 1 client": ("select-only", 1),
    "pgbench -S, 16 clients": ("select-only", 16),
    TPCB: ("tpcb-like", 16),
    "pgbench -N, 16 clients": ("simple-update", 16),
}
# All money comes from somewhere. (-N leaves tellers and branches alone, so it runs after this was asked.)
BALANCES = """SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
       (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"""


def run(bench):
    options = bench.options

    def initialize(server):
        start = time.perf_counter()
        pgbench(server, LOAD_LIMIT, "-i", "-s", options.pgbench_scale, "-q")
        return [time.perf_counter() - start]

    bench.measure(["pgbench -i (s)"], initialize, bench.servers, once=True)
    for label, (script, clients) in SCRIPTS.items():
        def transactions(server):
            for log in bench.folder.glob("log.*"):
                log.unlink()
            output = pgbench(server, options.seconds + 60, "-n", "-M", "prepared", "-T", options.seconds, "-b", script, "-c", clients,
                             "-j", min(clients, 2), "--log", "--log-prefix", bench.folder / "log")
            # A line of the log: client, transaction, microseconds, …
            times = [int(line.split(" ", 3)[2]) for log in bench.folder.glob("log.*") for line in log.read_text().splitlines()]
            rate = re.search(r"tps = ([0-9.]+)", output)
            if not rate:
                raise RuntimeError(f"no transaction ended within {options.seconds} s")
            if label == TPCB:
                balances = server.ask(BALANCES)[1][0]
                if len(set(balances)) > 1:
                    raise RuntimeError(f"balances of accounts, tellers and branches and the history differ: {balances}")
            return [float(rate[1]), percentile(times, 99) / 1e3]

        bench.measure([f"{label} (tps)", f"{label}, p99 (ms)"], transactions, bench.servers)
    bench.measure(["SELECT 1, prepared, p50 (µs)", "SELECT 1, prepared, p95 (µs)"], lambda server: ones(server, options.ones), bench.servers)


def pgbench(server, limit, *arguments):
    command = [POSTGRES / "pgbench", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", *arguments, "postgres"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=limit)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench: {done.stderr.strip()}")
    return done.stdout


def ones(server, count):
    """Percentiles of the microseconds from sending to the answer, in libpq."""
    with server.session(LOAD_LIMIT) as connection:
        libpq = connection.pgconn
        checked(libpq.prepare(b"one", b"SELECT 1"))
        times = []
        for _ in range(count):
            start = time.perf_counter()
            result = libpq.exec_prepared(b"one", [])
            times.append(time.perf_counter() - start)
            if checked(result).get_value(0, 0) != b"1":
                raise RuntimeError(f"SELECT 1 is {result.get_value(0, 0)}")
    return [percentile(times, percent) * 1e6 for percent in (50, 95)]
