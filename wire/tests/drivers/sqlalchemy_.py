"""SQLAlchemy Core over psycopg 3: DDL, reflection, inserts with RETURNING, streamed results."""
import datetime
import decimal

import sqlalchemy as sa

from checks import DATABASE, HOST, PASSWORD, PORT, SSLMODE, USER, Checks

URL = sa.URL.create("postgresql+psycopg", USER, PASSWORD or None, HOST, PORT, DATABASE, {"sslmode": SSLMODE})
ENGINE = sa.create_engine(URL)
METADATA = sa.MetaData()
PLANES = sa.Table(
    "drivers_planes", METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tail", sa.String(10), nullable=False, unique=True),
    sa.Column("seats", sa.SmallInteger, server_default="0"),
    sa.Column("price", sa.Numeric(12, 2)),
    sa.Column("built", sa.Date),
    sa.Column("data", sa.JSON),
)


def create_and_reflect():
    METADATA.drop_all(ENGINE)
    METADATA.create_all(ENGINE)
    inspector = sa.inspect(ENGINE)
    assert inspector.has_table("drivers_planes")
    columns = {column["name"]: column for column in inspector.get_columns("drivers_planes")}
    assert str(columns["tail"]["type"]) == "VARCHAR(10)" and not columns["tail"]["nullable"]
    assert str(columns["price"]["type"]) == "NUMERIC(12, 2)"
    assert inspector.get_pk_constraint("drivers_planes")["constrained_columns"] == ["id"]
    assert inspector.get_unique_constraints("drivers_planes")[0]["column_names"] == ["tail"]
    reflected = sa.Table("drivers_planes", sa.MetaData(), autoload_with=ENGINE)
    assert [column.name for column in reflected.columns] == ["id", "tail", "seats", "price", "built", "data"]


def insert_and_select():
    built = datetime.date(2001, 2, 3)
    with ENGINE.begin() as connection:
        key = connection.execute(PLANES.insert().values(
            tail="N1", price=decimal.Decimal("12.50"), built=built, data={"a": [1]})).inserted_primary_key
        assert key == (1,), key
        connection.execute(PLANES.insert(), [{"tail": f"N{n}"} for n in range(2, 100)])
    with ENGINE.connect() as connection:
        row = connection.execute(sa.select(PLANES).where(PLANES.c.tail == "N1")).one()
        assert row == (1, "N1", 0, decimal.Decimal("12.50"), built, {"a": [1]}), row
        assert connection.scalar(sa.select(sa.func.count()).select_from(PLANES)) == 99
        assert connection.execute(
            sa.select(PLANES.c.id).where(PLANES.c.id.in_([3, 5])).order_by(PLANES.c.id)).scalars().all() == [3, 5]


def update_and_delete():
    with ENGINE.begin() as connection:
        changed = connection.execute(PLANES.update().where(PLANES.c.id <= 10).values(seats=PLANES.c.seats + 5))
        assert changed.rowcount == 10
        gone = connection.execute(PLANES.delete().where(PLANES.c.id > 50).returning(PLANES.c.id))
        assert len(gone.all()) == 49


def savepoints_and_errors():
    with ENGINE.begin() as connection:
        try:
            with connection.begin_nested():
                connection.execute(PLANES.insert().values(tail="N1"))
            raise AssertionError("a duplicate was taken")
        except sa.exc.IntegrityError as error:
            assert error.orig.sqlstate == "23505"
        assert connection.scalar(sa.text("SELECT 1")) == 1


def streamed():
    with ENGINE.connect().execution_options(yield_per=1000) as connection:
        rows = connection.execute(sa.text("SELECT i FROM generate_series(1, 20000) AS g(i)"))
        assert sum(row.i for row in rows) == 200010000


def drop():
    METADATA.drop_all(ENGINE)
    assert not sa.inspect(ENGINE).has_table("drivers_planes")


checks = Checks()
for check in [create_and_reflect, insert_and_select, update_and_delete, savepoints_and_errors, streamed, drop]:
    checks.run(check.__name__, check)
checks.exit()
