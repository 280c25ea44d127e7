//! INSERT, UPDATE and DELETE: the query that computes what changes. Nothing here changes anything.

use std::sync::Arc;

use aegis_catalog::object::Relation as CatalogRelation;
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};
use datafusion::scalar::ScalarValue;

use super::build::{one_row, project};
use super::relation::{Binding, Relation};
use super::value::Value;
use super::{LowerContext, Lowerer};
use crate::bind::tree::{
    self, ConflictUpdate, Cte, Delete, Insert, RelId, Returning, RowCheck, RowRules, SYSTEM_COLUMNS, Update,
};

/// The plan of the rows of a change.
#[derive(Debug, Clone)]
pub struct LoweredChange {
    pub plan: LogicalPlan,
    pub columns: ChangeColumns,
}

/// What the rows of a change consist of: the row's address (UPDATE and DELETE) and the table that it is in, the new row (INSERT and UPDATE:
/// live columns in order of `attnum`, in stored representation) and the partition for it, one boolean per check, the RETURNING targets.
#[derive(Debug, Clone)]
pub struct ChangeColumns {
    pub address: bool,
    /// The OID of the table that the row is in, if that is not told by the statement.
    pub source: bool,
    /// The OID of the partition for the new row, null if there is none.
    pub target: bool,
    /// Number of columns of the new row.
    pub row: usize,
    /// Whose the checks are.
    pub checks: Vec<RowCheck>,
    /// Number of RETURNING targets.
    pub returning: usize,
}

impl ChangeColumns {
    fn before_returning(&self) -> usize {
        [self.address, self.source, self.target].map(usize::from).iter().sum::<usize>() + self.row + self.checks.len()
    }
}

/// The row that a change is about.
pub(super) struct Affected {
    pub address: Binding,
    /// The table that it is in, where there are several.
    pub source: Option<Binding>,
}

impl LoweredChange {
    /// With RETURNING in computed representation.
    pub fn computed_returning(mut self) -> Result<Self> {
        let first = self.columns.before_returning();
        let columns: Vec<(datafusion::common::Column, DataType)> = self
            .plan
            .schema()
            .iter()
            .map(|(qualifier, field)| {
                let column = datafusion::common::Column::new(qualifier.cloned(), field.name());
                (column, field.data_type().clone())
            })
            .collect();
        let exprs = columns
            .into_iter()
            .enumerate()
            .map(|(position, (column, data_type))| {
                let ty = aegis_catalog::types::oid::NUMERIC;
                let value = Value::new(Expr::Column(column.clone()), Type::of(ty), data_type);
                let value = if position < first { value } else { value.into_computed()? };
                let binding = Binding { column, data_type: value.data_type };
                Ok((value.expr, binding))
            })
            .collect::<Result<Vec<_>>>()?;
        self.plan = project(self.plan, exprs.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())?;
        Ok(self)
    }
}

pub fn lower_insert(insert: &Insert, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredChange> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    lowerer.define_ctes(&insert.ctes)?;
    let mut input = lowerer.query(&insert.source, None)?.into_relation(insert.source_rel);
    let row = lowerer.new_row(&insert.table, &insert.values, None, &mut input)?;
    let place = RowPlace { affected: None, changed: None, locked: false };
    lowerer.change(&insert.table, insert.rel, row, &insert.row_rules, insert.returning.as_ref(), place, input)
}

/// DO UPDATE: over a source with the columns of the existing rows, then of the rows proposed for insertion (each: live columns, stored
/// representation). Rows whose WHERE does not hold are left out. The first column of the source is the address.
pub fn lower_conflict_update(
    insert: &Insert,
    update: &ConflictUpdate,
    source: Arc<dyn TableSource>,
    parameters: &[ScalarValue],
    context: &LowerContext<'_>,
) -> Result<LoweredChange> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    lowerer.define_ctes(&insert.ctes)?;
    let (plan, columns) = lowerer.scan("conflict", source)?;
    let (address, columns) = columns.split_first().ok_or_else(|| Error::internal("no address"))?;
    let width = insert.table.live_columns().count();
    let (existing, excluded) = columns.split_at(width.min(columns.len()));
    let mut input = Relation::new(plan);
    input.rels.insert(update.existing, by_position(&insert.table, existing));
    input.rels.insert(update.excluded, by_position(&insert.table, excluded));
    if let Some(filter) = &update.filter {
        lowerer.filter_by(filter, &mut input)?;
    }
    let row = lowerer.new_row(&insert.table, &update.set, Some(update.existing), &mut input)?;
    let affected = Some(Affected { address: address.clone(), source: None });
    let place = RowPlace { affected, changed: None, locked: true };
    lowerer.change(&insert.table, insert.rel, row, &insert.row_rules, insert.returning.as_ref(), place, input)
}

