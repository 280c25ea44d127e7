"""What the Python programs share: a runner, values of every type, and where the server is."""
import os
import resource
import sys
import traceback

HOST = os.environ.get("PGHOST", "127.0.0.1")
PORT = int(os.environ.get("PGPORT", "5432"))
USER = os.environ.get("PGUSER", "postgres")
PASSWORD = os.environ.get("PGPASSWORD", "")
DATABASE = os.environ.get("PGDATABASE", "postgres")
SSLMODE = os.environ.get("PGSSLMODE", "prefer")

# Literals by type. None of them depends on settings.
VALUES = {
    "bool": ["true", "false"],
    "int2": ["0", "-32768", "32767"],
    "int4": ["0", "-2147483648", "2147483647"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "float4": ["0", "-1.5", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity"],
    "float8": ["0", "-1.5", "1.7976931348623157e308", "5e-324", "0.1", "NaN", "Infinity", "-Infinity"],
    "numeric": ["0", "-1.50", "12345678901234567890.123456789", "1e-20", "99999999999999999999999999999999999999", "NaN"],
    "numeric(10,2)": ["0.00", "-99999999.99", "1.5"],
    "text": ["", "a", "ä€😀", "it''s", "tab\tline\nend", "x" * 10000],
    "varchar(5)": ["", "abcde"],
    "char(5)": ["ab"],
    "name": ["abc"],
    "bytea": ["\\x", "\\x00ff27", "\\x" + "ab" * 5000],
    "date": ["2000-01-01", "1970-01-01", "0002-01-01", "9998-12-31"],
    "time": ["00:00:00", "23:59:59.999999"],
    "timestamp": ["2000-01-01 00:00:00", "1969-12-31 23:59:59.999999", "9998-12-31 23:59:59"],
    "timestamptz": ["2000-01-01 00:00:00+00", "2024-03-31 01:30:00.123456+00", "1969-12-31 23:59:59+00"],
    "interval": ["0", "1 day 02:03:04.5", "-3 days"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"a": [1, null, "x"]}', "[]", "1"],
    "jsonb": ['{"a": [1, null, "x"]}', "[]", "1"],
    "int4[]": ["{}", "{1,2,NULL}", "{{1,2},{3,4}}"],
    "text[]": ["{}", '{a,"b c",NULL,"NULL","","q\\"uote"}'],
    "float8[]": ["{1.5,NULL}"],
    "bool[]": ["{t,f}"],
    "oid": ["0", "4294967295"],
}


class Checks:
    def __init__(self):
        self.only = set(filter(None, os.environ.get("CHECKS", "").split(",")))
        self.failed = 0

    def run(self, name, check, *arguments):
        if self.only and name not in self.only:
            return
        try:
            check(*arguments)
            print(f"ok    {name}")
        except Exception as error:
            self.failed += 1
            print(f"FAIL  {name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            if os.environ.get("VERBOSE"):
                traceback.print_exc()

    def exit(self):
        sys.exit(1 if self.failed else 0)


def literal(text):
    return "'" + text.replace("'", "''") + "'" if "''" not in text else "'" + text + "'"


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
