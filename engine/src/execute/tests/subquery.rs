use super::query::sample;

#[test]
fn scalar() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT a, (SELECT max(x) FROM u) FROM t ORDER BY a LIMIT 1"), ["1|2"]);
    assert_eq!(
        server.rows("SELECT a, (SELECT count(*) FROM u WHERE x = a) FROM t ORDER BY a"),
        ["1|2", "2|1", "3|0", "4|0"]
    );
    assert_eq!(
        server.rows("SELECT a, (SELECT y FROM u WHERE x = a ORDER BY y DESC LIMIT 1) FROM t ORDER BY a"),
        ["1|q", "2|r", "3|null", "4|null"]
    );
    let (code, message) = server.error("SELECT (SELECT y FROM u WHERE x = a) FROM t");
    assert_eq!(code, "21000");
    assert_eq!(message, "more than one row returned by a subquery used as an expression");
    assert_eq!(server.rows("SELECT a FROM t WHERE n > (SELECT avg(m) FROM u WHERE x = a) ORDER BY a"), ["1"]);
    assert_eq!(server.rows("SELECT (SELECT (SELECT count(*) FROM t i WHERE i.g = o.g AND i.a >= u.x) FROM u WHERE x = o.a AND y <> 'q') FROM t o ORDER BY a"), [
        "2", "1", "null", "null"
    ]);
}

#[test]
fn exists_and_in() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE x = a) ORDER BY a"), ["1", "2"]);
    assert_eq!(server.rows("SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE x = a) ORDER BY a"), ["3", "4"]);
    assert_eq!(
        server.rows("SELECT a, EXISTS (SELECT 1 FROM u WHERE x = a) FROM t ORDER BY a"),
        ["1|t", "2|t", "3|f", "4|f"]
    );
    assert_eq!(server.rows("SELECT a FROM t WHERE a IN (SELECT x FROM u) ORDER BY a"), ["1", "2"]);
    assert_eq!(server.rows("SELECT a FROM t WHERE a NOT IN (SELECT x FROM u) ORDER BY a"), [] as [&str; 0]);
    assert_eq!(
        server.rows("SELECT a FROM t WHERE a NOT IN (SELECT x FROM u WHERE x IS NOT NULL) ORDER BY a"),
        ["3", "4"]
    );
    assert_eq!(server.rows("SELECT a, a IN (SELECT x FROM u) FROM t ORDER BY a"), ["1|t", "2|t", "3|null", "4|null"]);
    assert_eq!(
        server.rows("SELECT a, a NOT IN (SELECT x FROM u WHERE y > b) FROM t ORDER BY a"),
        ["1|f", "2|t", "3|t", "4|t"]
    );
    assert_eq!(
        server.rows("SELECT a FROM t WHERE a > ALL (SELECT x FROM u WHERE x IS NOT NULL) ORDER BY a"),
        ["3", "4"]
    );
    assert_eq!(
        server.rows("SELECT a, a > ANY (SELECT x FROM u WHERE m < n) FROM t ORDER BY a"),
        ["1|f", "2|t", "3|f", "4|t"]
    );
}

#[test]
fn lateral() {
    let mut server = sample();
    assert_eq!(
        server.rows("SELECT a, c FROM t, LATERAL (SELECT count(*) AS c FROM u WHERE x = a) s ORDER BY a"),
        ["1|2", "2|1", "3|0", "4|0"]
    );
    assert_eq!(
        server.rows(
            "SELECT a, y FROM t LEFT JOIN LATERAL (SELECT y FROM u WHERE x = a ORDER BY y LIMIT 1) s ON true ORDER BY a"
        ),
        ["1|p", "2|r", "3|null", "4|null"]
    );
}

#[test]
fn arrays() {
    let mut server = sample();
    assert_eq!(server.rows("SELECT ARRAY(SELECT y FROM u ORDER BY y DESC)"), ["{s,r,q,p}"]);
    assert_eq!(
        server.rows("SELECT a, ARRAY(SELECT y FROM u WHERE x = a ORDER BY y DESC) FROM t ORDER BY a"),
        ["1|{q,p}", "2|{r}", "3|{}", "4|{}"]
    );
}