pub fn lower_update(update: &Update, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredChange> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    lowerer.define_ctes(&update.ctes)?;
    let (mut input, affected) =
        lowerer.affected((&update.table, update.only), update.rel, update.from.as_ref(), update.filter.as_ref())?;
    let row = lowerer.new_row(&update.table, &update.set, Some(update.rel), &mut input)?;
    let returning = update.returning.as_ref();
    let place = RowPlace { affected: Some(affected), changed: Some(&update.set), locked: false };
    lowerer.change(&update.table, update.new_rel, row, &update.row_rules, returning, place, input)
}

pub fn lower_delete(delete: &Delete, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredChange> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    lowerer.define_ctes(&delete.ctes)?;
    let (mut input, Affected { address, source }) =
        lowerer.affected((&delete.table, delete.only), delete.rel, delete.using.as_ref(), delete.filter.as_ref())?;
    let targets = delete.returning.as_ref().map(|returning| returning.targets.as_slice()).unwrap_or_default();
    let values = lowerer.exprs(targets, &mut input)?;
    let outputs: Vec<Binding> =
        values.iter().map(|value| lowerer.binding("returning", value.data_type.clone())).collect();
    let exprs = std::iter::once(&address)
        .chain(&source)
        .map(|binding| (binding.expr(), binding))
        .chain(values.into_iter().map(|value| value.expr).zip(&outputs))
        .collect();
    let plan = project(input.plan, exprs)?;
    let (source, returning) = (source.is_some(), outputs.len());
    let columns = ChangeColumns { address: true, source, target: false, row: 0, checks: Vec::new(), returning };
    Ok(LoweredChange { plan, columns })
}

