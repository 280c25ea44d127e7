//! Tables whose rows are in several: the scan of a partitioned table or of a parent is the union of those of its partitions or children,
//! with columns found by name.

use std::sync::Arc;

use aegis_catalog::object::Relation as CatalogRelation;
use aegis_catalog::types::built_in;
use aegis_catalog::{Error, Result, Type};
use aegis_storage::transaction::ADDRESS_COLUMN;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::project;
use super::relation::{Binding, Relation};
use super::value::{Value, apply};
use super::values::union_all;
use crate::bind;
use crate::bind::tree::{RelId, SYSTEM_COLUMNS};
use crate::execute::error::from_datafusion;
use crate::execute::operator::{ScalarOperator, arrays};
use crate::partition::prune::{self, Comparison, Said};
use crate::partition::router::Router;
use crate::partition::{MAX_LEVELS, partitions};

/// A column, how it is compared, and with what.
pub(crate) type Compared = ((RelId, usize), Comparison, ScalarValue);

/// Has the table rows in others, or none of its own?
pub fn is_spread(table: &CatalogRelation, catalog: &aegis_catalog::Catalog) -> bool {
    table.table().is_some() && (table.partitioning().is_some() || catalog.has_children(table.oid))
}

impl Lowerer<'_> {
    /// The rows of a table and of those that inherit from it; those of partitions, as far as conditions leave them.
    pub fn spread_table(&mut self, rel: RelId, relation: &Arc<CatalogRelation>) -> Result<Relation> {
        let holders = self.holders(rel, relation)?;
        self.union_of(rel, relation, &holders)
    }

    /// What ONLY leaves of a partitioned table.
    pub fn no_rows(&mut self, rel: RelId, relation: &Arc<CatalogRelation>) -> Result<Relation> {
        self.union_of(rel, relation, &[])
    }

    fn union_of(
        &mut self,
        rel: RelId,
        relation: &Arc<CatalogRelation>,
        holders: &[Arc<CatalogRelation>],
    ) -> Result<Relation> {
        let columns = self.spread_columns(relation);
        let mut inputs = Vec::with_capacity(holders.len());
        for holder in holders {
            inputs.push(Arc::new(self.holder_scan(rel, relation, holder, &columns)?));
        }
        let plan = match inputs.is_empty() {
            true => nothing(&columns)?,
            false => union_all(inputs)?,
        };
        let mut live = columns.iter();
        let mut bindings = Vec::with_capacity(columns.len());
        for column in &relation.columns {
            match column.dropped {
                true => bindings.push(Binding::named("dropped", DataType::Null)),
                false => bindings.extend(live.next().cloned()),
            }
        }
        bindings.extend(live.cloned());
        let mut table = Relation::new(plan);
        table.rels.insert(rel, bindings);
        Ok(table)
    }

    /// Live columns as stored, system columns, address: as [`super::Tables::source`] has them.
    fn spread_columns(&mut self, relation: &CatalogRelation) -> Vec<Binding> {
        let catalog = self.catalog().clone();
        let live = relation.live_columns().map(|column| (column.name.clone(), catalog.stored_arrow_type(column.ty)));
        let system = SYSTEM_COLUMNS.iter().map(|(name, ty)| ((*name).to_owned(), built_in(Type::of(*ty))));
        let address = std::iter::once((ADDRESS_COLUMN.to_owned(), DataType::UInt64));
        live.chain(system).chain(address).map(|(name, data_type)| self.binding(&name, data_type)).collect()
    }

    /// The scan of one of the tables, under the names of the parent's columns.
    fn holder_scan(
        &mut self,
        rel: RelId,
        parent: &CatalogRelation,
        holder: &Arc<CatalogRelation>,
        columns: &[Binding],
    ) -> Result<LogicalPlan> {
        let source = match self.keyed_holder(rel, parent, holder)? {
            Some(source) => source,
            None => self.context.tables.source(holder)?,
        };
        let (plan, scanned) = self.scan(&holder.name, source)?;
        let own: Vec<_> = holder.live_columns().collect();
        let mut exprs = Vec::with_capacity(columns.len());
        let wanted = parent.live_columns().map(Some).chain(std::iter::repeat(None));
        let behind = scanned.get(own.len()..).unwrap_or_default();
        let mut system = behind.iter();
        for (column, to) in wanted.zip(columns) {
            let (from, ty) = match column {
                Some(column) => {
                    let place = own.iter().position(|own| own.name == column.name);
                    (place.and_then(|place| scanned.get(place)), column.ty)
                }
                None => (system.next(), Type::of(aegis_catalog::types::oid::INT8)),
            };
            let from = from
                .ok_or_else(|| Error::internal(format!("\"{}\" lacks a column of \"{}\"", holder.name, parent.name)))?;
            let value = Value::new(from.expr(), ty, from.data_type.clone()).into_representation(&to.data_type)?;
            exprs.push((value.expr, to));
        }
        project(plan, exprs)
    }

    /// The row that WHERE names by a unique key of a partition.
    fn keyed_holder(
        &self,
        rel: RelId,
        parent: &CatalogRelation,
        holder: &Arc<CatalogRelation>,
    ) -> Result<Option<Arc<dyn datafusion::logical_expr::TableSource>>> {
        let own =
            |position: usize| holder.column_by_name(&parent.columns.get(position)?.name).map(|column| column.attnum);
        let demanded = self.demanded.iter().filter(|((of, _), _)| *of == rel);
        let values: Vec<_> =
            demanded.filter_map(|((_, position), value)| Some((own(*position)?, value.clone()))).collect();
        if values.is_empty() {
            return Ok(None);
        }
        self.context.tables.keyed(holder, &values)
    }

    /// The tables that may hold rows that are wanted.
    fn holders(&self, rel: RelId, relation: &Arc<CatalogRelation>) -> Result<Vec<Arc<CatalogRelation>>> {
        let (catalog, format) = (self.catalog().clone(), self.statement().format.clone());
        if relation.partitioning().is_none() {
            return crate::partition::holders(relation, &catalog, &format);
        }
        let mut leaves = Vec::new();
        let mut waiting = vec![(relation.clone(), 0)];
        while let Some((table, depth)) = waiting.pop() {
            let Some(partitioning) = table.partitioning().filter(|_| depth <= MAX_LEVELS) else {
                leaves.push(table);
                continue;
            };
            let (children, bounds) = partitions(&table, &catalog, &format)?;
            let types: Vec<Type> = partitioning.keys.iter().map(|key| key.ty).collect();
            let said = self.said_of_key(rel, relation, &table);
            let kept = prune::partitions(partitioning.strategy, &types, &bounds, &said)?;
            let is_kept = |place: &usize| kept.as_ref().is_none_or(|kept| kept.contains(place));
            let ordered = bounds.order().into_iter().filter(is_kept).rev();
            waiting.extend(ordered.filter_map(|place| Some((children.get(place)?.clone(), depth + 1))));
        }
        Ok(leaves)
    }

    /// What WHERE says of the columns of the key of `table`, which is `root` or below it.
    fn said_of_key(&self, rel: RelId, root: &CatalogRelation, table: &CatalogRelation) -> Vec<Said> {
        let keys = table.partitioning().map(|partitioning| partitioning.keys.as_slice()).unwrap_or_default();
        let equal = self.demanded.iter().map(|(column, value)| (*column, Comparison::Equal, value));
        let compared = self.compared.iter().map(|(column, comparison, value)| (*column, *comparison, value));
        let said = equal.chain(compared).filter(|((of, _), ..)| *of == rel);
        let mut found = Vec::new();
        for ((_, position), comparison, value) in said {
            let Some(name) = root.columns.get(position).map(|column| &column.name) else { continue };
            let own = table.column_by_name(name).map(|column| column.attnum);
            let of_key = keys.iter().enumerate().filter(|(_, key)| Some(key.attnum) == own);
            found.extend(of_key.filter_map(|(key, definition)| {
                Some(Said { key, comparison, value: self.as_key(value, definition.ty)? })
            }));
        }
        found
    }

    /// The value as one of the key's type, if it is the same there.
    fn as_key(&self, value: &ScalarValue, ty: Type) -> Option<ArrayRef> {
        let target = self.representation(ty);
        if value.is_null() {
            return None;
        }
        let from = value.data_type();
        let same = from == target;
        let integers = from.is_integer() && target.is_integer();
        if !same && !integers {
            return None;
        }
        let cast = if same { value.clone() } else { value.cast_to(&target).ok().filter(|cast| !cast.is_null())? };
        cast.to_array().ok()
    }

    /// The partition that a new row belongs to, by its root's key: null if there is none. None if the table is no part of a partitioned one.
    pub fn partition_of(
        &mut self,
        table: &Arc<CatalogRelation>,
        rel: RelId,
        input: &mut Relation,
    ) -> Result<Option<Expr>> {
        let Some(root) = routed_from(table, self.catalog()) else { return Ok(None) };
        let context = self.statement().clone();
        let router = Arc::new(Router::new(&root, &context)?);
        let mut args = Vec::new();
        for (level, key) in router.keys() {
            let mut expr = bind::partition_key(table, rel, level, key, &context)?;
            if key.expression.is_some() {
                bind::inline::expression(&mut expr, &context)?;
            }
            args.push(self.expr(&expr, input)?.into_computed()?.expr);
        }
        // A router is of one image of the catalog, as the plan is.
        let identity = format!("{}:{}", root.oid, context.catalog.version());
        let operator = ScalarOperator::new("partition_of", identity, DataType::UInt32, move |args, rows| {
            let keys = arrays(args, rows)?;
            Ok(datafusion::logical_expr::ColumnarValue::Array(Arc::new(router.route(&keys, rows)?)))
        });
        apply(operator, args).map(Some)
    }
}

