//! Code that runs in the session of its caller, as the statements of a body in SQL do: it sees the caller's transaction, runs statements in it
//! and reads their rows (PostgreSQL's Server Programming Interface, manual chapter 47).

use std::pin::Pin;
use std::sync::Arc;

use aegis_catalog::fixed_oid::PG_CLASS;
use aegis_catalog::object::{Dependency, DependencyKind, ObjectAddress, Relation, RelationKind, Windows};
use aegis_catalog::types::{interval::Interval, oid};
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};
use aegis_storage::lock::TableMode;
use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::scalar::ScalarValue;

use super::GroupedQuery;
use crate::execute::error::from_datafusion;
use crate::functions::value::{Date, Read, Timestamp, TimestampTz, Uuid, Write};
use crate::parse::ast::Statement;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::prepared::Plan;
use crate::session::routine::drain;
use crate::statement::{self, Outcome};

pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T>> + Send + 'a>>;

/// Arguments in, rows out. A function that returns no set gives one row, or none for null; `void` none.
pub type SessionCode = for<'a> fn(Caller<'a>, Row) -> Future<'a, Vec<Row>>;

/// Makes a [`Body::Session`](crate::functions::Body::Session) of an `async fn(Caller<'_>, Row) -> Result<Vec<Row>>`.
#[macro_export]
macro_rules! session {
    ($function:path) => {
        $crate::functions::Body::Session(|caller, arguments| Box::pin($function(caller, arguments)))
    };
}

/// A [`Row`](crate::extension::Row) of values.
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => {
        $crate::extension::Row(vec![$($crate::extension::Value::from($value)),*])
    };
}

/// A value with its type.
#[derive(Debug, Clone)]
pub struct Value {
    ty: Type,
    /// One row long.
    array: ArrayRef,
}

/// The values of a row.
#[derive(Debug, Clone)]
pub struct Row(pub Vec<Value>);

/// The session that calls, for as long as the call lasts.
pub struct Caller<'a> {
    pub(super) session: &'a mut Session,
    /// Whether each statement sees what was committed until then: the function is volatile.
    pub(super) volatile: bool,
    owner: Oid,
}

impl Value {
    pub fn new(ty: Type, array: ArrayRef) -> Self {
        Self { ty, array }
    }

    pub(super) fn scalar(ty: Type, value: &ScalarValue) -> Result<Self> {
        Ok(Self { ty, array: value.to_array_of_size(1).map_err(from_datafusion)? })
    }

    pub(super) fn to_scalar(&self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.array, 0).map_err(from_datafusion)
    }

    pub fn ty(&self) -> Type {
        self.ty
    }

    /// One row long.
    pub fn array(&self) -> &ArrayRef {
        &self.array
    }

    pub fn is_null(&self) -> bool {
        self.array.is_null(0)
    }

    /// A field of a composite value, which is of this type.
    pub fn field(&self, position: usize, ty: Type) -> Result<Self> {
        let fields = self.array.as_struct_opt().filter(|fields| position < fields.num_columns());
        let fields = fields.ok_or_else(|| Error::internal("a value without fields"))?;
        Ok(Self { ty, array: fields.column(position).clone() })
    }

    /// The value; XX000 if it is of another type, or null and `T` no `Option`.
    pub fn get<'a, T: Read<'a>>(&'a self) -> Result<T> {
        if !T::SEES_NULL && self.is_null() {
            return Err(Error::internal("a value is null"));
        }
        Ok(T::get(&T::open(&self.array)?, 0))
    }
}

impl Row {
    /// The value of a column, as [`Value::get`].
    pub fn get<'a, T: Read<'a>>(&'a self, column: usize) -> Result<T> {
        self.value(column)?.get()
    }

    pub fn value(&self, column: usize) -> Result<&Value> {
        self.0.get(column).ok_or_else(|| Error::internal("a row has fewer values"))
    }

    /// As the session's code computes with them.
    pub(crate) fn of_scalars(values: &[(ScalarValue, Type)]) -> Result<Self> {
        values.iter().map(|(value, ty)| Value::scalar(*ty, value)).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn to_scalars(&self) -> Result<Vec<ScalarValue>> {
        self.0.iter().map(Value::to_scalar).collect()
    }

    /// The values, which must be those of columns of these types.
    pub(crate) fn into_scalars(self, columns: &[(String, Type)], catalog: &Catalog) -> Result<Vec<ScalarValue>> {
        if self.0.len() != columns.len() {
            return Err(Error::internal(format!("{} values for {} columns", self.0.len(), columns.len())));
        }
        let values = self.0.iter().zip(columns).map(|(value, (name, ty))| {
            let expected = catalog.arrow_type(*ty);
            match value.is_null() {
                true => ScalarValue::try_from(&expected).map_err(from_datafusion),
                false if *value.array.data_type() == expected => value.to_scalar(),
                false => Err(Error::internal(format!("column {name} is {}, not {expected}", value.array.data_type()))),
            }
        });
        values.collect()
    }
}

macro_rules! value_of {
    ($($rust:ty = $oid:ident),* $(,)?) => {$(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Self {
                Some(value).into()
            }
        }
        impl From<Option<$rust>> for Value {
            fn from(value: Option<$rust>) -> Self {
                let mut builder = <$rust as Write>::builder(1);
                match value {
                    Some(value) => value.append(&mut builder),
                    None => <$rust as Write>::append_null(&mut builder),
                }
                Self::new(Type::of(oid::$oid), <$rust as Write>::finish(builder))
            }
        }
    )*};
}

