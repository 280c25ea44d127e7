"""asyncpg: everything binary, every type looked up in the catalog, Parse and Describe before Bind."""
import asyncio
import decimal

import asyncpg

from checks import DATABASE, HOST, PASSWORD, PORT, SSLMODE, USER, VALUES, Checks, literal


async def connect(**options):
    return await asyncpg.connect(
        host=HOST, port=PORT, user=USER, password=PASSWORD or None, database=DATABASE, ssl=SSLMODE, **options)


async def round_trip():
    connection = await connect()
    for kind, texts in VALUES.items():
        for text in texts:
            row = await connection.fetchrow(f"SELECT {literal(text)}::{kind} AS v, {literal(text)}::{kind}::text AS t")
            got = await connection.fetchval(f"SELECT $1::{kind}::text", row["v"])
            same = got == row["t"] or kind in ("json", "jsonb")
            if kind.startswith("numeric") and not same:
                same = decimal.Decimal(got) == decimal.Decimal(row["t"])
            assert same, (kind, text, got, row["t"])
        assert await connection.fetchval(f"SELECT $1::{kind}", None) is None
    await connection.close()


async def prepared():
    connection = await connect()
    statement = await connection.prepare("SELECT $1::int4 * 2 AS a, $2 || 'x' AS b")
    assert [parameter.name for parameter in statement.get_parameters()] == ["int4", "text"]
    assert [attribute.name for attribute in statement.get_attributes()] == ["a", "b"]
    for number in range(10):
        assert tuple(await statement.fetchrow(number, "y")) == (number * 2, "yx")
    await connection.close()


async def transactions():
    connection = await connect()
    await connection.execute("CREATE TEMP TABLE drivers_transaction (a int PRIMARY KEY)")
    try:
        async with connection.transaction():
            await connection.execute("INSERT INTO drivers_transaction VALUES (1)")
            await connection.execute("INSERT INTO drivers_transaction VALUES (1)")
    except asyncpg.UniqueViolationError as error:
        assert error.constraint_name == "drivers_transaction_pkey"
    assert await connection.fetchval("SELECT count(*) FROM drivers_transaction") == 0
    async with connection.transaction(isolation="repeatable_read"):
        await connection.executemany("INSERT INTO drivers_transaction VALUES ($1)", [(n,) for n in range(100)])
    assert await connection.fetchval("SELECT count(*) FROM drivers_transaction") == 100
    await connection.close()


async def cursors():
    connection = await connect()
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("SELECT i FROM generate_series(1, 10000) AS g(i)", prefetch=100):
            total += row["i"]
        assert total == 50005000
    await connection.close()


async def copy():
    connection = await connect()
    await connection.execute("CREATE TEMP TABLE drivers_copy (a int, b text, c timestamptz)")
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    rows = [(n, None if n % 2 else str(n), now) for n in range(1000)]
    assert await connection.copy_records_to_table("drivers_copy", records=rows) == "COPY 1000"
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM drivers_copy ORDER BY a")] == rows
    await connection.close()


async def pool():
    async with asyncpg.create_pool(
            host=HOST, port=PORT, user=USER, password=PASSWORD or None, database=DATABASE, ssl=SSLMODE,
            min_size=2, max_size=5) as connections:
        async def one(number):
            async with connections.acquire() as connection:
                return await connection.fetchval("SELECT $1::int4", number)
        assert await asyncio.gather(*[one(number) for number in range(50)]) == list(range(50))


async def cancel():
    connection = await connect()
    try:
        await connection.fetchval("SELECT pg_sleep(30)", timeout=0.5)
        raise AssertionError("not cancelled")
    except asyncio.TimeoutError:
        pass
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def errors():
    connection = await connect()
    for statement, kind in [("SELEC 1", asyncpg.PostgresSyntaxError), ("SELECT 1/0", asyncpg.DivisionByZeroError),
                            ("SELECT * FROM nope", asyncpg.UndefinedTableError)]:
        try:
            await connection.fetch(statement)
            raise AssertionError(f"{statement} did not fail")
        except kind:
            pass
    await connection.close()


checks = Checks()
for check in [round_trip, prepared, transactions, cursors, copy, pool, cancel, errors]:
    checks.run(check.__name__, lambda: asyncio.run(check()))
checks.exit()
