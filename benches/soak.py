#!/usr/bin/env python3
"""Hours of mixed load in minutes: is everything flat, and is every backup exact?

Tellers move money between accounts and write it down, a feed copies in measurements and drops old ones, a clerk changes, deletes and inserts
documents, an analyst asks about all of it. Live data stays the same size, so memory, bytes and files on disk and latencies must too: their
medians over the last quarter of the run are compared with those over the second.

Meanwhile `aegis backup` runs three times and five moments are noted. At the end the server is killed with SIGKILL and started again, `aegis
check` reads everything, and each backup and each moment is restored: a restored server must hold all money, balances that agree with what was
written down, every transfer that was acknowledged before, and none that began after. `cargo xtask soak` builds the release binary and starts this.
"""

import argparse
import multiprocessing
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import psycopg

from compare.systems import ROOT, Aegis

ACCOUNTS, TELLERS, DEVICES, DOCUMENTS = 1_000, 3, 100, 20_000
FEED_ROWS, FEED_SECONDS = 5_000, 0.5
# How long written transfers and measurements are kept.
KEEP_SECONDS = 30
# What may grow from the second quarter of the run to the last.
TOLERANCE = {"memory MB": 1.25, "disk MB": 1.25, "files": 1.25, "transfers/s": 1.25, "transfer p50 ms": 1.35, "transfer p99 ms": 2, "query p50 ms": 1.35}