value_of!(
    bool = BOOL,
    i16 = INT2,
    i32 = INT4,
    i64 = INT8,
    u32 = OID,
    f32 = FLOAT4,
    f64 = FLOAT8,
    &str = TEXT,
    String = TEXT,
    Vec<u8> = BYTEA,
    Date = DATE,
    Timestamp = TIMESTAMP,
    TimestampTz = TIMESTAMPTZ,
    Interval = INTERVAL,
    Uuid = UUID,
);

impl<'a> Caller<'a> {
    pub(crate) fn new(session: &'a mut Session, volatile: bool, owner: Oid) -> Self {
        Self { session, volatile, owner }
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        self.session
    }

    pub(super) fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// The world as the caller's next statement sees it.
    pub fn context(&self) -> Result<Arc<StatementContext>> {
        self.session.context()
    }

    pub(super) fn store(&self) -> &Arc<aegis_storage::Store> {
        &self.session.shared.store
    }

    /// With what the transaction has changed.
    pub fn catalog(&self) -> Result<Arc<Catalog>> {
        self.session.catalog()
    }

    /// Runs statements with these parameters; the rows of the last one.
    pub async fn query(&mut self, sql: &str, parameters: Row) -> Result<Vec<Row>> {
        self.session.run_sql(sql, &parameters.0, self.volatile).await
    }

    /// The first row of statements that give one; XX000 if they give none.
    pub async fn query_one(&mut self, sql: &str, parameters: Row) -> Result<Row> {
        let rows = self.query(sql, parameters).await?;
        rows.into_iter().next().ok_or_else(|| Error::internal("a statement of an extension gave no row"))
    }

    /// As [`Self::query`], as the owner of the function: for tables that the caller has no rights on.
    /// Names without a schema are those of `pg_catalog`: the caller's path must not decide what is run with another's rights.
    pub async fn query_as_owner(&mut self, sql: &str, parameters: Row) -> Result<Vec<Row>> {
        let owner = self.catalog()?.role(self.owner).map(|owner| owner.name.clone());
        let owner = owner.ok_or_else(|| Error::internal("a function without an owner"))?;
        let mark = {
            let mut settings = self.session.backend.settings.lock();
            let mark = settings.mark();
            settings.set("role", Some(&[owner]), true, true)?;
            settings.set("search_path", Some(&["pg_catalog".to_owned(), "pg_temp".to_owned()]), true, true)?;
            mark
        };
        self.session.refresh_identity()?;
        let result = self.session.run_sql(sql, &parameters.0, self.volatile).await;
        self.session.backend.settings.lock().rollback_to(mark);
        self.session.refresh_identity()?;
        result
    }

    /// 42501 unless the caller's role owns the relation.
    pub fn require_owner(&self, relation: &Relation) -> Result<()> {
        crate::privilege::require_owner(relation, &*self.context()?)
    }

    /// Makes a table one of windows, or changes how they are.
    pub fn set_windows(&mut self, table: Oid, windows: Windows) -> Result<()> {
        self.session.set_windows(table, windows)
    }

    /// Windows of all rows of a table are made with the commit.
    pub fn note_windows(&mut self, table: Oid) -> Result<()> {
        self.session.note_windows(table)
    }

    /// Deletes rows without telling those that watch the table.
    pub async fn delete_unseen(&mut self, sql: &str) -> Result<()> {
        let touched = |session: &Session| session.transaction.as_ref().map(|open| open.tables.touched.clone());
        let before = touched(self.session);
        self.query(sql, Row(Vec::new())).await?;
        if let (Some(open), Some(before)) = (&mut self.session.transaction, before) {
            open.tables.touched = before;
        }
        Ok(())
    }

    /// Waits for all who change a table, and keeps others from it until the transaction ends.
    pub async fn lock_exclusively(&mut self, table: Oid) -> Result<()> {
        let context = self.context()?;
        let lock = std::iter::once((table, TableMode::ShareRowExclusive));
        self.session.lock_relations(lock, false, &context).await.map(drop)
    }

    /// 25001 in a transaction block.
    pub fn require_no_block(&self, command: &str) -> Result<()> {
        self.session.require_no_block(command)
    }

