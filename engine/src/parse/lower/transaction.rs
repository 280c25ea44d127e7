//! BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION, SET CONSTRAINTS, LOCK.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use crate::parse::tree::Node;
use crate::parse::utility::Utility;

/// What a list of transaction modes says.
#[derive(Default)]
struct Modes {
    isolation: Option<String>,
    read_only: Option<bool>,
    deferrable: Option<bool>,
}

impl Lower<'_> {
    pub fn transaction_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::BEGIN => {
                let Modes { isolation, read_only, deferrable } = self.modes(node.child(K::TRANSACTION_MODE_LIST))?;
                Utility::Begin { start: node.has(K::START_KW), isolation, read_only, deferrable }
            }
            K::COMMIT_TRANSACTION => Utility::Commit { chain: node.has(K::AND_CHAIN) },
            K::ROLLBACK_TRANSACTION => Utility::Rollback { chain: node.has(K::AND_CHAIN) },
            K::ROLLBACK_TO_SAVEPOINT => {
                Utility::RollbackTo(self.ident(self.need(node.child(K::SAVEPOINT_REF), node)?)?)
            }
            K::SAVEPOINT_CREATE => Utility::Savepoint(self.ident(self.need(node.child(K::SAVEPOINT), node)?)?),
            K::RELEASE_SAVEPOINT => {
                Utility::ReleaseSavepoint(self.ident(self.need(node.child(K::SAVEPOINT_REF), node)?)?)
            }
            K::PREPARE_TRANSACTION => Utility::PrepareTransaction(self.gid(node)?),
            K::COMMIT_PREPARED => Utility::FinishPrepared { gid: self.gid(node)?, commit: true },
            K::ROLLBACK_PREPARED => Utility::FinishPrepared { gid: self.gid(node)?, commit: false },
            K::SET_TRANSACTION => self.set_transaction(node)?,
            K::SET_CONSTRAINTS => {
                let timing = self.need(node.child_in(&[K::DEFERRED, K::IMMEDIATE]), node)?;
                let names = self.objects(node, K::CONSTRAINT_NAME_REF)?;
                if names.is_empty() && !node.has(K::ALL_KW) {
                    return Err(self.syntax_error(timing.start()));
                }
                Utility::SetConstraints { names, deferred: timing.is(K::DEFERRED) }
            }
            K::LOCK => self.lock(node)?,
            _ => return Ok(None),
        }))
    }

    /// The identifier of a prepared transaction.
    fn gid(&self, node: Node<'_>) -> Result<String> {
        self.string(self.need(node.child(K::LITERAL), node)?)
    }

    fn modes(&self, list: Option<Node<'_>>) -> Result<Modes> {
        let mut modes = Modes::default();
        let Some(list) = list else { return Ok(modes) };
        for mode in list.nodes() {
            match mode.kind() {
                K::SERIALIZABLE => modes.isolation = Some("serializable".into()),
                K::REPEATABLE_READ => modes.isolation = Some("repeatable read".into()),
                K::READ_COMMITTED => modes.isolation = Some("read committed".into()),
                K::READ_UNCOMMITTED => modes.isolation = Some("read uncommitted".into()),
                K::READ_ONLY | K::READ_WRITE => modes.read_only = Some(mode.is(K::READ_ONLY)),
                K::DEFERRABLE | K::NOT_DEFERRABLE => modes.deferrable = Some(mode.is(K::DEFERRABLE)),
                _ => return Err(self.syntax_error(mode.start())),
            }
        }
        Ok(modes)
    }

    fn set_transaction(&self, node: Node<'_>) -> Result<Utility> {
        let form = self.need(node.nodes().next(), node)?;
        let snapshot = match form.kind() {
            K::TRANSACTION_SNAPSHOT => Some(self.string(self.need(form.child(K::LITERAL), form)?)?),
            _ => None,
        };
        let list = form.child(K::TRANSACTION_MODE_LIST);
        if snapshot.is_none() && list.is_none_or(|list| list.is_empty()) {
            return Err(self.syntax_error(self.end_of(node)));
        }
        let Modes { isolation, read_only, deferrable } = self.modes(list)?;
        let session = form.is(K::SESSION_CHARACTERISTICS);
        Ok(Utility::SetTransaction { session, isolation, read_only, deferrable, snapshot })
    }

    fn lock(&self, node: Node<'_>) -> Result<Utility> {
        let list = self.need(node.child(K::RELATION_LIST), node)?;
        let tables = self.objects(list, K::RELATION_NAME)?;
        if tables.is_empty() {
            return Err(self.missing_in(node));
        }
        let mode = match node.child(K::LOCK_MODE_CLAUSE) {
            Some(clause) => words(self.need(clause.nodes().next(), clause)?),
            None => "ACCESS EXCLUSIVE".into(),
        };
        Ok(Utility::Lock { tables, mode, nowait: node.has(K::NOWAIT) })
    }
}

/// The words of a node in upper case.
pub fn words(node: Node<'_>) -> String {
    let tokens = node.descendants().filter(|part| part.is_token());
    tokens.map(|token| token.text().to_ascii_uppercase()).collect::<Vec<_>>().join(" ")
}
