"""TPC-H: data of tpchgen-cli, the 22 queries with the parameters of the specification's validation, and both again after changes.

Every system gets the same tables with their primary keys; the servers also indexes of the foreign keys that queries look rows up by, which
DuckDB's manual advises against.
"""

import subprocess
import sys
from pathlib import Path

from bench import chosen, queries_of
from systems import LOAD_LIMIT, ROOT

QUERIES = (ROOT / "benches/tpch_queries.sql").read_text()
# The specification's columns (1.4.1), and the key as one whole number.
TABLES = {
    "region": ("r_regionkey int PRIMARY KEY, r_name text, r_comment text", "r_regionkey"),
    "nation": ("n_nationkey int PRIMARY KEY, n_name text, n_regionkey int, n_comment text", "n_nationkey"),
    "supplier": ("s_suppkey int PRIMARY KEY, s_name text, s_address text, s_nationkey int, s_phone text, s_acctbal numeric(15,2), s_comment text",
                 "s_suppkey"),
    "customer": ("c_custkey int PRIMARY KEY, c_name text, c_address text, c_nationkey int, c_phone text, c_acctbal numeric(15,2), c_mktsegment text, "
                 "c_comment text", "c_custkey"),
    "part": ("p_partkey int PRIMARY KEY, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text, "
             "p_retailprice numeric(15,2), p_comment text", "p_partkey"),
    "partsupp": ("ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2), ps_comment text, PRIMARY KEY (ps_partkey, ps_suppkey)",
                 "ps_partkey * 8 + ps_suppkey % 8"),
    "orders": ("o_orderkey bigint PRIMARY KEY, o_custkey int, o_orderstatus text, o_totalprice numeric(15,2), o_orderdate date, o_orderpriority text, "
               "o_clerk text, o_shippriority int, o_comment text", "o_orderkey"),
    "lineitem": ("l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2), l_extendedprice numeric(15,2), "
                 "l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, "
                 "l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text, PRIMARY KEY (l_orderkey, l_linenumber)",
                 "l_orderkey * 8 + l_linenumber"),
}
# Of foreign keys that no primary key begins with.
INDEXES = ["partsupp (ps_suppkey)", "orders (o_custkey)", "lineitem (l_partkey, l_suppkey)"]
# What a tenth of the rows gets. (Regions and nations stay as they are.)
CHANGES = {
    "supplier": "s_acctbal = s_acctbal + 1",
    "customer": "c_acctbal = c_acctbal + 1",
    "part": "p_retailprice = p_retailprice + 1",
    "partsupp": "ps_availqty = ps_availqty + 1",
    "orders": "o_totalprice = o_totalprice + 1",
    "lineitem": "l_quantity = l_quantity + 1, l_extendedprice = l_extendedprice + 1",
}


def run(bench):
    scale = bench.options.tpch_scale
    bench.report.step(f"making data of scale {scale}")
    subprocess.run([Path(sys.executable).parent / "tpchgen-cli", "csv", "-s", str(scale), "--output-dir", str(bench.folder), "--quiet"],
                   check=True, timeout=LOAD_LIMIT)
    files = {table: bench.folder / f"{table}.csv" for table in TABLES}
    # No text holds the end of a line.
    rows = sum(block.count(b"\n") for file in files.values() for block in blocks(file)) - len(files)

    def load(system):
        seconds = 0
        for table, (columns, _) in TABLES.items():
            system.run(f"CREATE TABLE {table} ({columns})")
            seconds += system.copy(table, [files[table]], "csv with header")
            bench.report.step(f"{system.name}: {table} loaded")
        if system.name != "DuckDB":
            system.run(*(f"CREATE INDEX ON {index}" for index in INDEXES))
        system.settle(TABLES)
        return [rows / seconds, system.table_bytes(TABLES) / 1e6]

    def change(system):
        updates = [f"UPDATE {table} SET {what} WHERE {chosen(TABLES[table][1], 10)}" for table, what in CHANGES.items()]
        deletes = [f"DELETE FROM {table} WHERE {chosen(TABLES[table][1], 20, 11)}" for table in CHANGES]
        seconds = [system.run(*updates), system.run(*deletes)]
        system.run(*(f"ANALYZE {table}" for table in TABLES))
        return seconds

    queries = queries_of(QUERIES)
    bench.measure([f"COPY of {rows:,} rows with primary keys (rows/s)", "on disk (MB)"], load, once=True)
    bench.ask_all(f"{len(queries)} queries", queries, ordered=False)
    bench.measure(["update of a tenth of the rows (s)", "deletion of a twentieth (s)"], change, once=True)
    bench.ask_all(f"{len(queries)} queries after that", queries, ordered=False)


def blocks(file):
    with open(file, "rb") as source:
        while block := source.read(1 << 20):
            yield block
