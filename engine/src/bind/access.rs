//! What a statement reads and changes, by relation and column, and in whose name: what its privileges are checked against (PostgreSQL's
//! ExecCheckRTPerms). The relations of a view are read in the name of the view's owner.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aegis_catalog::acl::{self, Rights};
use aegis_catalog::fixed_oid::{FIRST_NORMAL, PG_PROC};
use aegis_catalog::object::{ObjectAddress, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::tree::{
    Cte, CteBody, Expr, ExprKind, From, Merge, MergeAction, MergeKind, Query, RelId, SetExpr, Statement, Through,
};
use super::updatable::role_under;
use super::walk;
use crate::privilege::Owned;
use crate::session::context::StatementContext;

/// `pg_authid`, `pg_statistic`, `pg_user_mapping`, `pg_statistic_ext_data`: for superusers alone.
const SECRET: [Oid; 4] = [1260, 2619, 1418, 3429];

/// `pg_subscription`, of which `subconninfo` is for superusers alone; who dumps a database of their own asks it for the rest.
const PG_SUBSCRIPTION: Oid = 6100;
const SUBCONNINFO: i16 = 11;

fn is_secret(relation: Oid, wanted: &Wanted) -> bool {
    let asks = |attnum| wanted.columns.values().flatten().any(|wanted| *wanted == attnum);
    SECRET.contains(&relation) || relation == PG_SUBSCRIPTION && (asks(SUBCONNINFO) || asks(0))
}

/// 42501 unless the user may do all that a statement does.
pub fn check(statement: &Statement, routines: &[Oid], context: &StatementContext) -> Result<()> {
    let mut access = Access::new(context);
    access.statement(&mut statement.clone(), context.user_oid);
    access.check()?;
    let routines = routines.iter().map(|oid| ObjectAddress::new(PG_PROC, *oid));
    check_routines(routines, context)
}

fn check_routines(routines: impl Iterator<Item = ObjectAddress>, context: &StatementContext) -> Result<()> {
    for address in routines {
        if let Some(function) = Owned::of(address, &context.catalog) {
            function.require(acl::rights("X"), context)?;
        }
    }
    Ok(())
}

/// 42501 unless the user may insert into these columns of a table (COPY).
pub fn check_insert(relation: &Relation, columns: &[i16], context: &StatementContext) -> Result<()> {
    let mut access = Access::new(context);
    for &attnum in columns {
        access.want((relation.oid, context.user_oid), acl::rights("a"), Some(attnum));
    }
    access.check()
}

/// 42501 unless the user may read these columns and call the functions among these objects (WHERE of COPY FROM).
pub fn check_copy_filter(
    relation: &Relation,
    columns: &[i16],
    objects: &[ObjectAddress],
    context: &StatementContext,
) -> Result<()> {
    let mut access = Access::new(context);
    for &attnum in columns {
        access.want((relation.oid, context.user_oid), acl::rights("r"), Some(attnum));
    }
    access.check()?;
    check_routines(objects.iter().filter(|object| object.class == PG_PROC).copied(), context)
}

/// A relation with the role in whose name it is used.
type Use = (Oid, Oid);

#[derive(Default)]
struct Wanted {
    rights: Rights,
    /// Column numbers, by right.
    columns: BTreeMap<Rights, Vec<i16>>,
}

struct Access<'a> {
    context: &'a StatementContext,
    /// In order of appearance, as PostgreSQL's range table.
    uses: Vec<(Use, Wanted)>,
    rels: HashMap<RelId, (Use, Vec<i16>)>,
}

impl<'a> Access<'a> {
    fn new(context: &'a StatementContext) -> Self {
        Self { context, uses: Vec::new(), rels: HashMap::new() }
    }

    fn want(&mut self, of: Use, right: Rights, column: Option<i16>) {
        let position = match self.uses.iter().position(|(known, _)| *known == of) {
            Some(position) => position,
            None => {
                self.uses.push((of, Wanted::default()));
                self.uses.len() - 1
            }
        };
        let Some((_, wanted)) = self.uses.get_mut(position) else { return };
        wanted.rights |= right;
        if let Some(column) = column {
            wanted.columns.entry(right).or_default().push(column);
        }
    }

    fn relation(&mut self, rel: RelId, relation: &Arc<Relation>, role: Oid) {
        let columns = relation.columns.iter().map(|column| column.attnum).collect();
        self.rels.insert(rel, ((relation.oid, role), columns));
    }