    /// What a query with GROUP BY is made of; the text of what else there is in it.
    pub fn grouped(&self, sql: &str) -> Result<std::result::Result<GroupedQuery, &'static str>> {
        GroupedQuery::of(sql, &*self.context()?)
    }

    /// Gives a view a storage parameter.
    pub fn set_view_option(&mut self, view: Oid, name: &str, value: &str) -> Result<()> {
        let catalog = self.catalog()?;
        let found = catalog.relation(view).ok_or_else(|| Error::internal("a view that is not there"))?;
        let mut changed = Relation::clone(found);
        let RelationKind::View(kind) = &mut changed.kind else { return Err(Error::internal("a view that is none")) };
        kind.options.retain(|(option, _)| option != name);
        kind.options.push((name.to_owned(), value.to_owned()));
        let open = self.session.writable("ALTER VIEW")?;
        open.catalog.replace_relation(open.tables.permanent(), changed).map(drop)
    }

    /// `dependent` goes with `on`.
    pub fn depend(&mut self, dependent: Oid, on: Oid) -> Result<()> {
        let address = |oid| ObjectAddress::new(PG_CLASS, oid);
        let edge = Dependency { dependent: address(dependent), referenced: address(on), kind: DependencyKind::Auto };
        let open = self.session.writable("ALTER TABLE")?;
        open.catalog.add_dependency(open.tables.permanent(), edge)
    }

    /// Windows are no more, by their views; the rows stay.
    pub fn drop_windows(&mut self, views: impl Iterator<Item = Oid>) -> Result<()> {
        self.session.drop_windows(views)
    }

    /// What a language keeps in this session.
    pub fn state<T: Default + Send + Sync + 'static>(&mut self, name: &'static str) -> &mut T {
        let kept = self.session.language_state.entry(name).or_insert_with(|| Box::new(T::default()));
        if !kept.is::<T>() {
            *kept = Box::new(T::default());
        }
        match kept.downcast_mut() {
            Some(state) => state,
            None => unreachable!("it was just made"),
        }
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> String {
        self.session.backend.settings.lock().get(name).unwrap_or_default()
    }

    /// Ends with 57014 if the statement was cancelled, and lets others run on this thread.
    pub async fn breathe(&mut self) -> Result<()> {
        if self.session.backend.running_token().is_cancelled() {
            return Err(Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request"));
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// A message of that severity.
    pub fn message(&self, severity: &'static str, fields: Error) {
        self.session.backend.notice(severity, fields);
    }

    /// A NOTICE with a text, and perhaps a code, a detail and a hint.
    pub fn notice(&self, fields: Error) {
        self.session.backend.notice("NOTICE", fields);
    }

    pub fn warning(&self, fields: Error) {
        self.session.backend.notice("WARNING", fields);
    }
}

impl Session {
    /// Runs statements within the present one: those of code, not of a client. The rows of the last one.
    pub(crate) async fn run_sql(&mut self, sql: &str, parameters: &[Value], volatile: bool) -> Result<Vec<Row>> {
        let types: Vec<Oid> = parameters.iter().map(|value| value.ty.oid).collect();
        let values = parameters.iter().map(Value::to_scalar).collect::<Result<Vec<_>>>()?;
        let mut rows = Vec::new();
        for parsed in crate::parse::parse(sql).map_err(Error::without_position)? {
            self.see_own_changes(volatile)?;
            let context = self.context()?;
            let ran = self.run_one(&parsed.statement, sql, &types, &values, &context);
            rows = Box::pin(ran).await.map_err(Error::without_position)?;
        }
        Ok(rows)
    }

    async fn run_one(
        &mut self,
        statement: &Statement,
        sql: &str,
        types: &[Oid],
        values: &[ScalarValue],
        context: &Arc<StatementContext>,
    ) -> Result<Vec<Row>> {
        let (columns, outcome) = match statement {
            Statement::Utility(utility) => {
                statement::routine::refuse_in_body(utility)?;
                (statement::output_columns(utility), statement::run(self, utility, sql, context).await?)
            }
            planned => {
                let bound = crate::bind::bind(planned, sql, types, context)?;
                let columns = bound.columns.clone();
                let plan = Plan::new(bound, context)?;
                (columns, self.run_plan(&plan, values.to_vec(), context).await?)
            }
        };
        if let Outcome::CopyIn { .. } | Outcome::CopyOut { .. } = outcome {
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "cannot COPY to/from client in a function"));
        }
        let types: Vec<Type> = columns.into_iter().flatten().map(|column| column.ty).collect();
        let rows = drain(outcome).await?;
        rows.into_iter()
            .map(|row| {
                let typed: Vec<_> = row.into_iter().zip(types.iter().copied()).collect();
                Row::of_scalars(&typed)
            })
            .collect()
    }
}
