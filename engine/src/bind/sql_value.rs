//! Functions without parentheses: `CURRENT_DATE`, `CURRENT_USER`, `LOCALTIMESTAMP(3)` … They are the functions and casts that
//! PostgreSQL's manual defines them by.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type};

use super::Binder;
use super::coerce::Context;
use super::tree::{CallForm, Expr};
use crate::parse::ast::Span;

/// Most fractional digits of a time.
const MAX_PRECISION: i32 = 6;

impl Binder<'_> {
    pub(super) fn sql_value(&mut self, name: &str, precision: Option<i32>, span: Span) -> Result<Expr> {
        let typmod = precision.map_or(-1, |precision| precision.clamp(0, MAX_PRECISION));
        let mut written = name.to_uppercase();
        if typmod >= 0 {
            written.push_str(&format!("({typmod})"));
        }
        let form = CallForm::Keyword(written);
        match name {
            "current_date" => self.now_as(oid::DATE, -1, form, span),
            "current_timestamp" => self.now_as(oid::TIMESTAMPTZ, typmod, form, span),
            "localtimestamp" => self.now_as(oid::TIMESTAMP, typmod, form, span),
            "current_time" => self.now_as(oid::TIMETZ, typmod, form, span),
            "localtime" => self.now_as(oid::TIME, typmod, form, span),
            "current_user" | "user" | "current_role" => self.call_as("current_user", Vec::new(), form, span),
            "session_user" => self.call_as("session_user", Vec::new(), form, span),
            "current_catalog" => self.call_as("current_database", Vec::new(), form, span),
            "current_schema" => self.call_as("current_schema", Vec::new(), form, span),
            _ => Err(Error::unsupported(name.to_uppercase()).at(span.start)),
        }
    }

    fn now_as(&mut self, ty: Oid, typmod: i32, form: CallForm, span: Span) -> Result<Expr> {
        let now = self.call_as("now", Vec::new(), form, span)?;
        let target = Type::new(ty, typmod);
        let cast = self.coerce_to_target(now, target, Context::Explicit, true)?;
        cast.ok_or_else(|| Error::internal("now() has no cast to a time type"))
    }
}
