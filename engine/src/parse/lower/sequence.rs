//! Options of sequences and identity columns.

use aegis_catalog::{Error, Result};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use crate::parse::tree::Node;
use crate::parse::utility::SequenceOption;

impl Lower<'_> {
    /// The options among the children of `node`.
    pub fn sequence_options(&self, node: Node<'_>) -> Result<Vec<SequenceOption>> {
        node.nodes().filter_map(|option| self.sequence_option(option).transpose()).collect()
    }

    /// None if `node` is no sequence option.
    pub fn sequence_option(&self, node: Node<'_>) -> Result<Option<SequenceOption>> {
        Ok(Some(match node.kind() {
            K::OPTION_AS_TYPE => SequenceOption::As(self.type_in(node)?),
            K::OPTION_INCREMENT => SequenceOption::Increment(self.option_value(node)?),
            K::OPTION_MIN_VALUE => SequenceOption::MinValue(Some(self.option_value(node)?)),
            K::OPTION_NO_MIN_VALUE => SequenceOption::MinValue(None),
            K::OPTION_MAX_VALUE => SequenceOption::MaxValue(Some(self.option_value(node)?)),
            K::OPTION_NO_MAX_VALUE => SequenceOption::MaxValue(None),
            K::OPTION_START => SequenceOption::Start(self.option_value(node)?),
            K::OPTION_RESTART | K::RESTART => {
                let value = node.nodes().find(|part| is_expr(part.kind()));
                SequenceOption::Restart(value.map(|value| self.signed_integer(value)).transpose()?)
            }
            K::OPTION_CACHE => SequenceOption::Cache(self.option_value(node)?),
            K::OPTION_CYCLE => SequenceOption::Cycle(true),
            K::OPTION_NO_CYCLE => SequenceOption::Cycle(false),
            K::OPTION_OWNED_BY => match node.child(K::QUALIFIED_COLUMN_NAME_REF) {
                Some(column) => SequenceOption::OwnedBy(Some(self.path(column)?)),
                None if node.has(K::OWNED_BY_NONE) => SequenceOption::OwnedBy(None),
                None => return Err(self.missing_in(node)),
            },
            K::OPTION_SEQUENCE_NAME => {
                let name = self.need(node.child(K::SEQUENCE), node)?;
                SequenceOption::Name(self.object(name)?)
            }
            K::OPTION_LOGGED | K::OPTION_UNLOGGED => {
                let name = super::transaction::words(node);
                return Err(Error::unsupported(format!("sequence option {name}")).at(self.position(node)));
            }
            _ => return Ok(None),
        }))
    }

    fn option_value(&self, node: Node<'_>) -> Result<i64> {
        let value = node.nodes().find(|part| is_expr(part.kind()));
        self.signed_integer(self.need(value, node)?)
    }
}
