//! The engine without sessions: a store, a catalog and a query runtime.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::builtins::Builtins;
use aegis_catalog::fixed_oid::{BOOTSTRAP_SUPERUSER, POSTGRES_DATABASE, PUBLIC_SCHEMA};
use aegis_catalog::name::SearchPath;
use aegis_catalog::object::{
    Column, Constraint, ConstraintKind, Index, IndexKey, Persistence, Relation, RelationKind, Table,
};
use aegis_catalog::store::CatalogStore;
use aegis_catalog::types::structure::stored_arrow_type;
use aegis_catalog::types::{BuiltIn, FormatSettings, TextEncoder};
use aegis_catalog::{CatalogTransaction, Error, Oid, Result, TemporaryObjects, Type};
use aegis_storage::{ColumnSchema, IndexSchema, Isolation, Store, TableSchema};
use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::bind::tree::{OutputColumn, Statement};
use crate::execute::{Change, Execution, GenericPlan, QueryRuntime, run_change, run_query};
use crate::session::context::{AdvisoryKey, SessionServices, StatementContext};
use crate::session::tables::Tables;

pub struct Server {
    runtime: tokio::runtime::Runtime,
    queries: QueryRuntime,
    catalog: CatalogTransaction,
    transaction: Tables,
    _spill: tempfile::TempDir,
}

/// One column of a test table: name, SQL type, NOT NULL.
pub type ColumnSpec<'a> = (&'a str, &'a str, bool);

