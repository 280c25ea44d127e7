"""psycopg2: the simple protocol, client-side parameters, named cursors, COPY through files."""
import io
import threading
import time

import psycopg2
import psycopg2.errorcodes
import psycopg2.extras

from checks import DATABASE, HOST, PASSWORD, PORT, SSLMODE, USER, VALUES, Checks, literal


def connect():
    return psycopg2.connect(
        host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode=SSLMODE)


def round_trip():
    connection = connect()
    cursor = connection.cursor()
    for kind, texts in VALUES.items():
        for text in texts:
            cursor.execute(f"SELECT {literal(text)}::{kind}, {literal(text)}::{kind}::text".replace("%", "%%"))
            value, shown = cursor.fetchone()
            if kind in ("json", "jsonb"):
                value = psycopg2.extras.Json(value)
            cursor.execute(f"SELECT (%s)::{kind}::text", [value])
            got = cursor.fetchone()[0]
            assert got == shown or kind in ("json", "jsonb", "text[]") or float(got) == float(shown), (kind, text, got, shown)
        cursor.execute(f"SELECT (%s)::{kind}", [None])
        assert cursor.fetchone() == (None,)
    connection.close()


def copy():
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("CREATE TEMP TABLE drivers_copy (a int, b text)")
    cursor.copy_from(io.StringIO("".join(f"{n}\trow {n}\n" for n in range(20000))), "drivers_copy")
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM drivers_copy WHERE a < 3 ORDER BY a) TO STDOUT WITH CSV HEADER", out)
    assert out.getvalue() == "a,b\n0,row 0\n1,row 1\n2,row 2\n", out.getvalue()
    cursor.execute("SELECT count(*) FROM drivers_copy")
    assert cursor.fetchone() == (20000,)
    connection.rollback()
    connection.close()


def errors():
    connection = connect()
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT 1/0")
        raise AssertionError("did not fail")
    except psycopg2.Error as error:
        assert error.pgcode == psycopg2.errorcodes.DIVISION_BY_ZERO
    try:
        cursor.execute("SELECT 1")
        raise AssertionError("a failed transaction went on")
    except psycopg2.errors.InFailedSqlTransaction:
        connection.rollback()
    cursor.execute("SELECT 1")
    connection.close()


def named_cursor():
    connection = connect()
    with connection.cursor("drivers_named") as cursor:
        cursor.itersize = 5000
        cursor.execute("SELECT i FROM generate_series(1, 100000) AS g(i)")
        assert sum(row[0] for row in cursor) == 5000050000
    connection.close()


def execute_values():
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("CREATE TEMP TABLE drivers_values (a int, b text)")
    rows = psycopg2.extras.execute_values(
        cursor, "INSERT INTO drivers_values VALUES %s RETURNING a", [(n, str(n)) for n in range(500)], fetch=True)
    assert len(rows) == 500
    connection.rollback()
    connection.close()


def cancel():
    connection = connect()
    threading.Timer(0.5, connection.cancel).start()
    started = time.monotonic()
    try:
        connection.cursor().execute("SELECT pg_sleep(30)")
        raise AssertionError("not cancelled")
    except psycopg2.errors.QueryCanceled:
        assert time.monotonic() - started < 2
    connection.close()


checks = Checks()
for check in [round_trip, copy, errors, named_cursor, execute_values, cancel]:
    checks.run(check.__name__, check)
checks.exit()
