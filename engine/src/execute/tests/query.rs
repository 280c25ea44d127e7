use super::server::Server;

/// t(a, b, n, g) and u(x, y, m) as in the comments of each expectation's PostgreSQL run.
pub fn sample() -> Server {
    let mut server = Server::new();
    server.create(
        "t",
        &[("a", "int", true), ("b", "text", false), ("n", "numeric(10,2)", false), ("g", "int", false)],
        &["a"],
        Vec::new(),
    );
    server.create("u", &[("x", "int", false), ("y", "text", false), ("m", "numeric", false)], &[], Vec::new());
    server.rows(
        "INSERT INTO t VALUES (1, 'one', 1.50, 1), (2, 'two', 2.25, 1), (3, 'three', null, 2), (4, null, 4.00, null)",
    );
    server.rows("INSERT INTO u VALUES (1, 'p', 1.0), (1, 'q', 1.00), (2, 'r', 2.5), (null, 's', null)");
    server
}

#[test]
fn constants_and_filters() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT 1 + 2, 'a' || 'b'"), ["3|ab"]);
    assert_eq!(server.rows("SELECT a, b FROM t WHERE a > 1 ORDER BY a DESC LIMIT 2"), ["4|null", "3|three"]);
}

#[test]
fn conditions_guard_what_may_fail() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT a FROM t WHERE a <> 2 AND 10 / (a - 2) > 4 ORDER BY a"), ["3", "4"]);
    assert_eq!(server.rows("SELECT a FROM t WHERE a = 2 OR 10 / (a - 2) > 4 ORDER BY a"), ["2", "3", "4"]);
    assert_eq!(
        server.rows("SELECT CASE WHEN a = 2 THEN null ELSE 10 / (a - 2) > 4 END FROM t ORDER BY a"),
        ["f", "null", "t", "t"]
    );
}

#[test]
fn grouping_ignores_the_scale_of_numerics() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT count(*) FROM u GROUP BY m ORDER BY 1"), ["1", "1", "2"]);
    assert_eq!(
        server.rows("SELECT g, count(*), sum(n), min(b) FROM t GROUP BY g ORDER BY g"),
        ["1|2|3.75|one", "2|1|null|three", "null|1|4.00|null"]
    );
    assert_eq!(server.rows("SELECT count(*), sum(n) FROM t WHERE a > 100"), ["0|null"]);
}

#[test]
fn joins() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT a, y FROM t JOIN u ON a = x ORDER BY a, y"), ["1|p", "1|q", "2|r"]);
    assert_eq!(
        server.rows("SELECT a, y FROM t LEFT JOIN u ON a = x AND y <> 'p' ORDER BY a, y"),
        ["1|q", "2|r", "3|null", "4|null"]
    );
    assert_eq!(
        server.rows("SELECT a, y FROM t FULL JOIN u ON a = x AND a > 1 ORDER BY a, y"),
        ["1|null", "2|r", "3|null", "4|null", "null|p", "null|q", "null|s"]
    );
    assert_eq!(
        server.rows("SELECT n, m FROM t JOIN u ON n > m ORDER BY n, y"),
        ["1.50|1.0", "1.50|1.00", "2.25|1.0", "2.25|1.00", "4.00|1.0", "4.00|1.00", "4.00|2.5"]
    );
}

#[test]
fn set_operations() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT a FROM t UNION SELECT x FROM u ORDER BY 1"), ["1", "2", "3", "4", "null"]);
    assert_eq!(server.rows("SELECT x FROM u INTERSECT SELECT a FROM t ORDER BY 1"), ["1", "2"]);
    assert_eq!(server.rows("SELECT x FROM u EXCEPT ALL SELECT 1 ORDER BY 1"), ["1", "2", "null"]);
    assert_eq!(server.rows("SELECT DISTINCT m > 1 FROM u ORDER BY 1"), ["f", "t", "null"]);
    assert_eq!(server.rows("SELECT DISTINCT ON (g) g, a FROM t ORDER BY g, a DESC"), ["1|2", "2|3", "null|4"]);
}

#[test]
fn common_table_expressions() {
    let mut server = sample();
    assert_eq!(
        server.rows("WITH c AS (SELECT a, g FROM t) SELECT l.a, r.a FROM c l JOIN c r ON l.g = r.g AND l.a < r.a"),
        ["1|2"]
    );
    assert_eq!(
        server.rows("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 5) SELECT sum(i) FROM r"),
        ["15"]
    );
}

#[test]
fn windows() {
    let mut server = sample();
    assert_eq!(
        server.rows(
            "SELECT a, row_number() OVER (PARTITION BY g ORDER BY a DESC), sum(a) OVER (ORDER BY a) FROM t ORDER BY a"
        ),
        ["1|2|1", "2|1|3", "3|1|6", "4|1|10"]
    );
    assert_eq!(server.rows("SELECT a, lag(a) OVER (ORDER BY a), count(*) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t ORDER BY a"), [
        "1|null|2", "2|1|3", "3|2|3", "4|3|2"
    ]);
}

#[test]
fn set_returning_functions() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT generate_series(1, 3)"), ["1", "2", "3"]);
    assert_eq!(server.rows("SELECT i FROM generate_series(1, 100000000) i LIMIT 2"), ["1", "2"]);
    assert_eq!(
        server.rows("SELECT a, i FROM t, generate_series(1, a) i WHERE a < 3 ORDER BY 1, 2"),
        ["1|1", "2|1", "2|2"]
    );
    assert_eq!(server.rows("SELECT u.* FROM unnest(ARRAY['x', 'y']) WITH ORDINALITY u"), ["x|1", "y|2"]);
    assert_eq!(server.rows("SELECT generate_series(1, 2), generate_series(5, 7)"), ["1|5", "2|6", "null|7"]);
}

#[test]
fn grouping_sets() {
    let mut server = sample();
    assert_eq!(
        server.rows("SELECT g, count(*), grouping(g) FROM t GROUP BY ROLLUP (g) ORDER BY 3, 1"),
        ["1|2|0", "2|1|0", "null|1|0", "null|4|1"]
    );
}

#[test]
fn errors_keep_their_code() {
    let mut server = sample();
    let (code, message) = server.error("SELECT 1 / (a - 1) FROM t");
    assert_eq!((code.as_str(), message.as_str()), ("22012", "division by zero"));
    assert_eq!(
        server.rows("SELECT CASE WHEN a = 1 THEN 0 ELSE 1 / (a - 1) END FROM t ORDER BY a"),
        ["0", "1", "0", "0"]
    );
}