impl Server {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let spill = tempfile::tempdir().unwrap();
        let queries = QueryRuntime::new(2, 256 << 20, spill.path(), || {}).unwrap();
        let (catalog, transaction) = runtime.block_on(async {
            let store = Store::open_in_memory();
            let catalogs = CatalogStore::open(store.clone(), builtins()).await.unwrap();
            catalogs.reserve_oids().await.unwrap();
            let temporary = TemporaryObjects::default();
            let catalog = CatalogTransaction::begin(&catalogs, POSTGRES_DATABASE, &temporary).unwrap();
            (
                catalog,
                Tables::begin(&store, None, Isolation::ReadCommitted, &store.locks().owner(1), &Default::default()),
            )
        });
        Self { runtime, queries, catalog, transaction, _spill: spill }
    }

    /// Creates a table; `key` are its primary key columns.
    pub fn create(&mut self, name: &str, columns: &[ColumnSpec<'_>], key: &[&str], more: Vec<ConstraintKind>) {
        let oid = self.catalog.allocate_oid().unwrap();
        let index = self.catalog.allocate_oid().unwrap();
        let columns: Vec<Column> = columns
            .iter()
            .enumerate()
            .map(|(position, (name, ty, not_null))| {
                let mut column = Column::new(*name, position as i16 + 1, sql_type(ty));
                column.not_null = *not_null || key.contains(name);
                column
            })
            .collect();
        let key: Vec<i16> =
            key.iter().map(|name| columns.iter().find(|column| column.name == *name).unwrap().attnum).collect();
        let constraint = |name: String, kind| Constraint::new(name, kind);
        let mut constraints = Vec::new();
        if !key.is_empty() {
            let kind = ConstraintKind::PrimaryKey { index, columns: key.clone() };
            constraints.push(constraint(format!("{name}_pkey"), kind));
        }
        for (number, kind) in more.into_iter().enumerate() {
            constraints.push(constraint(format!("{name}_constraint_{number}"), kind));
        }
        let stored = columns.iter().map(|column| ColumnSchema {
            id: column.attnum as u32,
            name: column.name.clone(),
            data_type: stored_arrow_type(column.ty, &BuiltIn),
            missing: None,
        });
        let indexes = (!key.is_empty()).then(|| IndexSchema {
            id: index,
            name: format!("{name}_pkey"),
            columns: key.iter().map(|attnum| *attnum as u32).collect(),
            unique: true,
            primary: true,
            nulls_not_distinct: false,
            ignored_suffix: Vec::new(),
            deferrable: false,
        });
        let schema = TableSchema { columns: stored.collect(), indexes: indexes.into_iter().collect(), windows: None };
        self.transaction.permanent().create_table(u64::from(oid), schema).unwrap();
        let table = Table { constraints, ..Table::new(u64::from(oid)) };
        self.relation(oid, name, columns, RelationKind::Table(table));
        if !key.is_empty() {
            let keys = key
                .iter()
                .map(|attnum| IndexKey {
                    attnum: *attnum,
                    expression: None,
                    descending: false,
                    nulls_first: false,
                    operator_class: 0,
                })
                .collect();
            let kind = RelationKind::Index(Index {
                table: oid,
                method: "btree".into(),
                keys,
                include: Vec::new(),
                unique: true,
                primary: true,
                nulls_not_distinct: false,
                predicate: None,
                storage: Some(index),
                options: Vec::new(),
                parent: 0,
                partitioned: false,
                invalid: false,
                clustered: false,
            });
            self.relation(index, &format!("{name}_pkey"), Vec::new(), kind);
        }
    }

    fn relation(&mut self, oid: Oid, name: &str, columns: Vec<Column>, kind: RelationKind) {
        let relation = Relation {
            oid,
            schema: PUBLIC_SCHEMA,
            name: name.into(),
            owner: BOOTSTRAP_SUPERUSER,
            persistence: Persistence::Permanent,
            row_type: 0,
            row_array_type: 0,
            columns,
            kind,
        };
        self.catalog.create_relation(self.transaction.permanent(), relation).unwrap();
    }

    pub fn oid(&self, name: &str) -> Oid {
        self.catalog.catalog().relation_by_name(PUBLIC_SCHEMA, name).unwrap().oid
    }

    fn context(&self) -> Arc<StatementContext> {
        let catalog = self.catalog.catalog();
        let search_path = SearchPath::resolve(&catalog, &["public".to_owned()], "postgres", None);
        Arc::new(StatementContext {
            catalog,
            format: FormatSettings::default(),
            database: "postgres".into(),
            database_oid: POSTGRES_DATABASE,
            user: "postgres".into(),
            user_oid: BOOTSTRAP_SUPERUSER,
            session_user: "postgres".into(),
            search_path,
            extensions: Arc::default(),
            transaction_start: 0,
            statement_start: 0,
            services: Arc::new(NoServices),
            cancel: CancellationToken::new(),
        })
    }

    /// Runs statements; the rows of the last one as text, or its count of rows as one row.
    pub fn run(&mut self, sql: &str) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        for parsed in crate::parse::parse(sql)? {
            rows = self.statement(&parsed.statement)?;
        }
        Ok(rows)
    }

    fn statement(&mut self, statement: &crate::parse::ast::Statement) -> Result<Vec<String>> {
        let context = self.context();
        let bound = crate::bind::bind(statement, "", &[], &context)?;
        let columns = bound.columns.clone().unwrap_or_default();
        let mut execution = Execution::new(&self.queries, context.clone(), &mut self.transaction, &[]);
        let (count, batches) = self.runtime.block_on(async {
            let changed = match &bound.statement {
                Statement::Query(query) => {
                    let batches = run_query(query, None, &mut execution).await?.collect().await?;
                    return Ok::<_, Error>((None, batches));
                }
                Statement::Insert(insert) => run_change(Change::Insert(insert), None, &mut execution).await?,
                Statement::Update(update) => run_change(Change::Update(update), None, &mut execution).await?,
                Statement::Delete(delete) => run_change(Change::Delete(delete), None, &mut execution).await?,
                Statement::Merge(merge) => run_change(Change::Merge(merge), None, &mut execution).await?,
            };
            Ok((Some(changed.count), changed.returning))
        })?;
        match count {
            Some(count) if columns.is_empty() => Ok(vec![count.to_string()]),
            _ => text_rows(&columns, &batches, &context.format),
        }
    }

    /// Would the statement be run without planning from its second time on?
    pub fn has_generic_plan(&mut self, sql: &str) -> bool {
        let context = self.context();
        let parsed = crate::parse::parse(sql).unwrap();
        let bound = crate::bind::bind(&parsed[0].statement, sql, &[], &context).unwrap();
        GenericPlan::new(&bound, &context, &self.transaction).is_some()
    }

    /// The rows, `|` between columns; panics on an error.
    pub fn rows(&mut self, sql: &str) -> Vec<String> {
        match self.run(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}: {error:?} {:?}", error.fields().detail),
        }
    }

    /// The error's SQLSTATE and message.
    pub fn error(&mut self, sql: &str) -> (String, String) {
        match self.run(sql) {
            Ok(rows) => panic!("{sql}: no error but {rows:?}"),
            Err(error) => (error.code().to_string(), error.message().to_owned()),
        }
    }
}

