#!/usr/bin/env python3
"""A day of a fleet in minutes: do aggregates, retention and memory keep their promises?

Devices report every ten seconds of a simulated clock; one report in twenty comes up to an hour late, one in a hundred comes twice. Policies keep
an aggregate of five minutes and one of hours on top of it, and drop raw reports after six hours; they run all the time, the server is killed with
SIGKILL three times in the middle of a batch. Each batch moves the clock in the same transaction, so that after a kill the clock tells whether the
batch is there. What was sent is counted here too: at the end both aggregates must hold exactly that for the whole day, the raw table exactly the
reports that are not older than its policy, a transaction that looked before reports were dropped must still have seen them, and memory must be as
large three hours after the last kill as it was three hours after the first. `cargo xtask day` builds the release binary and starts this.
"""

import argparse
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import psycopg

from compare.systems import ROOT, Aegis
from soak import footprint

DEVICES, EVERY, MINUTE, HOUR = 200, 10, 60, 3600
BUCKET, KEEP, LATE = 300, 6 * HOUR, HOUR
LATE_SHARE, TWICE_SHARE = 0.05, 0.01
KILLS = (6, 12, 18)
# What memory may grow by between the same times after the first and after the last kill.
MEMORY_GROWTH = 1.25
SETTLE_SECONDS = 60

SCHEMA = f"""
CREATE EXTENSION timescaledb;
CREATE TABLE clock (now bigint NOT NULL);
INSERT INTO clock VALUES (0);
CREATE FUNCTION simulated_now() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT now FROM public.clock';
CREATE TABLE readings (at bigint NOT NULL, device int NOT NULL, value bigint NOT NULL, PRIMARY KEY (device, at));
SELECT create_hypertable('readings', 'at', chunk_time_interval => {HOUR}::bigint);
SELECT set_integer_now_func('readings', 'simulated_now');
CREATE MATERIALIZED VIEW minutes WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
    SELECT time_bucket({BUCKET}::bigint, at) AS bucket, device, count(*) AS reports, sum(value) AS total, min(value) AS least, max(value) AS most,
           last(value, at) AS latest
      FROM readings GROUP BY 1, 2 WITH NO DATA;
CREATE MATERIALIZED VIEW hours WITH (timescaledb.continuous) AS
    SELECT time_bucket({HOUR}::bigint, bucket) AS bucket, device, sum(reports)::bigint AS reports, sum(total) AS total, min(least) AS least, max(most) AS most
      FROM minutes GROUP BY 1, 2 WITH NO DATA;
SELECT add_continuous_aggregate_policy('minutes', start_offset => {2 * HOUR}::bigint, end_offset => {BUCKET}::bigint, schedule_interval => interval '1 second');
SELECT add_continuous_aggregate_policy('hours', start_offset => {4 * HOUR}::bigint, end_offset => {HOUR}::bigint, schedule_interval => interval '2 seconds');
SELECT add_retention_policy('readings', drop_after => {KEEP}::bigint, schedule_interval => interval '2 seconds');
"""