    fn statement(&mut self, statement: &mut Statement, role: Oid) {
        match statement {
            Statement::Query(query) => self.whole_query(query, role),
            Statement::Insert(insert) => {
                let given = insert.values.iter().filter(|(_, value)| walk::mentions(value, insert.source_rel));
                let given: Vec<i16> = given.map(|(attnum, _)| *attnum).collect();
                let of = self.target(&insert.table, role, insert.through.as_deref(), ("a", &given), &[insert.rel]);
                insert.ctes.iter_mut().for_each(|cte| self.cte(cte, role));
                self.query(&mut insert.source, role);
                if let Some(update) = insert.on_conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
                    let set: Vec<i16> = update.set.iter().map(|(attnum, _)| *attnum).collect();
                    let rels = [update.existing, update.excluded];
                    self.target(&insert.table, role, insert.through.as_deref(), ("w", &set), &rels);
                    update.set.iter_mut().for_each(|(_, value)| self.columns(value));
                    update.filter.iter_mut().for_each(|filter| self.columns(filter));
                }
                let arbiters = insert.on_conflict.iter().flat_map(|conflict| &conflict.arbiters);
                let indexes = arbiters.filter_map(|&oid| self.context.catalog.relation(oid)?.index());
                let keys: Vec<i16> = indexes.flat_map(|index| index.keys.iter().map(|key| key.attnum)).collect();
                for attnum in keys.into_iter().filter(|&attnum| attnum != 0) {
                    self.want(of, acl::rights("r"), Some(attnum));
                }
                let returning = insert.returning.iter_mut().flat_map(|returning| &mut returning.targets);
                returning.for_each(|target| self.expr(target, role));
                walk::query(&mut insert.source, &mut |expr| self.expr(expr, role));
            }
            Statement::Update(update) => {
                let set: Vec<i16> = update.set.iter().map(|(attnum, _)| *attnum).collect();
                let through = update.through.take();
                self.target(&update.table, role, through.as_deref(), ("w", &set), &[update.rel]);
                let new_rel = update.new_rel;
                update.ctes.iter_mut().for_each(|cte| self.cte(cte, role));
                update.from.iter_mut().for_each(|from| self.from(from, role));
                update.from.iter_mut().for_each(|from| walk::from(from, &mut |expr| self.expr(expr, role)));
                update.set.iter_mut().for_each(|(_, value)| self.expr(value, role));
                update.filter.iter_mut().for_each(|filter| self.filter(filter, role, through.as_deref()));
                self.rows_of(&update.table, role, through.as_deref(), &[new_rel]);
                let returning = update.returning.iter_mut().flat_map(|returning| &mut returning.targets);
                returning.for_each(|target| self.expr(target, role));
            }
            Statement::Merge(merge) => self.merge(merge, role),
            Statement::Delete(delete) => {
                let through = delete.through.take();
                self.target(&delete.table, role, through.as_deref(), ("d", &[]), &[delete.rel]);
                delete.ctes.iter_mut().for_each(|cte| self.cte(cte, role));
                delete.using.iter_mut().for_each(|from| self.from(from, role));
                delete.using.iter_mut().for_each(|from| walk::from(from, &mut |expr| self.expr(expr, role)));
                delete.filter.iter_mut().for_each(|filter| self.filter(filter, role, through.as_deref()));
                let returning = delete.returning.iter_mut().flat_map(|returning| &mut returning.targets);
                returning.for_each(|target| self.expr(target, role));
            }
        }
    }

    /// Wants a right on what a statement changes: on the views that it names it through, each in the name of who uses it, and on the
    /// table. The last of them is returned; `rels` are rows of the first.
    fn target(
        &mut self,
        table: &Arc<Relation>,
        role: Oid,
        through: Option<&Through>,
        (right, columns): (&str, &[i16]),
        rels: &[RelId],
    ) -> Use {
        let right = acl::rights(right);
        let mut role_here = role;
        for view in through.iter().flat_map(|through| &through.views) {
            let of = (view.view, role_here);
            self.want(of, right, None);
            for base in columns {
                let own = view.columns.iter().find(|(attnum, _)| attnum == base);
                self.want(of, right, own.map(|(_, own)| *own));
            }
            role_here = self.role_under(view.view, role_here);
        }
        let of = (table.oid, role_here);
        self.want(of, right, None);
        columns.iter().for_each(|&attnum| self.want(of, right, Some(attnum)));
        self.rows_of(table, role, through, rels);
        of
    }

    fn role_under(&self, view: Oid, role: Oid) -> Oid {
        self.context.catalog.relation(view).map_or(role, |view| role_under(view, self.context.user_oid))
    }

    /// Columns of these rows are read as those of what the statement names.
    fn rows_of(&mut self, table: &Arc<Relation>, role: Oid, through: Option<&Through>, rels: &[RelId]) {
        let view = through.and_then(|through| through.views.first());
        for &rel in rels {
            let Some(view) = view else {
                self.relation(rel, table, role);
                continue;
            };
            let own = |base: i16| view.columns.iter().find(|(attnum, _)| *attnum == base).map_or(0, |(_, own)| *own);
            let columns = table.columns.iter().map(|column| own(column.attnum)).collect();
            self.rels.insert(rel, ((view.view, role), columns));
        }
    }

    /// A condition, the first parts of which are those of views.
    fn filter(&mut self, filter: &mut Expr, role: Oid, through: Option<&Through>) {
        let Some(through) = through else { return self.expr(filter, role) };
        let (visible, rest) = match &mut filter.kind {
            ExprKind::Case { branches, .. } if through.barrier => match branches.as_mut_slice() {
                [(visible, rest)] => (visible, Some(rest)),
                _ => return,
            },
            _ => (filter, None),
        };
        let ExprKind::And(parts) = &mut visible.kind else { return self.expr(visible, role) };
        let mut parts = parts.iter_mut();
        // Roles below the first view are those below it, and so on.
        let mut roles = vec![role];
        for view in &through.views {
            roles.push(self.role_under(view.view, roles.last().copied().unwrap_or(role)));
        }
        for (view, role) in through.views.iter().zip(roles.iter().skip(1)).rev() {
            parts.by_ref().take(view.conditions).for_each(|part| self.reads(part, *role));
        }
        parts.for_each(|part| self.expr(part, role));
        rest.into_iter().for_each(|rest| self.expr(rest, role));
    }

    /// What the sub-queries of a view's condition read; its columns are the view's own business.
    fn reads(&mut self, expr: &mut Expr, role: Oid) {
        if let ExprKind::Subquery(subquery) = &mut expr.kind {
            self.whole_query(&mut subquery.query, role);
            return;
        }
        walk::children(expr, &mut |child| self.reads(child, role));
    }

    fn merge(&mut self, merge: &mut Merge, role: Oid) {
        let of = (merge.table.oid, role);
        for action in &merge.actions {
            let (right, columns) = match &action.kind {
                MergeKind::Update(set) => ("w", set.as_slice()),
                MergeKind::Insert(values) => ("a", values.as_slice()),
                MergeKind::Delete => ("d", [].as_slice()),
                MergeKind::Nothing => continue,
            };
            self.want(of, acl::rights(right), None);
            for (attnum, _) in columns {
                self.want(of, acl::rights(right), Some(*attnum));
            }
        }
        self.relation(merge.rel, &merge.table, role);
        merge.ctes.iter_mut().for_each(|cte| self.cte(cte, role));
        self.from(&mut merge.source, role);
        walk::from(&mut merge.source, &mut |expr| self.expr(expr, role));
        let actions = merge.actions.iter_mut().flat_map(MergeAction::exprs_mut);
        std::iter::once(&mut merge.condition).chain(actions).for_each(|expr| self.expr(expr, role));
    }

    fn whole_query(&mut self, query: &mut Query, role: Oid) {
        self.query(query, role);
        walk::query(query, &mut |expr| self.expr(expr, role));
    }

    /// The relations of a query, at every depth but those of sub-queries in expressions.
    fn query(&mut self, query: &mut Query, role: Oid) {
        query.ctes.iter_mut().for_each(|cte| self.cte(cte, role));
        match &mut query.body {
            SetExpr::Select(select) => {
                let locked: Vec<RelId> = query.locking.iter().flat_map(|locking| locking.rels.clone()).collect();
                select.from.iter_mut().for_each(|from| self.from(from, role));
                select.from.iter().for_each(|from| self.locked(from, Some(&locked), role));
            }
            SetExpr::Values(_) => {}
            SetExpr::Operation { legs, .. } => legs.iter_mut().for_each(|leg| self.query(leg, role)),
        }
    }

    /// Wants the right to lock the rows of these items (None: of all), and of what is under them.
    fn locked(&mut self, from: &From, rels: Option<&[RelId]>, role: Oid) {
        let wanted = |rel: &RelId| rels.is_none_or(|rels| rels.contains(rel));
        match from {
            From::Table { rel, relation, .. } if wanted(rel) => {
                self.want((relation.oid, role), acl::rights("w"), None);
            }
            From::Subquery { rel, query, view, .. } if wanted(rel) => {
                let mut under = role;
                if let Some(view) = view {
                    self.want((*view, role), acl::rights("w"), None);
                    under = self.role_under(*view, role);
                }
                if let SetExpr::Select(select) = &query.body {
                    select.from.iter().for_each(|from| self.locked(from, None, under));
                }
            }
            From::Join { left, right, .. } => {
                self.locked(left, rels, role);
                self.locked(right, rels, role);
            }
            _ => {}
        }
    }

    fn cte(&mut self, cte: &mut Cte, role: Oid) {
        match &mut cte.body {
            CteBody::Query(query) => self.query(query, role),
            CteBody::Recursive { seed, step, .. } => {
                self.query(seed, role);
                self.query(step, role);
            }
            CteBody::Change(statement) => self.statement(statement, role),
            CteBody::Given => {}
        }
    }

    fn from(&mut self, from: &mut From, role: Oid) {
        match from {
            From::Table { rel, relation, .. } => {
                self.relation(*rel, relation, role);
                self.want((relation.oid, role), acl::rights("r"), None);
            }
            From::Subquery { rel, query, view: Some(view), .. } => {
                let columns = (1..).take(query.columns.len()).collect();
                let owner = self.role_under(*view, role);
                self.rels.insert(*rel, ((*view, role), columns));
                self.want((*view, role), acl::rights("r"), None);
                self.query(query, owner);
            }
            From::Subquery { query, .. } => self.query(query, role),
            From::Join { left, right, .. } => {
                self.from(left, role);
                self.from(right, role);
            }
            From::Function { .. } | From::Cte { .. } => {}
        }
    }

    /// Notes the columns of an expression, and what its sub-queries read.
    fn expr(&mut self, expr: &mut Expr, role: Oid) {
        match &mut expr.kind {
            ExprKind::Column { rel, column } => self.column(*rel, *column),
            ExprKind::Subquery(subquery) => self.query(&mut subquery.query, role),
            _ => {}
        }
        walk::children(expr, &mut |child| self.expr(child, role));
    }

    fn columns(&mut self, expr: &mut Expr) {
        walk::columns(expr, &mut |rel, column| self.column(rel, column));
    }

    fn column(&mut self, rel: RelId, column: usize) {
        let Some((of, columns)) = self.rels.get(&rel) else { return };
        let (of, attnum) = (*of, columns.get(column).copied());
        self.want(of, acl::rights("r"), Some(attnum.unwrap_or(0)));
    }

    fn check(&self) -> Result<()> {
        let catalog = &self.context.catalog;
        for ((oid, role), wanted) in &self.uses {
            let Some(relation) = catalog.relation(*oid) else { continue };
            if crate::privilege::is_superuser(catalog, *role) {
                continue;
            }
            if relation.oid < FIRST_NORMAL || matches!(relation.kind, RelationKind::System) {
                if is_secret(*oid, wanted) {
                    return Err(Owned::relation(relation).denied());
                }
                continue;
            }
            let owned = Owned::relation(relation);
            let (has, _) = owned.rights_of(*role, catalog);
            for bit in 0..32 {
                let right = 1 << bit;
                if wanted.rights & right == 0 || has & right != 0 {
                    continue;
                }
                if !self.by_columns(relation, *role, right, wanted) {
                    return Err(owned.denied());
                }
            }
        }
        Ok(())
    }

    /// Do the privileges on columns allow it?
    fn by_columns(&self, relation: &Relation, role: Oid, right: Rights, wanted: &Wanted) -> bool {
        let catalog = &self.context.catalog;
        let Some(privileges) = catalog.privileges(relation.address()) else { return false };
        let has = |attnum: i16| {
            let acl = privileges.column(attnum).unwrap_or_default();
            acl::rights_of(acl, role, relation.owner, catalog).0 & right != 0
        };
        match wanted.columns.get(&right) {
            Some(columns) => columns.iter().all(|&attnum| has(attnum)),
            // Any column will do where none is named.
            None => {
                right & aegis_catalog::acl::AclKind::Column.all() != 0
                    && relation.live_columns().any(|column| has(column.attnum))
            }
        }
    }
}

/// 42501 unless the user may look up names in the schema.
pub(super) fn check_schema(schema: Option<Oid>, context: &StatementContext) -> Result<()> {
    let Some(schema) = schema else { return Ok(()) };
    if crate::privilege::is_superuser(&context.catalog, context.user_oid) {
        return Ok(());
    }
    crate::privilege::require_usage(schema, context)
        .map_err(|error| Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, error.message().to_owned()))
}
