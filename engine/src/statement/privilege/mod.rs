//! GRANT and REVOKE of privileges, ALTER DEFAULT PRIVILEGES, REASSIGN OWNED and DROP OWNED (PostgreSQL manual, "Privileges").

mod default;
mod grant;
mod owned;

pub use default::{alter_default, apply_default};
pub use grant::grant;
pub use owned::{drop_owned, reassign};
