use aegis_catalog::object::{ConstraintKind, ReferentialAction};

use super::query::sample;
use super::server::Server;

#[test]
fn update_and_delete() {
    let mut server = sample();
    assert_eq!(
        server.rows("UPDATE t SET n = n + 1, b = upper(b) WHERE a <= 2 RETURNING a, b, n"),
        ["1|ONE|2.50", "2|TWO|3.25"]
    );
    assert_eq!(server.rows("SELECT n FROM t ORDER BY a"), ["2.50", "3.25", "null", "4.00"]);
    assert_eq!(server.rows("UPDATE t SET b = y FROM u WHERE x = a AND y = 'r'"), ["1"]);
    assert_eq!(server.rows("DELETE FROM t USING u WHERE x = a"), ["2"]);
    assert_eq!(server.rows("SELECT a FROM t ORDER BY a"), ["3", "4"]);
    assert_eq!(server.rows("DELETE FROM t WHERE a IN (SELECT 3) RETURNING *"), ["3|three|null|2"]);
}

#[test]
fn keys_and_nulls() {
    let mut server = sample();
    let error = server.run("INSERT INTO t (a, b) VALUES (9, 'x'), (1, 'y')").unwrap_err();
    assert_eq!(error.code().as_str(), "23505");
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(error.fields().detail.as_deref(), Some("Key (a)=(1) already exists."));
    assert_eq!(server.rows("SELECT count(*) FROM t"), ["4"]);
    let error = server.run("INSERT INTO t (b) VALUES ('x')").unwrap_err();
    assert_eq!(error.code().as_str(), "23502");
    assert_eq!(error.message(), "null value in column \"a\" of relation \"t\" violates not-null constraint");
    assert_eq!(error.fields().detail.as_deref(), Some("Failing row contains (null, x, null, null)."));
}

#[test]
fn on_conflict() {
    let mut server = sample();
    assert_eq!(server.rows("INSERT INTO t (a, b) VALUES (1, 'x'), (5, 'five') ON CONFLICT DO NOTHING"), ["1"]);
    assert_eq!(
        server.rows("INSERT INTO t (a, b) VALUES (1, 'x'), (6, 'six') ON CONFLICT (a) DO UPDATE SET b = t.b || excluded.b RETURNING a, b"),
        ["1|onex", "6|six"]
    );
    let sql = "INSERT INTO t (a) VALUES (7), (7) ON CONFLICT (a) DO UPDATE SET b = 'z'";
    assert_eq!(server.error(sql).0, "21000");
}

#[test]
fn foreign_keys() {
    let mut server = Server::new();
    server.create("p", &[("id", "int", true)], &["id"], Vec::new());
    let catalog = server.oid("p");
    let key = |columns, on_delete| ConstraintKind::ForeignKey {
        columns,
        referenced: catalog,
        referenced_columns: vec![1],
        referenced_index: 0,
        on_update: ReferentialAction::Cascade,
        on_delete,
        match_full: false,
        delete_columns: Vec::new(),
    };
    let index = server.oid("p_pkey");
    let with_index = |kind: ConstraintKind| match kind {
        ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            match_full,
            ..
        } => ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            referenced_index: index,
            on_update,
            on_delete,
            match_full,
            delete_columns: Vec::new(),
        },
        other => other,
    };
    server.create(
        "c",
        &[("id", "int", true), ("p", "int", false)],
        &["id"],
        vec![with_index(key(vec![2], ReferentialAction::Cascade))],
    );
    server.rows("INSERT INTO p VALUES (1), (2)");
    server.rows("INSERT INTO c VALUES (10, 1), (11, 2), (12, null)");
    let error = server.run("INSERT INTO c VALUES (13, 3)").unwrap_err();
    assert_eq!(error.code().as_str(), "23503");
    assert_eq!(error.fields().detail.as_deref(), Some("Key (p)=(3) is not present in table \"p\"."));
    assert_eq!(server.rows("UPDATE p SET id = 5 WHERE id = 1"), ["1"]);
    assert_eq!(server.rows("SELECT * FROM c ORDER BY id"), ["10|5", "11|2", "12|null"]);
    assert_eq!(server.rows("DELETE FROM p WHERE id = 5"), ["1"]);
    assert_eq!(server.rows("SELECT id FROM c ORDER BY id"), ["11", "12"]);
}

#[test]
fn changes_in_with() {
    let mut server = sample();
    assert_eq!(
        server.rows("WITH d AS (DELETE FROM t WHERE a > 2 RETURNING a, n) SELECT count(*), sum(n), (SELECT count(*) FROM t) FROM d"),
        ["2|4.00|4"]
    );
    assert_eq!(server.rows("SELECT count(*) FROM t"), ["2"]);
}
