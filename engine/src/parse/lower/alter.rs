//! ALTER TABLE (manual 5.6).

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::transaction::words;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn alter_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        match node.kind() {
            K::ALTER_TABLE if node.has(K::ALL_IN_TABLESPACE) => {
                Ok(Some(Utility::Unsupported("ALTER TABLE ALL IN TABLESPACE".into())))
            }
            K::ALTER_TABLE => self.alter_table(node).map(Some),
            K::ALTER_VIEW => self.alter_table(node).map(Some),
            K::ALTER_MATERIALIZED_VIEW if !node.has(K::ALL_IN_TABLESPACE) => self.alter_table(node).map(Some),
            K::ALTER_INDEX if node.has(K::ATTACH_INDEX_PARTITION) => {
                let action = self.need(node.child(K::ATTACH_INDEX_PARTITION), node)?;
                let index = self.object(self.need(node.child(K::INDEX_REF), node)?)?;
                let partition = self.object(self.need(action.child(K::INDEX_REF), action)?)?;
                Ok(Some(Utility::AttachIndex { index, partition }))
            }
            K::ALTER_INDEX if !node.has(K::ALL_IN_TABLESPACE) => self.alter_index(node).map(Some),
            K::ALTER_SEQUENCE => {
                let sequence = self.need(node.child(K::SEQUENCE_REF), node)?;
                if let Some(logged) = node.child_in(&[K::SET_LOGGED, K::SET_UNLOGGED]) {
                    return Ok(Some(Utility::Unsupported(format!("ALTER SEQUENCE {}", words(logged)))));
                }
                let options = self.sequence_options(node)?;
                if options.is_empty() {
                    return Err(self.missing_in(node));
                }
                let (name, if_exists) = (self.object(sequence)?, node.has(K::IF_EXISTS));
                Ok(Some(Utility::AlterSequence { name, if_exists, options }))
            }
            _ => Ok(None),
        }
    }

    fn alter_table(&self, node: Node<'_>) -> Result<Utility> {
        let table = self.need(node.child_in(&[K::TABLE_RELATION_NAME, K::VIEW_REF]), node)?;
        let actions = node
            .nodes()
            .filter(|part| part.start() > table.start())
            .map(|action| self.alter_table_action(action))
            .collect::<Result<Vec<_>>>()?;
        if actions.is_empty() {
            return Err(self.missing_in(node));
        }
        Ok(Utility::AlterTable(Box::new(AlterTable {
            name: self.object(table)?,
            if_exists: node.has(K::IF_EXISTS),
            only: table.has(K::ONLY_KW),
            view: node.is(K::ALTER_VIEW),
            materialized_view: node.is(K::ALTER_MATERIALIZED_VIEW),
            actions,
        })))
    }

    fn alter_index(&self, node: Node<'_>) -> Result<Utility> {
        let index = self.need(node.child(K::INDEX_REF), node)?;
        let actions = node.nodes().filter(|part| part.start() > index.start());
        let actions = actions.map(|action| self.alter_index_action(action)).collect::<Result<Vec<_>>>()?;
        if actions.is_empty() {
            return Err(self.missing_in(node));
        }
        Ok(Utility::AlterIndex { name: self.object(index)?, if_exists: node.has(K::IF_EXISTS), actions })
    }

    fn alter_index_action(&self, node: Node<'_>) -> Result<AlterIndexAction> {
        Ok(match node.kind() {
            K::SET_OPTIONS => {
                AlterIndexAction::SetOptions(self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?)
            }
            K::RESET_OPTIONS => AlterIndexAction::ResetOptions(self.option_names(node)?),
            K::ALTER_SET_STATISTICS => {
                let set = self.need(node.child(K::SET_STATISTICS), node)?;
                let column = node.nodes().find(|part| part.start() < set.start());
                let column = self.need(column, node)?;
                let column = column.text().trim().parse().map_err(|_| self.syntax_error(column.start()))?;
                AlterIndexAction::SetStatistics { column, target: self.statistics_target(set)? }
            }
            _ => AlterIndexAction::Unsupported(format!("ALTER INDEX {}", words(node))),
        })
    }

    fn option_names(&self, node: Node<'_>) -> Result<Vec<String>> {
        let options = self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?;
        Ok(options.into_iter().map(|(name, _)| name).collect())
    }

    /// The number of SET STATISTICS; -1 for the default.
    pub fn statistics_target(&self, node: Node<'_>) -> Result<i32> {
        match node.nodes().next() {
            Some(number) => number.text().replace(' ', "").parse().map_err(|_| self.syntax_error(number.start())),
            None => Ok(-1),
        }
    }

    fn column_hint(&self, node: Node<'_>) -> Result<ColumnHint> {
        let word = || match node.nodes().next() {
            Some(word) => Ok(word.text().to_owned()),
            None => node.tokens().last().map(|word| word.text().to_owned()).ok_or_else(|| self.missing_in(node)),
        };
        Ok(match node.kind() {
            K::SET_STATISTICS => ColumnHint::Statistics(self.statistics_target(node)?),
            K::SET_STORAGE => ColumnHint::Storage(word()?),
            K::SET_COMPRESSION => ColumnHint::Compression(word()?),
            K::RESET_OPTIONS => ColumnHint::ResetOptions(self.option_names(node)?),
            _ => ColumnHint::SetOptions(self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?),
        })
    }

    fn alter_table_action(&self, node: Node<'_>) -> Result<AlterTableAction> {
        let constraint = || -> Result<Ident> {
            let mut name = self.path(self.need(node.child(K::CONSTRAINT_NAME_REF), node)?)?;
            match (name.parts.pop(), name.parts.first()) {
                (Some(name), None) => Ok(name),
                _ => Err(self.missing_in(node)),
            }
        };
        let (if_exists, cascade) = (node.has(K::IF_EXISTS), node.has(K::CASCADE));
        Ok(match node.kind() {
            K::ADD_COLUMN => {
                AlterTableAction::AddColumn { column: self.column(node)?, if_not_exists: node.has(K::IF_NOT_EXISTS) }
            }
            K::DROP_COLUMN => {
                let column = self.ident(self.need(node.child(K::COLUMN_NAME_REF), node)?)?;
                AlterTableAction::DropColumn { column, if_exists, cascade }
            }
            K::ALTER_COLUMN | K::ALTER_VIEW_COLUMN => self.alter_column(node)?,
            K::ADD_CONSTRAINT => {
                let added = self.need(node.nodes().next(), node)?;
                AlterTableAction::AddConstraint(self.table_constraint(added)?)
            }
            K::DROP_CONSTRAINT => AlterTableAction::DropConstraint { name: constraint()?, if_exists, cascade },
            K::VALIDATE_CONSTRAINT => AlterTableAction::ValidateConstraint(constraint()?),
            K::ALTER_CONSTRAINT => {
                AlterTableAction::AlterConstraint { name: constraint()?, timing: self.timing(node)? }
            }
            K::SET_OPTIONS => {
                AlterTableAction::SetOptions(self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?)
            }
            K::RESET_OPTIONS => AlterTableAction::ResetOptions(self.option_names(node)?),
            K::OWNER_TO => AlterTableAction::OwnerTo(self.role(self.need(node.child(K::ROLE_REF), node)?)?),
            K::SET_LOGGED => AlterTableAction::SetLogged(true),
            K::SET_UNLOGGED => AlterTableAction::SetLogged(false),
            K::ATTACH_PARTITION => AlterTableAction::AttachPartition {
                partition: self.object(self.need(node.child(K::TABLE_NAME_REF), node)?)?,
                bound: self.partition_bound(node)?,
            },
            K::DETACH_PARTITION => AlterTableAction::DetachPartition {
                partition: self.object(self.need(node.child(K::TABLE_NAME_REF), node)?)?,
                mode: match node.child_in(&[K::DETACH_CONCURRENTLY, K::DETACH_FINALIZE]) {
                    Some(mode) if mode.is(K::DETACH_FINALIZE) => DetachMode::Finalize,
                    Some(_) => DetachMode::Concurrently,
                    None => DetachMode::AtOnce,
                },
            },
            K::INHERIT_TABLE | K::NO_INHERIT_TABLE => {
                let parent = self.object(self.need(node.child(K::TABLE_NAME_REF), node)?)?;
                AlterTableAction::Inherit(parent, node.is(K::INHERIT_TABLE))
            }
            K::OF_TYPE => AlterTableAction::OfType(self.type_in(node)?.name),
            K::NOT_OF => AlterTableAction::NotOfType,
            K::CLUSTER_ON => {
                AlterTableAction::ClusterOn(Some(self.bare_name(self.need(node.child(K::INDEX_REF), node)?)?))
            }
            K::SET_WITHOUT_CLUSTER => AlterTableAction::ClusterOn(None),
            K::SET_WITHOUT_OIDS => AlterTableAction::SetWithoutOids,
            K::TABLE_RENAME_TO | K::RENAME_COLUMN | K::RENAME_CONSTRAINT | K::SET_SCHEMA => {
                // PostgreSQL allows these only alone.
                return Err(self.syntax_error(node.start()));
            }
            _ => {
                let keywords = node.tokens().take(3).map(|word| word.text().to_ascii_uppercase()).collect::<Vec<_>>();
                AlterTableAction::Unsupported(format!("ALTER TABLE {}", keywords.join(" ")))
            }
        })
    }

    fn alter_column(&self, node: Node<'_>) -> Result<AlterTableAction> {
        let column = self.ident(self.need(node.child(K::COLUMN_NAME_REF), node)?)?;
        let action = node.nodes().find(|part| !part.is(K::COLUMN_NAME_REF));
        let action = self.need(action, node)?;
        let if_exists = action.has(K::IF_EXISTS);
        Ok(match action.kind() {
            K::SET_DEFAULT => {
                let (expr, text) = self.expr_text(action)?;
                AlterTableAction::SetDefault { column, expr, text }
            }
            K::DROP_DEFAULT => AlterTableAction::DropDefault { column },
            K::SET_NOT_NULL => AlterTableAction::SetNotNull { column },
            K::DROP_NOT_NULL => AlterTableAction::DropNotNull { column },
            K::SET_TYPE => AlterTableAction::SetType {
                column,
                ty: self.type_in(action)?,
                collation: self.collation(action)?,
                using: action.child(K::USING_EXPR).map(|using| self.expr_text(using)).transpose()?,
            },
            K::ADD_GENERATED => AlterTableAction::AddIdentity {
                column,
                always: action.has(K::GENERATED_ALWAYS),
                options: match action.child(K::SEQUENCE_OPTION_LIST) {
                    Some(list) => self.sequence_options(list)?,
                    None => Vec::new(),
                },
            },
            K::SET_GENERATED_OPTIONS => self.set_identity_options(column, action.nodes())?,
            K::SET_GENERATED | K::SET_SEQUENCE_OPTION | K::RESTART => {
                self.set_identity_options(column, std::iter::once(action))?
            }
            K::DROP_IDENTITY => AlterTableAction::DropIdentity { column, if_exists },
            K::DROP_EXPRESSION => AlterTableAction::DropExpression { column, if_exists },
            K::SET_STATISTICS | K::SET_STORAGE | K::SET_COMPRESSION | K::SET_OPTIONS | K::RESET_OPTIONS => {
                AlterTableAction::ColumnHint { column, hint: self.column_hint(action)? }
            }
            _ => AlterTableAction::Unsupported(format!("ALTER TABLE ALTER COLUMN {}", words(action))),
        })
    }

    fn set_identity_options<'t>(
        &self,
        column: Ident,
        parts: impl Iterator<Item = Node<'t>>,
    ) -> Result<AlterTableAction> {
        let mut always = None;
        let mut options = Vec::new();
        for part in parts {
            match part.kind() {
                K::SET_GENERATED => always = Some(part.has(K::GENERATED_ALWAYS)),
                K::RESTART => options.extend(self.sequence_option(part)?),
                _ => options.extend(self.sequence_options(part)?),
            }
        }
        Ok(AlterTableAction::SetIdentity { column, always, options })
    }
}
