use aegis_catalog::object::ConstraintKind;

use super::query::sample;

/// `t (a int PRIMARY KEY, b text, n numeric(10,2), …)`, see `sample`.
#[test]
fn statements_over_one_row_have_one() {
    let mut server = sample();
    for sql in [
        "SELECT 1",
        "SELECT $1::int + 1, now()",
        "SELECT b, a + 1 FROM t WHERE a = $1",
        "SELECT b FROM t WHERE $1 = a AND b <> $2",
        "INSERT INTO t (a, b) VALUES ($1, $2)",
        "INSERT INTO t (a, b) VALUES ($1, $2), ($3, 'x') RETURNING a",
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a, b) SELECT $1, $2",
        "INSERT INTO t (a, n) VALUES ($1, $2)",
        "UPDATE t SET n = n + $1, b = b || 'x' WHERE a = $2",
        "UPDATE t SET b = $1 WHERE a = $2",
        "UPDATE t SET a = a + $1 WHERE a = $2 AND b IS NOT NULL RETURNING *",
        "DELETE FROM t WHERE a = $1",
        "DELETE FROM t WHERE a = $1 RETURNING b",
    ] {
        assert!(server.has_generic_plan(sql), "{sql}");
    }
}

#[test]
fn others_have_none() {
    let mut server = sample();
    for sql in [
        "SELECT a FROM t",
        "SELECT a FROM t WHERE b = $1",
        "SELECT a FROM t WHERE a > $1",
        "SELECT a FROM t WHERE a = $1 OR a = $2",
        "SELECT a FROM t WHERE a = $1 ORDER BY b",
        "SELECT a FROM t WHERE a = $1 FOR UPDATE",
        "SELECT count(*) FROM t WHERE a = $1",
        "SELECT a FROM t, u WHERE a = $1",
        "SELECT random()",
        "SELECT generate_series(1, $1)",
        "WITH c AS (SELECT 1) SELECT * FROM c",
        "INSERT INTO t (a) SELECT x FROM u",
        "UPDATE t SET b = 'x'",
        "UPDATE t SET b = (SELECT y FROM u WHERE x = $1) WHERE a = $1",
        "UPDATE t SET b = y FROM u WHERE a = $1",
        "UPDATE t SET b = now()::text || b WHERE a = $1 AND b = timeofday()",
        "DELETE FROM t USING u WHERE a = $1",
        // Text of a value obeys settings.
        "SELECT a::text FROM t WHERE a = $1",
        "DELETE FROM t WHERE a = $1 RETURNING tableoid",
    ] {
        assert!(!server.has_generic_plan(sql), "{sql}");
    }
}

#[test]
fn a_key_of_two_columns_is_wanted_whole() {
    let mut server = sample();
    let unique = Vec::<ConstraintKind>::new();
    server.create("pair", &[("a", "int", true), ("b", "text", true), ("n", "int", false)], &["a", "b"], unique);
    assert!(server.has_generic_plan("UPDATE pair SET n = n + 1 WHERE b = $1 AND a = 1"));
    assert!(!server.has_generic_plan("UPDATE pair SET n = n + 1 WHERE a = $1"));
}