SCHEMA = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE opening (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transfers (teller int, n int, at timestamptz NOT NULL, giver int, taker int, amount bigint, PRIMARY KEY (teller, n));
CREATE TABLE closed (teller int PRIMARY KEY, transfers bigint NOT NULL);
CREATE TABLE measurements (at timestamptz NOT NULL, device int NOT NULL, value float8, note text);
CREATE TABLE documents (id int PRIMARY KEY, body jsonb NOT NULL);
INSERT INTO accounts SELECT g, 1000 FROM generate_series(1, {ACCOUNTS}) g;
INSERT INTO opening SELECT g, 1000 FROM generate_series(1, {ACCOUNTS}) g;
INSERT INTO closed SELECT g, 0 FROM generate_series(0, {TELLERS - 1}) g;
INSERT INTO documents SELECT g, jsonb_build_object('n', g, 'text', repeat(md5(g::text), 8)) FROM generate_series(1, {DOCUMENTS}) g;
"""

# What must be true of any consistent state.
BOOKS = """
SELECT (SELECT sum(balance) FROM accounts),
       (SELECT count(*) FROM accounts a JOIN opening o USING (id)
          LEFT JOIN (SELECT id, sum(delta) AS delta FROM (SELECT giver AS id, -amount AS delta FROM transfers
                     UNION ALL SELECT taker, amount FROM transfers) AS moves GROUP BY id) AS m USING (id)
         WHERE a.balance <> o.balance + coalesce(m.delta, 0))
"""
WRITTEN = """
SELECT c.teller, c.transfers + count(t.n), greatest(c.transfers, max(t.n))
  FROM closed c LEFT JOIN transfers t USING (teller) GROUP BY c.teller, c.transfers ORDER BY c.teller
"""


def connect(port):
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True)


# ---------------------------------------------------------------------------------------------- load


def teller(port, number, stop, notes):
    """Writes a line per transfer: its number, when it began, when it was acknowledged."""
    chance = random.Random(number)
    with connect(port) as connection, open(notes, "w", buffering=1 << 16) as log:
        n = 0
        while not stop.is_set():
            n += 1
            giver, taker = sorted(chance.sample(range(1, ACCOUNTS + 1), 2))
            amount = chance.randint(-50, 50)
            began = time.time()
            with connection.transaction():
                connection.execute("UPDATE accounts SET balance = balance - %s WHERE id = %s", (amount, giver))
                connection.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, taker))
                connection.execute("INSERT INTO transfers VALUES (%s, %s, now(), %s, %s, %s)", (number, n, giver, taker, amount))
            log.write(f"{n} {began:.6f} {time.time():.6f}\n")
            time.sleep(0.002)


def bookkeeper(port, stop):
    """Folds old transfers into the opening balances."""
    with connect(port) as connection:
        while not stop.wait(5):
            with connection.transaction():
                old = connection.execute(
                    "DELETE FROM transfers WHERE at < now() - make_interval(secs => %s) RETURNING teller, giver, taker, amount", (KEEP_SECONDS,)
                ).fetchall()
                deltas, counts = {}, {}
                for by, giver, taker, amount in old:
                    deltas[giver] = deltas.get(giver, 0) - amount
                    deltas[taker] = deltas.get(taker, 0) + amount
                    counts[by] = counts.get(by, 0) + 1
                if old:
                    connection.execute(
                        "UPDATE opening SET balance = balance + d FROM unnest(%s::int[], %s::bigint[]) AS u(i, d) WHERE id = i",
                        (list(deltas), list(deltas.values())))
                for by, count in counts.items():
                    connection.execute("UPDATE closed SET transfers = transfers + %s WHERE teller = %s", (count, by))


def feed(port, stop):
    chance, rounds = random.Random(7), 0
    with connect(port) as connection:
        while not stop.wait(FEED_SECONDS):
            now = datetime.now(timezone.utc).isoformat()
            rows = "".join(f"{now}\t{i % DEVICES}\t{chance.gauss(20, 5):.3f}\tstate {i % 7}\n" for i in range(FEED_ROWS))
            with connection.cursor().copy("COPY measurements FROM STDIN") as copy:
                copy.write(rows)
            rounds += 1
            if rounds % 10 == 0:
                connection.execute("DELETE FROM measurements WHERE at < now() - make_interval(secs => %s)", (KEEP_SECONDS,))


def clerk(port, stop):
    chance, first, last = random.Random(8), 1, DOCUMENTS
    with connect(port) as connection:
        while not stop.wait(0.05):
            chosen = [chance.randint(first, last) for _ in range(50)]
            with connection.transaction():
                connection.execute("UPDATE documents SET body = jsonb_set(body, '{n}', to_jsonb(id + 1)) WHERE id = ANY(%s)", (chosen,))
                connection.execute("DELETE FROM documents WHERE id BETWEEN %s AND %s", (first, first + 9))
                connection.execute(
                    "INSERT INTO documents SELECT g, jsonb_build_object('n', g, 'text', repeat(md5(g::text), 8)) FROM generate_series(%s::int, %s::int) g",
                    (last + 1, last + 10))
            first, last = first + 10, last + 10


def analyst(port, stop, times):
    questions = [
        "SELECT device, avg(value), max(value), count(*) FROM measurements GROUP BY device ORDER BY 2 DESC LIMIT 5",
        "SELECT date_trunc('second', at), count(*) FROM measurements WHERE device < 10 GROUP BY 1 ORDER BY 1",
        "SELECT count(*), sum((body->>'n')::int) FROM documents WHERE body->>'text' LIKE 'a%'",
        "SELECT a.id, a.balance, count(*) FROM accounts a JOIN transfers t ON t.giver = a.id GROUP BY a.id, a.balance ORDER BY 3 DESC LIMIT 10",
    ]
    with connect(port) as connection:
        while not stop.wait(0.2):
            began = time.perf_counter()
            for question in questions:
                connection.execute(question).fetchall()
            times.put((time.time(), time.perf_counter() - began))


# ---------------------------------------------------------------------------------------------- measuring


def footprint(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    sizes = []
    for file in server.data.rglob("*"):
        try:
            if file.is_file():
                sizes.append(file.stat().st_size)
        except FileNotFoundError:
            pass  # Merged away meanwhile.
    return memory, sum(sizes) / 1e6, len(sizes)


def acknowledged(notes):
    """Per teller the (number, begin, acknowledgement) of its transfers."""
    return [[(int(n), float(began), float(done)) for n, began, done in (line.split() for line in note.read_text().splitlines())] for note in notes]


def intervals(samples, transfers, queries):
    """A row of figures for each time between two samples."""
    done = sorted((ended, ended - began) for of_teller in transfers for _, began, ended in of_teller)
    for (start, *_), (end, memory, disk, files) in zip(samples, samples[1:]):
        taken = sorted(seconds * 1e3 for at, seconds in done if start <= at < end) or [0]
        asked = [seconds * 1e3 for at, seconds in queries if start <= at < end] or [0]
        yield {
            "minute": (end - samples[0][0]) / 60,
            "memory MB": memory,
            "disk MB": disk,
            "files": files,
            "transfers/s": len(taken) / (end - start),
            "transfer p50 ms": statistics.median(taken),
            "transfer p99 ms": taken[int(len(taken) * 0.99)],
            "query p50 ms": statistics.median(asked),
        }


def flat(rows):
    """Prints all figures and compares quarters; True if nothing has grown (or slowed) beyond its tolerance."""
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{value:,.1f}" for value in row.values()) + " |")
    quarter = max(1, len(rows) // 4)
    good = True
    for name, tolerance in TOLERANCE.items():
        before = statistics.median(row[name] for row in rows[quarter:2 * quarter])
        after = statistics.median(row[name] for row in rows[-quarter:])
        growth = before / after if name == "transfers/s" else after / before
        good &= growth <= tolerance
        print(f"{name}: {before:,.1f} then {after:,.1f}, x {growth:.2f} (at most {tolerance}) {'ok' if growth <= tolerance else 'NOT FLAT'}")
    return good


# ---------------------------------------------------------------------------------------------- proving


def books(server, what, transfers, before, after):
    """The state is consistent, has each transfer acknowledged by `before`, and none begun after `after`."""
    with server.connect() as connection:
        total, wrong = connection.execute(BOOKS).fetchone()
        written = connection.execute(WRITTEN).fetchall()
    faults = [] if (total, wrong) == (ACCOUNTS * 1000, 0) else [f"{total} in all, {wrong} balances disagree"]
    for number, count, highest in written:
        must = sum(ended <= before for _, _, ended in transfers[number])
        may = sum(began <= after for _, began, _ in transfers[number])
        if count != highest or not must <= count <= may:
            faults.append(f"teller {number}: {count} transfers up to {highest}, expected {must} to {may}")
    print(f"{what}: {'; '.join(faults) or 'exact'}, transfers {[count for _, count, _ in written]}", flush=True)
    return not faults


def command(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"aegis {arguments[0]}: {done.stderr}")
    return done.stdout


def restored(binary, folder, backups, archive, to, label):
    data = folder / label
    command(binary, "restore", backups, "--data-dir", data / "aegis", "--wal-archive-dir", archive, *(("--to", to) if to else ()))
    return Aegis(data, binary)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aegis", default=str(ROOT / "target/release/aegis"), help="release binary")
    parser.add_argument("--minutes", type=float, default=20)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aegis-soak-"))
    archive, backups = folder / "archive", folder / "backups"
    server = Aegis(folder, options.aegis, "--wal-archive-dir", archive)
    with server.connect() as connection:
        connection.execute(SCHEMA)
    stop, times = multiprocessing.Event(), multiprocessing.Queue()
    notes = [folder / f"teller{number}" for number in range(TELLERS)]
    jobs = [(teller, server.port, number, stop, note) for number, note in enumerate(notes)]
    jobs += [(bookkeeper, server.port, stop), (feed, server.port, stop), (clerk, server.port, stop), (analyst, server.port, stop, times)]
    workers = [multiprocessing.Process(target=job[0], args=job[1:]) for job in jobs]
    for worker in workers:
        worker.start()
    queries, samples, moments, copies = [], [], [], []
    try:
        steps = 40
        for step in range(steps + 1):
            samples.append((time.time(), *footprint(server)))
            while not times.empty():
                queries.append(times.get())
            if dead := [worker for worker in workers if worker.exitcode is not None]:
                raise SystemExit(f"{len(dead)} workers have died")
            if step in (8, 20, 32):
                began = time.time()
                command(options.aegis, "backup", backups, "--data-dir", server.data)
                copies.append((began, time.time()))
            if step >= 9 and (step - 9) % 6 == 0 and len(moments) < 5:
                moments.append(time.time())
            until = samples[0][0] + (step + 1) * options.minutes * 60 / steps
            while step < steps and time.time() < until:
                time.sleep(min(1, max(0, until - time.time())))
                while not times.empty():
                    queries.append(times.get())
        stop.set()
        for worker in workers:
            worker.join(60)
        transfers = acknowledged(notes)
        good = flat(list(intervals(samples, transfers, queries)))
        good &= proven(options.aegis, folder, server, backups, archive, transfers, copies, moments)
    finally:
        for worker in workers:
            worker.kill()
        server.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print("HOLDS" if good else "DOES NOT HOLD")
    sys.exit(not good)


def proven(binary, folder, server, backups, archive, transfers, copies, moments):
    # Moments are restored from the archive of complete log files: the last one must be complete.
    with server.connect() as connection:
        connection.execute("SELECT pg_switch_wal()")
    time.sleep(2)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    print(command(binary, "check", "--data-dir", server.data).strip().splitlines()[-1])
    again = Aegis(folder, binary)
    good = books(again, "after SIGKILL", transfers, time.time(), time.time())
    again.stop()
    # A moment is a millisecond, to its end.
    wanted = [(f"moment {number}", datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds"), at - 0.001, at + 0.001)
              for number, at in enumerate(moments, 1)]
    names = sorted(path.name for path in backups.iterdir() if path.name != "segments")
    wanted += [(f"backup {number}", name, began, ended) for number, (name, (began, ended)) in enumerate(zip(names, copies), 1)]
    for label, to, before, after in wanted:
        other = restored(binary, folder, backups, archive, to, label.replace(" ", "-"))
        good &= books(other, label, transfers, before, after)
        other.stop()
        shutil.rmtree(folder / label.replace(" ", "-"))
    return good


if __name__ == "__main__":
    main()
