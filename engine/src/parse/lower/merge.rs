//! MERGE (manual, "MERGE").

use aegis_catalog::{Error, Result};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::tree::Node;

impl Lower<'_> {
    pub fn merge(&self, node: Node<'_>) -> Result<Merge> {
        if let Some(returning) = node.child(K::RETURNING_CLAUSE) {
            return Err(self.syntax_error(returning.start()));
        }
        let using = self.need(node.child(K::USING_ON_CLAUSE), node)?;
        let source = self.need(using.nodes().next(), using)?;
        let relation = self.need(node.child(K::TABLE_RELATION_NAME), node)?;
        let actions = node.nodes().filter(|part| {
            matches!(
                part.kind(),
                K::MERGE_WHEN_MATCHED | K::MERGE_WHEN_NOT_MATCHED_TARGET | K::MERGE_WHEN_NOT_MATCHED_SOURCE
            )
        });
        Ok(Merge {
            with: node.child(K::WITH_CLAUSE).map(|with| self.with(with)).transpose()?,
            table: self.object(relation)?,
            alias: self.merge_alias(node)?,
            source: self.table_expr(source)?,
            condition: self.expr_in(self.need(using.child(K::ON_CLAUSE), using)?)?,
            actions: actions.map(|when| self.merge_when(when)).collect::<Result<_>>()?,
        })
    }

    fn merge_alias(&self, node: Node<'_>) -> Result<Option<TableAlias>> {
        let Some(alias) = node.child(K::OPTIONAL_AS_ALIAS) else { return Ok(None) };
        let name = self.ident(self.need(alias.child(K::TABLE_ALIAS), alias)?)?;
        Ok(Some(TableAlias { name, columns: Vec::new() }))
    }

    fn merge_when(&self, node: Node<'_>) -> Result<MergeWhen> {
        if node.is(K::MERGE_WHEN_NOT_MATCHED_SOURCE) {
            return Err(Error::unsupported("WHEN NOT MATCHED BY SOURCE").at(self.position(node)));
        }
        let matched = node.is(K::MERGE_WHEN_MATCHED);
        let action = node.child_in(&[K::MERGE_UPDATE, K::MERGE_INSERT, K::MERGE_DELETE, K::MERGE_DO_NOTHING]);
        let action = self.need(action, node)?;
        let action = match action.kind() {
            K::MERGE_UPDATE if matched => {
                MergeAction::Update(self.assignments(self.need(action.child(K::SET_CLAUSE), action)?)?)
            }
            K::MERGE_DELETE if matched => MergeAction::Delete,
            K::MERGE_INSERT if !matched => MergeAction::Insert(Box::new(self.merge_insert(action)?)),
            K::MERGE_DO_NOTHING => MergeAction::Nothing,
            _ => return Err(self.syntax_error(action.start())),
        };
        let condition = node.child(K::MERGE_CONDITION).map(|condition| self.expr_in(condition)).transpose()?;
        Ok(MergeWhen { matched, condition, action })
    }

    fn merge_insert(&self, node: Node<'_>) -> Result<MergeInsert> {
        let overriding = node.child_in(&[K::OVERRIDING_SYSTEM_VALUE, K::OVERRIDING_USER_VALUE]);
        let values = match node.nodes().find(|part| is_query(part.kind())) {
            None => None,
            Some(values) => {
                let query = self.query(values)?;
                let SetExpr::Values(mut rows) = query.body else { return Err(self.syntax_error(values.start())) };
                match (rows.pop(), rows.is_empty()) {
                    (Some(row), true) => Some(row),
                    _ => return Err(self.syntax_error(values.end())),
                }
            }
        };
        Ok(MergeInsert {
            columns: match node.child(K::COLUMN_TARGET_LIST) {
                Some(list) => self.assign_targets(list)?,
                None => Vec::new(),
            },
            overriding: overriding.map(|clause| match clause.kind() {
                K::OVERRIDING_SYSTEM_VALUE => Overriding::System,
                _ => Overriding::User,
            }),
            values,
        })
    }
}
