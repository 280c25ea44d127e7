"""psycopg 3: text and binary, prepared statements, pipelines, COPY, cursors, cancel, errors."""
import threading
import time

import psycopg
from psycopg import sql

from checks import DATABASE, HOST, PASSWORD, PORT, SSLMODE, USER, VALUES, Checks, literal, megabytes

CONNINFO = psycopg.conninfo.make_conninfo(
    host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode=SSLMODE)


def connect(**options):
    return psycopg.connect(CONNINFO, autocommit=True, **options)


def round_trip(binary):
    with connect() as connection, connection.cursor(binary=binary) as cursor:
        for kind, texts in VALUES.items():
            for text in texts:
                value, shown = cursor.execute(
                    f"SELECT {literal(text)}::{kind}, {literal(text)}::{kind}::text").fetchone()
                if kind in ("json", "jsonb"):
                    from psycopg.types.json import Json
                    value = Json(value)
                placeholder = "%b" if binary and kind not in ("json", "jsonb", "name", "char(5)") else "%t"
                got = cursor.execute(f"SELECT ({placeholder})::{kind}::text", [value]).fetchone()[0]
                if kind in ("json", "jsonb"):
                    continue
                if kind in ("time", "float4"):
                    assert got == shown or float(got) == float(shown), (kind, text, got, shown)
                else:
                    assert got == shown, (kind, text, got, shown)
            assert cursor.execute(f"SELECT (%s)::{kind}", [None]).fetchone() == (None,)


def prepared():
    with connect() as connection:
        connection.prepare_threshold = 5
        for number in range(10):
            row = connection.execute("SELECT %s::int4 + 1, %s::text || 'x', %s", [number, str(number), 2.5]).fetchone()
            assert row == (number + 1, f"{number}x", 2.5), row
        # The driver's own list: the server's view of it is not there yet.
        assert len(connection._prepared._names) >= 1, "nothing was prepared"


def described_columns():
    with connect() as connection:
        cursor = connection.execute("SELECT 1::numeric(8,3) AS n, 'x'::varchar(7) AS v, now() AS t")
        columns = [(column.name, column.type_code, column.precision, column.scale) for column in cursor.description]
        assert columns[0] == ("n", 1700, 8, 3), columns
        assert cursor.description[1].display_size == 7
        assert columns[2][:2] == ("t", 1184)


def transactions():
    with psycopg.connect(CONNINFO) as connection:
        connection.execute("DROP TABLE IF EXISTS drivers_transaction")
        connection.execute("CREATE TABLE drivers_transaction (a int PRIMARY KEY)")
        connection.commit()
        connection.execute("INSERT INTO drivers_transaction VALUES (1)")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM drivers_transaction").fetchone() == (0,)
        with connection.transaction():
            connection.execute("INSERT INTO drivers_transaction VALUES (1)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO drivers_transaction VALUES (2)")
                    connection.execute("INSERT INTO drivers_transaction VALUES (1)")
            except psycopg.errors.UniqueViolation as error:
                assert error.diag.constraint_name == "drivers_transaction_pkey"
                assert error.diag.table_name == "drivers_transaction"
        assert connection.execute("SELECT a FROM drivers_transaction").fetchall() == [(1,)]
        connection.execute("DROP TABLE drivers_transaction")


def errors():
    with connect() as connection:
        for statement, code in [
            ("SELEC 1", "42601"), ("SELECT nope", "42703"), ("SELECT * FROM nope", "42P01"), ("SELECT 1/0", "22012"),
            ("SELECT 'x'::int", "22P02"), ("SELECT nope()", "42883"), ("SELECT 1::int2 + 100000000000::int8::int2", "22003"),
        ]:
            try:
                connection.execute(statement)
                raise AssertionError(f"{statement} did not fail")
            except psycopg.Error as error:
                assert error.sqlstate == code, (statement, error.sqlstate)


def pipeline():
    with connect() as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int4", [number]) for number in range(100)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(100))
        try:
            with connection.pipeline() as pipe:
                good = connection.execute("SELECT 1")
                connection.execute("SELECT 1/0")
                connection.execute("SELECT 2")
                pipe.sync()
        except psycopg.errors.DivisionByZero:
            pass
        assert good.fetchone() == (1,)
        assert connection.execute("SELECT 3").fetchone() == (3,)


