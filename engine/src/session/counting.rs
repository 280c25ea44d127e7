//! Executions of the client's statements, counted for those who look at statistics of statements.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::context::StatementContext;
use super::protocol::Response;
use crate::parse::ast::Statement;
use crate::parse::utility::Utility;
use crate::statement_statistics::{Entry, Execution};

impl Session {
    /// Where the portal's statement is counted, if anybody wants that.
    pub(super) fn counted(&self, portal: &str, context: &StatementContext) -> Option<Arc<Entry>> {
        let statistics = &self.shared.statements;
        if self.calls > 0 || !statistics.is_on(&self.shared.catalog) {
            return None;
        }
        let obeyed = self.obeyed();
        if !obeyed.counts_statements {
            return None;
        }
        let prepared = &self.portals.get(portal)?.prepared;
        let entry = |prepared| statistics.entry(prepared, obeyed.counts_utilities, context);
        match &prepared.statement.as_ref()?.statement {
            Statement::Utility(utility) => match &**utility {
                Utility::Prepare { .. } | Utility::Deallocate(_) => None,
                Utility::Execute { name, .. } => entry(&*self.prepared.lock().get(&name.name).cloned()?),
                _ => entry(prepared),
            },
            _ => entry(prepared),
        }
    }

    /// What ran since then is over, or goes on while the client takes rows.
    pub(super) fn count(&mut self, portal: &str, entry: Arc<Entry>, since: Instant, response: &Response) {
        let execution = Execution::new(entry, self.backend.pid, since.elapsed());
        match response {
            Response::Complete(tag) => execution.end(tag),
            Response::Rows { .. } => {
                if let Some(portal) = self.portals.get_mut(portal) {
                    portal.counting = Some(execution);
                }
            }
            Response::CopyIn { .. } | Response::CopyOut { .. } => {
                self.counting_copy = Some((execution, Instant::now()))
            }
            Response::Empty => {}
        }
    }

    /// COPY is over.
    pub(super) fn count_copy(&mut self, tag: Option<&str>) {
        let Some((mut execution, since)) = self.counting_copy.take() else { return };
        execution.add(since, 0);
        match tag {
            Some(tag) => execution.end(tag),
            None => execution.fail(),
        }
    }
}