impl Lowerer<'_> {
    pub fn define_ctes(&mut self, ctes: &[Cte]) -> Result<()> {
        ctes.iter().try_for_each(|cte| self.define_cte(cte))
    }

    /// The rows of the table that a WHERE chooses, joined with FROM or USING, and the column of their addresses.
    fn affected(
        &mut self,
        (table, only): (&Arc<CatalogRelation>, bool),
        rel: RelId,
        from: Option<&tree::From>,
        filter: Option<&tree::Expr>,
    ) -> Result<(Relation, Affected)> {
        if let Some(filter) = filter {
            self.demand(filter)?;
        }
        let scanned = self.table(rel, table, only, false)?;
        let address = address_of(table, rel, &scanned)?;
        let spread = !only && super::inherit::is_spread(table, self.catalog());
        let source = spread.then(|| scanned.get(rel, table.columns.len()).cloned()).transpose()?;
        let mut input = match from {
            Some(from) => self.from(from, Some(&scanned))?,
            None => scanned,
        };
        if let Some(filter) = filter {
            self.filter_by(filter, &mut input)?;
        }
        let kept = self.kept(address, source, &mut input)?;
        Ok((input, kept))
    }

    /// Address and source under names of their own, since later columns may come from the same table.
    pub(super) fn kept(&mut self, address: Binding, source: Option<Binding>, input: &mut Relation) -> Result<Affected> {
        let kept = Affected {
            address: self.binding("address", DataType::UInt64),
            source: source.as_ref().map(|_| self.binding("source", DataType::UInt32)),
        };
        let sources = source.iter().zip(&kept.source).map(|(from, to)| (from.expr(), to));
        input.extend(std::iter::once((address.expr(), &kept.address)).chain(sources).collect())?;
        Ok(kept)
    }

    /// Values of the live columns in order of `attnum`, in stored representation. Columns without a value keep that of `old`.
    pub(super) fn new_row(
        &mut self,
        table: &CatalogRelation,
        values: &[(i16, tree::Expr)],
        old: Option<RelId>,
        input: &mut Relation,
    ) -> Result<Vec<Value>> {
        let mut row = Vec::new();
        for (position, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
            let given = values.iter().find(|(attnum, _)| *attnum == column.attnum);
            let value = match (given, old) {
                (Some((_, expr)), _) => self.expr(expr, input)?,
                (None, Some(old)) => {
                    let binding = input.get(old, position)?;
                    Value::new(binding.expr(), column.ty, binding.data_type.clone())
                }
                (None, None) => self.null(column.ty)?,
            };
            row.push(self.stored(value, column.ty)?);
        }
        Ok(row)
    }

    /// In the representation of a stored column.
    fn stored(&mut self, value: Value, ty: Type) -> Result<Value> {
        let target = self.catalog().stored_arrow_type(ty);
        value.into_representation(&target)
    }

    pub(super) fn change(
        &mut self,
        table: &Arc<CatalogRelation>,
        rel: RelId,
        row: Vec<Value>,
        rules: &RowRules,
        returning: Option<&Returning>,
        place: RowPlace<'_>,
        mut input: Relation,
    ) -> Result<LoweredChange> {
        let mut columns: Vec<Binding> = table
            .live_columns()
            .zip(&row)
            .map(|(column, value)| self.binding(&column.name, value.data_type.clone()))
            .collect();
        input.extend(row.into_iter().map(|value| value.expr).zip(&columns).collect())?;
        input.rels.insert(rel, by_position(table, &columns));
        for (attnum, expr) in &rules.generated {
            let Some(place) = table.live_columns().position(|column| column.attnum == *attnum) else { continue };
            let value = self.expr(expr, &mut input)?;
            let ty = table.column(*attnum).map_or(expr.ty, |column| column.ty);
            let value = self.stored(value, ty)?;
            let binding = self.binding("generated", value.data_type.clone());
            input.extend(vec![(value.expr, &binding)])?;
            if let Some(slot) = columns.get_mut(place) {
                *slot = binding;
            }
        }
        input.rels.insert(rel, by_position(table, &columns));
        let RowPlace { affected, changed, locked } = place;
        let (address, source) = affected.map_or((None, None), |affected| (Some(affected.address), affected.source));
        let target = self.target(table, rel, changed, &mut input)?;
        let holder = target.as_ref().or(source.as_ref());
        let mut visible = by_position(table, &columns);
        visible.extend(self.system_columns(table, holder, locked, &mut input)?);
        input.rels.insert(rel, visible);
        let mut outputs: Vec<(Expr, Binding)> = Vec::new();
        // Rows of partitions and children are checked as theirs.
        let checked = |whose: &RowCheck| holder.is_none() || matches!(whose, RowCheck::View(_));
        let checks: Vec<&(RowCheck, tree::Expr)> = rules.checks.iter().filter(|(whose, _)| checked(whose)).collect();
        for (_, check) in &checks {
            let value = self.expr(check, &mut input)?;
            let binding = self.binding("check", DataType::Boolean);
            outputs.push((value.expr, binding));
        }
        let targets = returning.map(|returning| returning.targets.as_slice()).unwrap_or_default();
        for target in targets {
            let value = self.expr(target, &mut input)?;
            let binding = self.binding("returning", value.data_type.clone());
            outputs.push((value.expr, binding));
        }
        let exprs = address
            .iter()
            .chain(&source)
            .chain(&columns)
            .chain(&target)
            .map(|binding| (binding.expr(), binding))
            .chain(outputs.iter().map(|(expr, binding)| (expr.clone(), binding)))
            .collect();
        let plan = if columns.is_empty() && outputs.is_empty() && address.is_none() {
            input.plan
        } else {
            project(input.plan, exprs)?
        };
        let columns = ChangeColumns {
            address: address.is_some(),
            source: source.is_some(),
            target: target.is_some(),
            row: columns.len(),
            checks: checks.iter().map(|(whose, _)| whose.clone()).collect(),
            returning: targets.len(),
        };
        Ok(LoweredChange { plan, columns })
    }

    /// The partition for the new row, as a column; None if it stays where it is.
    fn target(
        &mut self,
        table: &Arc<CatalogRelation>,
        rel: RelId,
        changed: Option<&[(i16, tree::Expr)]>,
        input: &mut Relation,
    ) -> Result<Option<Binding>> {
        let names = |changed: &[(i16, tree::Expr)]| -> Vec<String> {
            let columns = changed.iter().filter_map(|(attnum, _)| table.column(*attnum));
            columns.map(|column| column.name.clone()).collect()
        };
        if changed.is_some_and(|changed| !super::inherit::may_move(table, &names(changed), self.catalog())) {
            return Ok(None);
        }
        let Some(target) = self.partition_of(table, rel, input)? else { return Ok(None) };
        let binding = self.binding("target", DataType::UInt32);
        input.extend(vec![(target, &binding)])?;
        Ok(Some(binding))
    }

    /// System columns of a row that is being written.
    fn system_columns(
        &mut self,
        table: &CatalogRelation,
        holder: Option<&Binding>,
        locked: bool,
        input: &mut Relation,
    ) -> Result<Vec<Binding>> {
        let mut columns = Vec::new();
        for (name, type_oid) in SYSTEM_COLUMNS {
            let data_type = aegis_catalog::types::built_in(Type::of(type_oid));
            let value = match name {
                "tableoid" => ScalarValue::UInt32(Some(table.oid)),
                "xmax" if locked => ScalarValue::UInt32(Some(LOCKER)),
                _ => ScalarValue::new_zero(&data_type).map_err(crate::execute::error::from_datafusion)?,
            };
            let value = match holder.filter(|_| name == "tableoid") {
                Some(holder) => holder.expr(),
                None => super::build::literal(value),
            };
            let binding = self.binding(name, data_type);
            input.extend(vec![(value, &binding)])?;
            columns.push(binding);
        }
        Ok(columns)
    }
}

