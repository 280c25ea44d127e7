//! Golden tests: SQL and the bound tree it becomes (or the error), in `golden/*.txt`. `UPDATE_GOLDEN=1` rewrites the files.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use aegis_catalog::fixed_oid::{BOOTSTRAP_SUPERUSER, POSTGRES_DATABASE, PUBLIC_SCHEMA};
use aegis_catalog::name::SearchPath;
use aegis_catalog::object::{
    Column, Constraint, ConstraintKind, Identity, Index, IndexKey, Persistence, Relation, RelationKind, Sequence,
    Table, View,
};
use aegis_catalog::types::{FormatSettings, Names, typmod_from_modifiers};
use aegis_catalog::{Builtins, Catalog, CatalogNames, CatalogStore, CatalogTransaction, Error, Oid, Result, Type};
use aegis_storage::{Isolation, Store, Transaction};

use super::print::print;
use super::tree::RelId;
use crate::session::context::{AdvisoryKey, SessionServices, StatementContext};

/// A session that does nothing.
struct NoServices;

impl SessionServices for NoServices {
    fn backend_pid(&self) -> i32 {
        1
    }
    fn setting(&self, _: &str) -> Option<String> {
        None
    }
    fn set_setting(&self, _: &str, _: Option<&str>, _: bool) -> Result<String> {
        Err(Error::unsupported("settings in tests"))
    }
    fn sequence_next(&self, _: Oid) -> Result<i64> {
        Ok(1)
    }
    fn sequence_current(&self, _: Oid) -> Result<i64> {
        Ok(1)
    }
    fn sequence_last(&self) -> Result<i64> {
        Ok(1)
    }
    fn sequence_set(&self, _: Oid, _: i64, _: bool) -> Result<()> {
        Ok(())
    }
    fn sequence_state(&self, _: Oid) -> Result<(i64, bool)> {
        Ok((1, false))
    }
    fn cancel_backend(&self, _: i32, _: bool) -> Result<bool> {
        Ok(false)
    }
    fn advisory_lock(&self, _: AdvisoryKey, _: bool, _: bool, _: bool, _: &StatementContext) -> Result<bool> {
        Ok(true)
    }
    fn advisory_unlock(&self, _: AdvisoryKey, _: bool) -> Result<bool> {
        Ok(true)
    }
    fn advisory_unlock_all(&self) -> Result<()> {
        Ok(())
    }
    fn notice(&self, _: &str, _: &str) {}
    fn table_bytes(&self, _: Oid) -> u64 {
        0
    }
    fn transaction_id(&self) -> u64 {
        1
    }
    fn server_start(&self) -> i64 {
        0
    }
    fn addresses(&self) -> Option<(String, u16, String, u16)> {
        None
    }
}

/// An empty table.
fn table() -> RelationKind {
    RelationKind::Table(Table::new(0))
}