class Day:
    """What has been sent, as the fleet knows it."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.rows = {}
        self.waiting = defaultdict(list)

    def batch(self, minute):
        """Reports that arrive in this minute: those of the minute, late ones of before, and some for the second time."""
        arriving = self.waiting.pop(minute, [])
        for at in range((minute - 1) * MINUTE, minute * MINUTE, EVERY):
            for device in range(DEVICES):
                report = (at, device, self.chance.randint(-1000, 1000))
                if self.chance.random() < LATE_SHARE:
                    self.waiting[minute + self.chance.randint(1, LATE // MINUTE)].append(report)
                else:
                    arriving.append(report)
        twice = [report for report in arriving if self.chance.random() < TWICE_SHARE]
        return arriving + twice

    def sent(self, batch):
        for at, device, value in batch:
            self.rows[device, at] = value

    def aggregate(self, width):
        """(bucket, device) → reports, total, least, most, latest."""
        groups = defaultdict(list)
        for (device, at), value in self.rows.items():
            groups[at // width * width, device].append((at, value))
        return {
            key: (len(of), sum(v for _, v in of), min(v for _, v in of), max(v for _, v in of), max(of)[1])
            for key, of in groups.items()
        }


def send(connection, minute, batch):
    with connection.transaction():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS arrived (at bigint, device int, value bigint) ON COMMIT DELETE ROWS")
            with cursor.copy("COPY arrived FROM STDIN") as copy:
                for row in batch:
                    copy.write_row(row)
            cursor.execute("INSERT INTO readings SELECT * FROM arrived ON CONFLICT DO NOTHING")
            cursor.execute("UPDATE clock SET now = %s", (minute * MINUTE,))


def after_kill(binary, folder, server, connection, minute, batch, delay):
    """Kills the server while the batch is on its way, and starts it again; True if the batch is there."""
    killer = threading.Timer(delay, lambda: server.process.send_signal(signal.SIGKILL))
    killer.start()
    try:
        send(connection, minute, batch)
        killer.join()
        server.process.wait()
    except psycopg.Error:
        server.process.wait()
    again = Aegis(folder, binary)
    with again.connect() as other:
        (now,) = other.execute("SELECT now FROM clock").fetchone()
    assert now in (minute * MINUTE, (minute - 1) * MINUTE), f"the clock says {now}"
    return again, now == minute * MINUTE


def settled(connection):
    """Waits until every policy has run well once more."""
    since = connection.execute("SELECT now()").fetchone()
    until = time.time() + SETTLE_SECONDS
    query = "SELECT count(*) FROM timescaledb_information.job_stats WHERE last_run_started_at < %s OR last_run_status <> 'Success'"
    while (waiting := connection.execute(query, since).fetchone()[0]) and time.time() < until:
        time.sleep(0.5)
    return waiting == 0


def proven(connection, day, minute):
    good = settled(connection)
    print(f"every policy ran well again: {good}")
    now = minute * MINUTE
    kept = {key: value for key, value in day.rows.items() if key[1] >= (now - KEEP) // HOUR * HOUR}
    expected = (len(kept), sum(kept.values()), min(at for _, at in kept))
    found = connection.execute("SELECT count(*), sum(value)::bigint, min(at) FROM readings").fetchone()
    print(f"raw reports: {found}, expected {expected}")
    good &= found == expected
    for view in ("minutes", "hours"):
        connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, NULL)")
    for view, columns, width in (("minutes", "reports, total, least, most, latest", BUCKET), ("hours", "reports, total, least, most", HOUR)):
        rows = connection.execute(f"SELECT bucket, device, {columns} FROM {view}").fetchall()
        found = {(bucket, device): tuple(map(int, values)) for bucket, device, *values in rows}
        # What is not complete yet is not in an aggregate of complete buckets.
        expected = {key: values[:len(columns.split(","))] for key, values in day.aggregate(width).items() if view == "minutes" or key[0] + width <= now}
        wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
        print(f"{view}: {len(found)} groups of a whole day, {len(wrong)} wrong {[(k, expected.get(k), found.get(k)) for k in sorted(wrong)[:3]]}"
              f" in buckets {sorted({bucket for bucket, _ in wrong})}")
        good &= not wrong and len(rows) == len(found)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aegis", default=str(ROOT / "target/release/aegis"), help="release binary")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seconds-per-hour", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aegis-day-"))
    folder = Path(tempfile.mkdtemp(prefix="aegis-day-"))
    server = Aegis(folder, options.aegis)
    day, memory, kills, good = Day(options.seed), {}, 0, True
    reader = seen = None
    print("| hour | memory MB | disk MB | files | raw reports | runs | failed |\n|---|---|---|---|---|---|---|")
    try:
        connection = server.connect()
        connection.execute(SCHEMA)
        for minute in range(1, options.hours * 60 + 1):
            began, batch = time.time(), day.batch(minute)
            there = False
            if minute // 60 in KILLS and minute % 60 == 30:
                server, there = after_kill(options.aegis, folder, server, connection, minute, batch, 0.02 * (1 + kills))
                connection, kills = server.connect(), kills + 1
            if not there:
                send(connection, minute, batch)
            day.sent(batch)
            if minute == 8 * 60:
                reader = server.connect()
                reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                seen = reader.execute("SELECT count(*), min(at) FROM readings").fetchone()
            if minute == 11 * 60:
                again = reader.execute("SELECT count(*), min(at) FROM readings").fetchone()
                print(f"an old snapshot: {seen}, hours later {again}")
                good &= seen == again
                reader.close()
            if minute % 60 == 0:
                memory[minute // 60], disk, files = footprint(server)
                (raw,) = connection.execute("SELECT count(*) FROM readings").fetchone()
                runs = connection.execute("SELECT sum(total_runs), sum(total_failures) FROM timescaledb_information.job_stats").fetchone()
                print(f"| {minute // 60} | {memory[minute // 60]:,.0f} | {disk:,.1f} | {files} | {raw:,} | {runs[0]} | {runs[1]} |", flush=True)
            time.sleep(max(0, options.seconds_per_hour / 60 - (time.time() - began)))
        good &= proven(connection, day, minute)
        for failure in connection.execute("SELECT * FROM timescaledb_information.job_errors LIMIT 5").fetchall():
            print("job error:", failure)
        if options.hours >= 24:
            early, late = (statistics.median(memory[hour] for hour in hours) for hours in ((9, 10, 11, 12), (21, 22, 23, 24)))
            print(f"memory: {early:.0f} MB three to six hours after the first kill, {late:.0f} MB after the last, x {late / early:.2f} (at most {MEMORY_GROWTH})")
            good &= late / early <= MEMORY_GROWTH
    finally:
        server.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print("HOLDS" if good else "DOES NOT HOLD")
    sys.exit(not good)


if __name__ == "__main__":
    main()
