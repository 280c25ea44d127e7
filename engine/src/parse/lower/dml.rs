//! INSERT, UPDATE, DELETE (manual 6).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::tree::Node;

impl Lower<'_> {
    pub fn insert(&self, node: Node<'_>) -> Result<Insert> {
        let source = node.nodes().find(|child| child.is(K::DEFAULT_VALUES) || is_query(child.kind()));
        let source = self.need(source, node)?;
        let overriding = node.child_in(&[K::OVERRIDING_SYSTEM_VALUE, K::OVERRIDING_USER_VALUE]);
        let columns = match node.child(K::COLUMN_TARGET_LIST) {
            Some(list) => self.assign_targets(list)?,
            None => Vec::new(),
        };
        let conflict = node.child(K::ON_CONFLICT_CLAUSE);
        Ok(Insert {
            with: self.opt_with(node)?,
            table: self.object(self.need(node.child(K::RELATION_NAME_REF), node)?)?,
            alias: self.opt_alias(node.child(K::REQUIRED_AS_ALIAS))?,
            columns,
            overriding: overriding.map(|clause| match clause.kind() {
                K::OVERRIDING_SYSTEM_VALUE => Overriding::System,
                _ => Overriding::User,
            }),
            source: match source.kind() {
                K::DEFAULT_VALUES => InsertSource::DefaultValues,
                _ => InsertSource::Query(Box::new(self.query(source)?)),
            },
            on_conflict: conflict.map(|clause| self.on_conflict(clause)).transpose()?,
            returning: self.returning(node)?,
        })
    }

    pub fn update(&self, node: Node<'_>) -> Result<Update> {
        if let Some(portion) = node.child(K::FOR_PORTION_OF) {
            return Err(Error::unsupported("FOR PORTION OF").at(self.position(portion)));
        }
        let relation = self.need(node.child(K::RELATION_NAME), node)?;
        let set = self.need(node.child(K::SET_CLAUSE), node)?;
        Ok(Update {
            with: self.opt_with(node)?,
            table: self.object(relation)?,
            only: relation.has(K::ONLY_KW),
            alias: self.table_alias_of(node)?,
            set: self.assignments(set)?,
            from: match node.child(K::FROM_CLAUSE) {
                Some(from) => self.from_list(from)?,
                None => Vec::new(),
            },
            filter: self.filter(node)?,
            returning: self.returning(node)?,
        })
    }

    pub fn delete(&self, node: Node<'_>) -> Result<Delete> {
        if let Some(portion) = node.child(K::FOR_PORTION_OF) {
            return Err(Error::unsupported("FOR PORTION OF").at(self.position(portion)));
        }
        let relation = self.need(node.child(K::RELATION_NAME), node)?;
        Ok(Delete {
            with: self.opt_with(node)?,
            table: self.object(relation)?,
            only: relation.has(K::ONLY_KW),
            alias: self.table_alias_of(node)?,
            using: match node.child(K::USING_CLAUSE) {
                Some(using) => self.from_list(using)?,
                None => Vec::new(),
            },
            filter: self.filter(node)?,
            returning: self.returning(node)?,
        })
    }

    fn opt_with(&self, node: Node<'_>) -> Result<Option<With>> {
        node.child(K::WITH_CLAUSE).map(|with| self.with(with)).transpose()
    }

    fn opt_alias(&self, node: Option<Node<'_>>) -> Result<Option<Ident>> {
        node.map(|node| self.ident(self.need(node.child(K::TABLE_ALIAS), node)?)).transpose()
    }

    fn table_alias_of(&self, node: Node<'_>) -> Result<Option<TableAlias>> {
        let name = self.opt_alias(node.child(K::OPTIONAL_AS_ALIAS))?;
        Ok(name.map(|name| TableAlias { name, columns: Vec::new() }))
    }

    /// WHERE, or WHERE CURRENT OF.
    fn filter(&self, node: Node<'_>) -> Result<Option<Expr>> {
        match node.child(K::WHERE_CURRENT_OF) {
            Some(current) => {
                let cursor = self.ident(self.need(current.child(K::CURSOR_REF), current)?)?;
                Ok(Some(Expr { kind: ExprKind::CurrentOf(cursor.name), span: self.span(current) }))
            }
            None => self.opt_expr_in(node.child(K::WHERE_CLAUSE)),
        }
    }

    fn returning(&self, node: Node<'_>) -> Result<Vec<Target>> {
        let Some(clause) = node.child(K::RETURNING_CLAUSE) else { return Ok(Vec::new()) };
        if let Some(options) = clause.child(K::RETURNING_OPTION_LIST) {
            return Err(Error::unsupported("RETURNING WITH").at(self.position(options)));
        }
        self.targets(self.need(clause.child(K::TARGET_LIST), clause)?)
    }

    pub fn assign_targets(&self, list: Node<'_>) -> Result<Vec<AssignTarget>> {
        let targets =
            list.children_of(K::COLUMN_TARGET).map(|target| self.assign_target(target)).collect::<Result<Vec<_>>>()?;
        if targets.is_empty() { Err(self.missing_in(list)) } else { Ok(targets) }
    }

    fn assign_target(&self, node: Node<'_>) -> Result<AssignTarget> {
        let mut target =
            AssignTarget { column: self.ident(self.need(node.child(K::COLUMN_NAME_REF), node)?)?, path: Vec::new() };
        for accessor in node.nodes().skip(1) {
            match accessor.kind() {
                K::FIELD_ACCESSOR => {
                    let field = self.ident(self.need(accessor.child(K::COMPOSITE_FIELD_REF), accessor)?)?;
                    target.path.push(TargetStep::Field(field));
                }
                K::INDEX_ACCESSOR | K::SLICE_ACCESSOR => {
                    let subscript = self.subscript_of(accessor, None)?;
                    match target.path.last_mut() {
                        Some(TargetStep::Subscripts(subscripts)) => subscripts.push(subscript),
                        _ => target.path.push(TargetStep::Subscripts(vec![subscript])),
                    }
                }
                _ => return Err(self.syntax_error(accessor.start())),
            }
        }
        Ok(target)
    }

    pub fn assignments(&self, clause: Node<'_>) -> Result<Vec<Assignment>> {
        let list = self.need(clause.child(K::SET_COLUMN_LIST), clause)?;
        list.nodes().map(|assignment| self.assignment(assignment)).collect()
    }

    fn assignment(&self, node: Node<'_>) -> Result<Assignment> {
        match node.kind() {
            K::SET_SINGLE_COLUMN => {
                let target = self.assign_target(self.need(node.child(K::COLUMN_TARGET), node)?)?;
                Ok(Assignment::One { target, value: self.set_value(self.need(node.child(K::SET_EXPR), node)?)? })
            }
            K::SET_MULTIPLE_COLUMNS => {
                let list = self.need(node.child(K::COLUMN_TARGET_LIST), node)?;
                let value = node.nodes().find(|part| !part.is(K::COLUMN_TARGET_LIST));
                let value = self.need(value, node)?;
                let span = self.span(value);
                let kind = match value.kind() {
                    K::SET_EXPR_LIST => {
                        let fields = value
                            .children_of(K::SET_EXPR)
                            .map(|field| self.set_value(field))
                            .collect::<Result<Vec<_>>>()?;
                        ExprKind::Row { fields, explicit: value.has(K::ROW_KW) }
                    }
                    kind if is_query(kind) => ExprKind::ScalarQuery(Box::new(self.query(value)?)),
                    _ => self.expr(value)?.kind,
                };
                Ok(Assignment::Row { targets: self.assign_targets(list)?, value: Expr { kind, span } })
            }
            _ => Err(self.syntax_error(node.start())),
        }
    }

    fn set_value(&self, node: Node<'_>) -> Result<Expr> {
        match node.child(K::DEFAULT_KW) {
            Some(keyword) => Ok(Expr { kind: ExprKind::Default, span: self.span(keyword) }),
            None => self.expr_in(node),
        }
    }

    fn on_conflict(&self, node: Node<'_>) -> Result<OnConflict> {
        let target = match node.child_in(&[K::CONFLICT_ON_CONSTRAINT, K::CONFLICT_ON_INDEX]) {
            None => ConflictTarget::Any,
            Some(constraint) if constraint.is(K::CONFLICT_ON_CONSTRAINT) => {
                let name = self.path(self.need(constraint.child(K::CONSTRAINT_NAME_REF), constraint)?)?;
                match <[Ident; 1]>::try_from(name.parts) {
                    Ok([name]) => ConflictTarget::Constraint(name),
                    Err(_) => return Err(self.syntax_error(constraint.end())),
                }
            }
            Some(index) => {
                let list = self.need(index.child(K::CONFLICT_INDEX_ITEM_LIST), index)?;
                let items = list.children_of(K::CONFLICT_INDEX_ITEM);
                let keys = items.map(|item| self.conflict_key(item)).collect::<Result<Vec<_>>>()?;
                ConflictTarget::Columns { keys, predicate: self.opt_expr_in(index.child(K::WHERE_CLAUSE))? }
            }
        };
        let action = node.child_in(&[K::CONFLICT_DO_NOTHING, K::CONFLICT_DO_UPDATE_SET, K::CONFLICT_DO_SELECT]);
        let action = self.need(action, node)?;
        let update = match action.kind() {
            K::CONFLICT_DO_NOTHING => None,
            K::CONFLICT_DO_UPDATE_SET => Some(ConflictUpdate {
                set: self.assignments(self.need(action.child(K::SET_CLAUSE), action)?)?,
                filter: self.opt_expr_in(action.child(K::WHERE_CLAUSE))?,
            }),
            _ => return Err(Error::unsupported("ON CONFLICT DO SELECT").at(self.position(action))),
        };
        if update.is_some() && target == ConflictTarget::Any {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            let hint = "For example, ON CONFLICT (column_name).";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).with_hint(hint).at(self.position(node)));
        }
        Ok(OnConflict { target, update })
    }

    /// An index key; a collation stays part of the expression, an operator class has no place in the tree.
    fn conflict_key(&self, item: Node<'_>) -> Result<Expr> {
        if let Some(class) = item.child(K::OP_CLASS_REF) {
            return Err(Error::unsupported("operator class in ON CONFLICT").at(self.position(class)));
        }
        let expr = item.nodes().find(|part| is_expr(part.kind()));
        let expr = self.expr(self.need(expr, item)?)?;
        match item.child(K::COLLATE).filter(|collate| collate.start() >= self.base() + expr.span.end) {
            Some(collate) => {
                let collation = self.object(self.need(collate.child(K::COLLATION_REF), collate)?)?;
                let span = expr.span.to(self.span(collate));
                Ok(Expr { kind: ExprKind::Collate { arg: Box::new(expr), collation }, span })
            }
            None => Ok(expr),
        }
    }
}