/// The tables that the golden files speak of:
///
/// - `t(a int primary key, b text not null default 'x', c numeric(10,2), d date, e int[], f varchar(5), check (a > 0))`
/// - `u(a int, g float8, h timestamptz, i int generated always as identity, j int generated always as (a + 1) stored)`
/// - `v`: a view `select a, upper(b) as b from t where a > 1`
fn schema(catalog: &mut CatalogTransaction, storage: &mut Transaction) -> Result<()> {
    let type_of = |name: &str| {
        let name = crate::parse::parse_type_name(name)?;
        let info = aegis_catalog::types::type_by_name(&name.name.parts.last().unwrap().name).unwrap();
        let modifiers: Vec<i32> = match name.modifiers.len() {
            2 => vec![10, 2],
            1 => vec![5],
            _ => Vec::new(),
        };
        let typmod = typmod_from_modifiers(info.oid, &modifiers)?;
        Ok::<_, Error>(Type::new(if name.array_dimensions > 0 { info.array } else { info.oid }, typmod))
    };
    let relation = |name: &str, columns: &[(&str, &str)], kind| {
        let columns = columns.iter().zip(1..);
        let columns = columns.map(|((name, ty), attnum)| Ok(Column::new(*name, attnum, type_of(ty)?)));
        Ok::<_, Error>(Relation {
            oid: 0,
            schema: PUBLIC_SCHEMA,
            name: name.to_owned(),
            owner: BOOTSTRAP_SUPERUSER,
            persistence: Persistence::Permanent,
            row_type: 0,
            row_array_type: 0,
            columns: columns.collect::<Result<_>>()?,
            kind,
        })
    };

    let columns =
        [("a", "int"), ("b", "text"), ("c", "numeric(10,2)"), ("d", "date"), ("e", "int[]"), ("f", "varchar(5)")];
    let mut t = relation("t", &columns, table())?;
    t.columns[0].not_null = true;
    t.columns[1].not_null = true;
    t.columns[1].default = Some("'x'".into());
    let t = catalog.create_relation(storage, t)?;
    let key = IndexKey { attnum: 1, expression: None, descending: false, nulls_first: false, operator_class: 0 };
    let index = Index {
        table: t.oid,
        method: "btree".into(),
        keys: vec![key],
        include: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        predicate: None,
        storage: None,
        options: Vec::new(),
        parent: 0,
        partitioned: false,
        invalid: false,
        clustered: false,
    };
    let index = catalog.create_relation(storage, relation("t_pkey", &[], RelationKind::Index(index))?)?;
    let mut t = Relation::clone(&t);
    let constraint = |name: &str, kind| Constraint::new(name, kind);
    if let RelationKind::Table(table) = &mut t.kind {
        let primary = ConstraintKind::PrimaryKey { index: index.oid, columns: vec![1] };
        let check = ConstraintKind::Check { expression: "a > 0".into(), columns: vec![1] };
        table.constraints = vec![constraint("t_pkey", primary), constraint("t_a_check", check)];
    }
    catalog.replace_relation(storage, t)?;

    let columns = [("a", "int"), ("g", "float8"), ("h", "timestamptz"), ("i", "int"), ("j", "int")];
    let mut u = relation("u", &columns, table())?;
    u.columns[3].identity = Some(Identity::Always);
    u.columns[4].generated = true;
    u.columns[4].default = Some("a + 1".into());
    let u = catalog.create_relation(storage, u)?;
    let sequence = Sequence {
        ty: aegis_catalog::types::oid::INT4,
        start: 1,
        increment: 1,
        min: 1,
        max: 100,
        cache: 1,
        cycle: false,
        owned_by: Some((u.oid, 4)),
        identity: true,
    };
    catalog.create_relation(storage, relation("u_i_seq", &[], RelationKind::Sequence(sequence))?)?;

    let view = View {
        query: "SELECT a, upper(b) AS b FROM t WHERE a > 1".into(),
        search_path: vec!["public".into()],
        check_option: None,
        options: Vec::new(),
        window: None,
        rule: 0,
    };
    catalog.create_relation(storage, relation("v", &[("a", "int"), ("b", "text")], RelationKind::View(view))?)?;
    Ok(())
}

pub(crate) fn context() -> StatementContext {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = Store::open_in_memory();
    let builtins = Builtins::from_oids(crate::functions::registry().all().map(|function| function.oid), Vec::new());
    let catalogs = runtime.block_on(CatalogStore::open(store.clone(), builtins)).unwrap();
    runtime.block_on(catalogs.reserve_oids()).unwrap();
    let mut catalog = CatalogTransaction::begin(&catalogs, POSTGRES_DATABASE, &Default::default()).unwrap();
    let mut storage = store.begin(Isolation::ReadCommitted);
    schema(&mut catalog, &mut storage).unwrap();
    let catalog: Arc<Catalog> = catalog.catalog();
    let search_path = SearchPath::resolve(&catalog, &["$user".into(), "public".into()], "postgres", None);
    let names = CatalogNames { catalog: catalog.clone(), search_path: search_path.clone() };
    let names = Names(Some(Arc::new(names)));
    StatementContext {
        search_path,
        extensions: Arc::default(),
        catalog,
        format: FormatSettings { names, ..FormatSettings::default() },
        database: "postgres".into(),
        database_oid: POSTGRES_DATABASE,
        user: "postgres".into(),
        user_oid: BOOTSTRAP_SUPERUSER,
        session_user: "postgres".into(),
        transaction_start: 0,
        statement_start: 0,
        services: Arc::new(NoServices),
        cancel: Default::default(),
    }
}