fn text_rows(columns: &[OutputColumn], batches: &[RecordBatch], settings: &FormatSettings) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        let encoders = columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| TextEncoder::new(column.ty, array, settings))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let values = encoders.iter().map(|encoder| {
                if encoder.is_null(row) {
                    return "null".to_owned();
                }
                let mut text = Vec::new();
                encoder.encode(row, &mut text);
                String::from_utf8(text).unwrap()
            });
            rows.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(rows)
}

fn sql_type(name: &str) -> Type {
    use aegis_catalog::types::oid;
    match name {
        "int" => Type::of(oid::INT4),
        "bigint" => Type::of(oid::INT8),
        "text" => Type::of(oid::TEXT),
        "bool" => Type::of(oid::BOOL),
        "float8" => Type::of(oid::FLOAT8),
        "numeric" => Type::of(oid::NUMERIC),
        "numeric(10,2)" => Type::new(oid::NUMERIC, ((10 << 16) | 2) + 4),
        "char(5)" => Type::new(oid::BPCHAR, 9),
        "int[]" => Type::of(oid::INT4_ARRAY),
        "date" => Type::of(oid::DATE),
        "interval" => Type::of(oid::INTERVAL),
        other => panic!("type {other}"),
    }
}

/// Functions as the catalog lists them.
fn builtins() -> Builtins {
    Builtins::from_oids(crate::functions::registry().all().map(|function| function.oid), Vec::new())
}

struct NoServices;

impl SessionServices for NoServices {
    fn backend_pid(&self) -> i32 {
        1
    }
    fn setting(&self, _name: &str) -> Option<String> {
        None
    }
    fn set_setting(&self, _name: &str, _value: Option<&str>, _local: bool) -> Result<String> {
        Err(Error::unsupported("settings"))
    }
    fn sequence_next(&self, sequence: Oid) -> Result<i64> {
        static NEXT: Mutex<Option<HashMap<Oid, i64>>> = Mutex::new(None);
        let mut next = NEXT.lock();
        let value = next.get_or_insert_default().entry(sequence).or_default();
        *value += 1;
        Ok(*value)
    }
    fn sequence_current(&self, _sequence: Oid) -> Result<i64> {
        Err(Error::unsupported("sequences"))
    }
    fn sequence_last(&self) -> Result<i64> {
        Err(Error::unsupported("sequences"))
    }
    fn sequence_set(&self, _sequence: Oid, _value: i64, _is_called: bool) -> Result<()> {
        Err(Error::unsupported("sequences"))
    }
    fn sequence_state(&self, _sequence: Oid) -> Result<(i64, bool)> {
        Err(Error::unsupported("sequences"))
    }
    fn cancel_backend(&self, _pid: i32, _terminate: bool) -> Result<bool> {
        Ok(false)
    }
    fn advisory_lock(
        &self,
        _key: AdvisoryKey,
        _shared: bool,
        _transaction: bool,
        _wait: bool,
        _context: &StatementContext,
    ) -> Result<bool> {
        Ok(true)
    }
    fn advisory_unlock(&self, _key: AdvisoryKey, _shared: bool) -> Result<bool> {
        Ok(true)
    }
    fn advisory_unlock_all(&self) -> Result<()> {
        Ok(())
    }
    fn notice(&self, _severity: &str, _message: &str) {}
    fn table_bytes(&self, _relation: Oid) -> u64 {
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