def execute_many():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS drivers_many; CREATE TABLE drivers_many (a int, b text)")
        cursor.executemany("INSERT INTO drivers_many VALUES (%s, %s)", [(n, str(n)) for n in range(1000)])
        assert cursor.execute("SELECT count(*), sum(a) FROM drivers_many").fetchone() == (1000, 499500)
        cursor.executemany("INSERT INTO drivers_many VALUES (%s, %s) RETURNING a", [(7, "x"), (8, "y")], returning=True)
        assert cursor.fetchone() == (7,) and cursor.nextset() and cursor.fetchone() == (8,)
        cursor.execute("DROP TABLE drivers_many")


def copy(binary):
    options = " (FORMAT binary)" if binary else ""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS drivers_copy; CREATE TABLE drivers_copy (a int4, b text, c float8)")
        rows = [(n, None if n % 3 == 0 else f"t\t{n}\\", n / 2) for n in range(5000)]
        with cursor.copy(f"COPY drivers_copy FROM STDIN{options}") as copying:
            if binary:
                copying.set_types(["int4", "text", "float8"])
            for row in rows:
                copying.write_row(row)
        assert cursor.rowcount == 5000, cursor.rowcount
        with cursor.copy(f"COPY (SELECT * FROM drivers_copy ORDER BY a) TO STDOUT{options}") as copying:
            copying.set_types(["int4", "text", "float8"])
            assert list(copying.rows()) == rows
        try:
            with cursor.copy("COPY drivers_copy FROM STDIN") as copying:
                copying.write("1\tx\n")
            raise AssertionError("bad data was taken")
        except psycopg.errors.BadCopyFileFormat as error:
            assert "line 1" in error.diag.context
        assert cursor.execute("SELECT count(*) FROM drivers_copy").fetchone() == (5000,)
        cursor.execute("DROP TABLE drivers_copy")


def server_cursor():
    with psycopg.connect(CONNINFO) as connection:
        before = megabytes()
        with connection.cursor("drivers_cursor") as cursor:
            cursor.itersize = 10000
            cursor.execute("SELECT i, 'row ' || i FROM generate_series(1, 1000000) AS g(i)")
            total = sum(row[0] for row in cursor)
        assert total == 500000500000, total
        assert megabytes() - before < 100


def streaming():
    with connect() as connection, connection.cursor() as cursor:
        before, total = megabytes(), 0
        for row in cursor.stream("SELECT i FROM generate_series(1, 200000) AS g(i)"):
            total += row[0]
        assert total == 20000100000 and megabytes() - before < 50


def scroll_cursor():
    with psycopg.connect(CONNINFO) as connection, connection.cursor("drivers_scroll", scrollable=True) as cursor:
        cursor.execute("SELECT i FROM generate_series(1, 10) AS g(i)")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        cursor.scroll(-2)
        assert cursor.fetchone() == (2,)
        cursor.scroll(9, mode="absolute")
        assert cursor.fetchall() == [(10,)]


def cancel():
    with connect() as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        started = time.monotonic()
        try:
            connection.execute("SELECT pg_sleep(30)")
            raise AssertionError("not cancelled")
        except psycopg.errors.QueryCanceled:
            assert time.monotonic() - started < 2
        assert connection.execute("SELECT 1").fetchone() == (1,)


def notices():
    with connect() as connection:
        seen = []
        connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
        connection.execute("DROP TABLE IF EXISTS drivers_no_such_table")
        assert seen == ['table "drivers_no_such_table" does not exist, skipping'], seen


def parameters_reported():
    with connect() as connection:
        status = connection.info.parameter_status
        assert status("server_version").startswith("15.") and status("integer_datetimes") == "on"
        assert connection.info.server_version >= 150000
        connection.execute("SET timezone = 'Europe/Berlin'")
        assert status("TimeZone") == "Europe/Berlin"
        local = connection.execute("SELECT '2024-07-01 00:00:00+00'::timestamptz").fetchone()[0]
        assert local.utcoffset().total_seconds() == 7200, local


def composed():
    with connect() as connection:
        query = sql.SQL("SELECT {} AS {}").format(sql.Literal([1, 2]), sql.Identifier("weird \" name"))
        cursor = connection.execute(query)
        assert cursor.fetchone() == ([1, 2],) and cursor.description[0].name == 'weird " name'


checks = Checks()
checks.run("round trip text", round_trip, False)
checks.run("round trip binary", round_trip, True)
for check in [prepared, described_columns, transactions, errors, pipeline, execute_many, server_cursor, streaming,
              scroll_cursor, cancel, notices, parameters_reported, composed]:
    checks.run(check.__name__, check)
checks.run("copy text", copy, False)
checks.run("copy binary", copy, True)
checks.exit()
