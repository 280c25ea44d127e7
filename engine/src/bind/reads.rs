//! What a query reads: the columns of relations, or a relation as a whole where it names none of its columns. A view is one relation
//! here, whatever it reads itself. This is what `pg_depend` records of a view's query.

use std::collections::{BTreeSet, HashMap};

use aegis_catalog::extension_facts::is_made;
use aegis_catalog::fixed_oid::{FIRST_NORMAL, PG_COLLATION, PG_PROC, PG_TYPE};
use aegis_catalog::object::{ObjectAddress, RelationKind};
use aegis_catalog::{Catalog, Oid, Type};

use super::tree::{Cte, CteBody, Expr, ExprKind, From, Query, RelId, SetExpr, Statement};
use super::walk;

/// What a statement rests on: relations and columns that it reads, functions and types that users made.
pub fn read_by(statement: &Statement, catalog: &Catalog) -> BTreeSet<ObjectAddress> {
    let Statement::Query(query) = statement else { return BTreeSet::new() };
    let mut reads = Reads::new(catalog);
    // The walk over expressions wants to change them.
    let mut query = query.clone();
    reads.sources(&mut query);
    walk::query(&mut query, &mut |expr| reads.expr(expr));
    reads.finish()
}

/// The functions and types made by users that an expression rests on.
pub fn objects_of(expr: &Expr, catalog: &Catalog) -> Vec<ObjectAddress> {
    let mut reads = Reads::new(catalog);
    reads.expr(&mut expr.clone());
    let routines = reads.routines.into_iter().map(|oid| ObjectAddress::new(PG_PROC, oid));
    routines.chain(reads.types).collect()
}

/// The relations that an expression names as constants, such as the sequence of `nextval('s')`.
pub fn named_by(expr: &Expr, catalog: &Catalog) -> Vec<Oid> {
    let mut reads = Reads::new(catalog);
    reads.expr(&mut expr.clone());
    reads.regclass
}

struct Reads<'a> {
    catalog: &'a Catalog,
    /// Numbers of the columns of each relation of FROM, by position.
    relations: HashMap<RelId, (Oid, Vec<i16>)>,
    columns: Vec<(RelId, usize)>,
    regclass: Vec<Oid>,
    /// Functions that users made.
    routines: Vec<Oid>,
    /// Types and collations that users made, and attributes of composite types.
    types: Vec<ObjectAddress>,
}

impl<'a> Reads<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            relations: HashMap::new(),
            columns: Vec::new(),
            regclass: Vec::new(),
            routines: Vec::new(),
            types: Vec::new(),
        }
    }

    /// A type that a constant, cast or row is of.
    fn type_of(&mut self, expr: &Expr) {
        let is_table_row = matches!(expr.kind, ExprKind::Row(_) | ExprKind::NamedRow { .. })
            && self
                .catalog
                .relation_of_type(expr.ty.oid)
                .is_some_and(|relation| relation.kind != RelationKind::Composite);
        if is_made(expr.ty.oid) && !is_table_row {
            self.types.push(ObjectAddress::new(PG_TYPE, expr.ty.oid));
        }
    }

    /// The attribute of a composite type that a field is.
    fn attribute(&mut self, row: Type, index: usize) {
        let relation = self.catalog.relation_of_type(self.catalog.base_type(row).oid);
        if let Some((relation, column)) = relation.and_then(|found| Some((found, found.live_columns().nth(index)?))) {
            self.types.push(ObjectAddress::column(relation.oid, column.attnum));
        }
    }

    /// Notes the relations of FROM, at every depth but those of sub-queries in expressions.
    fn sources(&mut self, query: &mut Query) {
        query.ctes.iter_mut().for_each(|cte| self.cte(cte));
        match &mut query.body {
            SetExpr::Select(select) => {
                if let Some(from) = &mut select.from {
                    self.from(from);
                }
            }
            SetExpr::Values(_) => {}
            SetExpr::Operation { legs, .. } => legs.iter_mut().for_each(|leg| self.sources(leg)),
        }
    }

    fn cte(&mut self, cte: &mut Cte) {
        match &mut cte.body {
            CteBody::Query(query) => self.sources(query),
            CteBody::Recursive { seed, step, .. } => {
                self.sources(seed);
                self.sources(step);
            }
            CteBody::Change(_) | CteBody::Given => {}
        }
    }

    fn from(&mut self, from: &mut From) {
        match from {
            From::Table { rel, relation, .. } => {
                let columns = relation.columns.iter().map(|column| column.attnum).collect();
                self.relations.insert(*rel, (relation.oid, columns));
            }
            From::Subquery { rel, query, view: Some(view), .. } => {
                let columns = (1..).take(query.columns.len()).collect();
                self.relations.insert(*rel, (*view, columns));
                // What the view reads is not read by who reads the view.
                let Query { columns, .. } = &**query;
                **query = Query::bare(SetExpr::Values(Vec::new()), columns.clone());
            }
            From::Subquery { query, .. } => self.sources(query),
            From::Join { left, right, .. } => {
                self.from(left);
                self.from(right);
            }
            From::Function { calls, .. } => {
                let made = calls.iter().map(|call| call.function.oid);
                self.routines.extend(made.filter(|&oid| oid >= aegis_catalog::fixed_oid::FIRST_NORMAL));
            }
            From::Cte { .. } => {}
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        match &expr.kind {
            ExprKind::Constant(_) | ExprKind::Cast { .. } | ExprKind::Row(_) | ExprKind::NamedRow { .. } => {
                self.type_of(expr);
            }
            ExprKind::Field { arg, index } => self.attribute(arg.ty, *index),
            ExprKind::Collate { collation, .. } if *collation >= FIRST_NORMAL => {
                self.types.push(ObjectAddress::new(PG_COLLATION, *collation));
            }
            _ => {}
        }
        match &mut expr.kind {
            ExprKind::Column { rel, column } => self.columns.push((*rel, *column)),
            ExprKind::Constant(datafusion::scalar::ScalarValue::UInt32(Some(oid)))
                if expr.ty.oid == aegis_catalog::types::oid::REGCLASS =>
            {
                self.regclass.push(*oid);
            }
            ExprKind::Call { function, .. } if function.oid >= aegis_catalog::fixed_oid::FIRST_NORMAL => {
                self.routines.push(function.oid);
            }
            ExprKind::Subquery(subquery) => self.sources(&mut subquery.query),
            _ => {}
        }
        walk::children(expr, &mut |child| self.expr(child));
    }

    fn finish(self) -> BTreeSet<ObjectAddress> {
        let mut found = BTreeSet::new();
        for (rel, position) in self.columns {
            let Some((oid, columns)) = self.relations.get(&rel) else { continue };
            let attnum = columns.get(position).copied().unwrap_or(0);
            found.insert(ObjectAddress::column(*oid, attnum));
        }
        let class = aegis_catalog::fixed_oid::PG_CLASS;
        let whole = self.relations.values().map(|(oid, _)| *oid).chain(self.regclass);
        for oid in whole {
            if !found.iter().any(|address| address.object == oid) {
                found.insert(ObjectAddress::new(class, oid));
            }
        }
        found.extend(self.routines.into_iter().map(|oid| ObjectAddress::new(PG_PROC, oid)));
        found.extend(self.types);
        found
    }
}