/// The partitioned table whose bounds decide where a table's rows belong: the topmost above a partition, or itself.
pub fn routed_from(table: &Arc<CatalogRelation>, catalog: &aegis_catalog::Catalog) -> Option<Arc<CatalogRelation>> {
    match catalog.partition_ancestors(table).pop() {
        Some(root) => Some(root),
        None => table.partitioning().map(|_| table.clone()),
    }
}

/// Can a row of `table` whose columns of these names change belong to another partition?
pub fn may_move(table: &Arc<CatalogRelation>, changed: &[String], catalog: &aegis_catalog::Catalog) -> bool {
    let Some(root) = routed_from(table, catalog) else { return false };
    let tables = catalog.inheritors(&root);
    let mut keys = tables.iter().flat_map(|table| {
        let keys = table.partitioning().into_iter().flat_map(|partitioning| &partitioning.keys);
        keys.map(move |key| table.column(key.attnum).map(|column| &column.name))
    });
    keys.any(|name| name.is_none_or(|name| changed.contains(name)))
}

/// No rows of these columns.
fn nothing(columns: &[Binding]) -> Result<LogicalPlan> {
    let fields = columns.iter().map(|binding| {
        let field = Field::new(&binding.column.name, binding.data_type.clone(), true);
        (binding.column.relation.clone(), Arc::new(field))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), Default::default()).map_err(from_datafusion)?;
    Ok(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(schema) }))
}
