//! DISCARD (PostgreSQL manual, "DISCARD"): forgets session state.

use aegis_catalog::Result;

use super::Outcome;
use crate::parse::utility::DiscardTarget;
use crate::session::Session;

pub fn run(session: &mut Session, target: DiscardTarget) -> Result<Outcome> {
    match target {
        DiscardTarget::All => {
            session.require_no_block("DISCARD ALL")?;
            session.portals.retain(|name, _| name.is_empty());
            session.prepared.lock().clear();
            session.repeated.clear();
            session.shared.channels.forget(&session.backend.inbox);
            super::set::reset(session, Some("session_authorization"))?;
            session.backend.settings.lock().reset_all();
            session.session_locks.release_all();
            session.used_sequences.lock().clear();
            session.drop_temporary_objects()?;
            Outcome::tag("DISCARD ALL")
        }
        // Prepared statements notice changes by themselves; there is nothing stale to forget.
        DiscardTarget::Plans => {
            session.repeated.clear();
            Outcome::tag("DISCARD PLANS")
        }
        DiscardTarget::Sequences => {
            session.used_sequences.lock().clear();
            Outcome::tag("DISCARD SEQUENCES")
        }
        DiscardTarget::Temp => {
            session.drop_temporary_objects()?;
            Outcome::tag("DISCARD TEMP")
        }
    }
}