fn outcome(sql: &str, context: &StatementContext) -> String {
    let bound = crate::parse::parse(sql).and_then(|statements| match statements.as_slice() {
        [one] => super::bind(&one.statement, sql, &[], context),
        _ => Err(Error::internal("one statement expected")),
    });
    match bound {
        Ok(bound) => print(&bound),
        Err(error) => {
            let fields = error.fields();
            let at = fields.position.map(|position| format!(" at {}", position + 1)).unwrap_or_default();
            let mut text = format!("ERROR {}{at}: {}\n", fields.code, fields.message);
            for (label, value) in [("DETAIL", &fields.detail), ("HINT", &fields.hint)] {
                if let Some(value) = value {
                    let _ = writeln!(text, "{label}: {value}");
                }
            }
            text
        }
    }
}

#[test]
fn golden_files() {
    let folder = PathBuf::from("src/bind/golden");
    let context = context();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut fresh = String::new();
        for block in text.split("\n\n").map(str::trim_end).filter(|block| !block.trim().is_empty()) {
            let sql: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("> ")).collect();
            let sql = sql.join("\n");
            let shown: Vec<String> = sql.lines().map(|line| format!("> {line}")).collect();
            let _ = write!(fresh, "{}\n{}\n", shown.join("\n"), outcome(&sql, &context));
            count += 1;
        }
        if update {
            std::fs::write(&path, &fresh).unwrap();
        } else if fresh.trim_end() != text.trim_end() {
            for (new, old) in fresh.split("\n\n").zip(text.split("\n\n")) {
                if new.trim_end() != old.trim_end() {
                    failed.push(format!("{}\nexpected:\n{old}\ngot:\n{new}", path.display()));
                }
            }
        }
    }
    assert!(count > 0 && failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Result columns or error (SQLSTATE, position, message) of a statement on one line.
fn described(sql: &str, context: &StatementContext) -> String {
    let bound = crate::parse::parse(sql).and_then(|statements| match statements.as_slice() {
        [one] => super::bind(&one.statement, sql, &[], context),
        _ => Err(Error::internal("one statement expected")),
    });
    match bound {
        Ok(bound) => {
            let columns = bound.columns.unwrap_or_default();
            let columns: Vec<_> = columns
                .iter()
                .map(|column| format!("{} {}", column.name, aegis_catalog::types::format_type(column.ty)))
                .collect();
            columns.join("|")
        }
        Err(error) => {
            let fields = error.fields();
            let at = fields.position.map_or(0, |position| position + 1);
            format!("ERROR {} {at} {}", fields.code, fields.message)
        }
    }
}

/// `golden/postgresql.tsv` holds what PostgreSQL 15 says of each statement (psql's `\gdesc`).
#[test]
fn statements_are_described_as_by_postgresql() {
    let context = context();
    let mut failed = Vec::new();
    for line in include_str!("golden/postgresql.tsv").lines() {
        let (sql, expected) = line.split_once('\t').unwrap();
        let got = described(sql, &context);
        if got != expected {
            failed.push(format!("{sql}\n  PostgreSQL: {expected}\n  here:       {got}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn expressions_over_a_table() {
    let context = context();
    let table = context.catalog.relation_by_name(PUBLIC_SCHEMA, "t").unwrap().clone();
    let rel = RelId(7);
    let parsed = crate::parse::parse_expression("a > 1 and b <> 'y'").unwrap();
    let bound = super::bind_expression_over(&table, rel, &parsed, super::Purpose::Check, None, &context).unwrap();
    assert_eq!(super::print::expr(&bound), "((#7.1 > '1':integer) and (#7.2 <> 'y':text))");
    let parsed = crate::parse::parse_expression("a").unwrap();
    let error = super::bind_expression_over(&table, rel, &parsed, super::Purpose::Default, None, &context);
    assert_eq!(error.unwrap_err().message(), "cannot use column reference in DEFAULT expression");
}