/// Where a new row comes from.
pub(super) struct RowPlace<'a> {
    /// The row that it replaces.
    pub affected: Option<Affected>,
    /// The columns that may differ; None for any.
    pub changed: Option<&'a [(i16, tree::Expr)]>,
    /// By INSERT … ON CONFLICT DO UPDATE, which locks the row that it replaces: `xmax` tells, and people ask it which rows were new.
    pub locked: bool,
}

/// A transaction's number where only zero means something.
const LOCKER: u32 = 2;

/// The column of a table's addresses.
pub(super) fn address_of(table: &CatalogRelation, rel: RelId, scanned: &Relation) -> Result<Binding> {
    scanned.get(rel, table.columns.len() + SYSTEM_COLUMNS.len()).cloned()
}

/// Bindings of live columns at the positions of all columns.
fn by_position(table: &CatalogRelation, live: &[Binding]) -> Vec<Binding> {
    let mut live = live.iter();
    table
        .columns
        .iter()
        .map(|column| match column.dropped {
            true => Binding::named("dropped", DataType::Null),
            false => live.next().cloned().unwrap_or_else(|| Binding::named("missing", DataType::Null)),
        })
        .collect()
}

/// The values of expressions over nothing (EXECUTE's arguments, SET's values).
pub fn lower_constants(
    exprs: &[tree::Expr],
    parameters: &[ScalarValue],
    context: &LowerContext<'_>,
) -> Result<LogicalPlan> {
    let mut lowerer = Lowerer::new(context, parameters);
    let mut input = Relation::new(one_row());
    let values = lowerer.exprs(&inlined(exprs, context)?, &mut input)?;
    let columns: Vec<Binding> = values.iter().map(|value| lowerer.binding("value", value.data_type.clone())).collect();
    project(input.plan, values.into_iter().map(|value| value.expr).zip(&columns).collect())
}

/// The expressions with the bodies of functions in SQL in the place of their calls.
fn inlined<'e>(exprs: &'e [tree::Expr], context: &LowerContext<'_>) -> Result<std::borrow::Cow<'e, [tree::Expr]>> {
    if context.statement.catalog.routines().next().is_none() {
        return Ok(exprs.into());
    }
    let mut exprs = exprs.to_vec();
    for expr in &mut exprs {
        crate::bind::inline::expression(expr, &context.statement)?;
    }
    Ok(exprs.into())
}

/// Which representation of its type a value is wanted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Computed,
    Stored,
}

/// The values of expressions over the rows of a source (live columns of `table` in stored representation).
pub fn lower_over_row(
    table: &CatalogRelation,
    rel: RelId,
    exprs: &[tree::Expr],
    form: Form,
    source: Arc<dyn TableSource>,
    context: &LowerContext<'_>,
) -> Result<LogicalPlan> {
    let exprs = &*inlined(exprs, context)?;
    let mut lowerer = Lowerer::new(context, &[]);
    let (plan, columns) = lowerer.scan("row", source)?;
    let mut input = Relation::new(plan);
    input.rels.insert(rel, by_position(table, &columns));
    let values = lowerer.exprs(exprs, &mut input)?;
    let values = values.into_iter().zip(exprs).map(|(value, expr)| match form {
        Form::Computed => value.into_computed(),
        Form::Stored => lowerer.stored(value, expr.ty),
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let columns: Vec<Binding> = values.iter().map(|value| lowerer.binding("value", value.data_type.clone())).collect();
    project(input.plan, values.into_iter().map(|value| value.expr).zip(&columns).collect())
}

/// The value of an expression over nothing, if it follows without running anything.
pub fn lower_constant(
    expr: &tree::Expr,
    parameters: &[ScalarValue],
    context: &LowerContext<'_>,
) -> Result<Option<ScalarValue>> {
    let exprs = inlined(std::slice::from_ref(expr), context)?;
    let expr = exprs.first().unwrap_or(expr);
    let mut lowerer = Lowerer::new(context, parameters);
    let value = lowerer.expr(expr, &mut Relation::new(one_row()))?.into_computed()?;
    Ok(value.constant().cloned())
}
