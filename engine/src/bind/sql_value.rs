//! Functions without parentheses: `CURRENT_DATE`, `CURRENT_USER`, `LOCALTIMESTAMP(3)` … They are the functions and casts that
//! PostgreSQL's manual defines them by.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type};

use super::Binder;
use super::coerce::Context;
use super::tree::Expr;
use crate::parse::ast::Span;

/// Most fractional digits of a time.
const MAX_PRECISION: i32 = 6;

impl Binder<'_> {
    pub(super) fn sql_value(&mut self, name: &str, precision: Option<i32>, span: Span) -> Result<Expr> {
        let typmod = precision.map_or(-1, |precision| precision.clamp(0, MAX_PRECISION));
        match name {
            "current_date" => self.now_as(oid::DATE, -1, span),
            "current_timestamp" => self.now_as(oid::TIMESTAMPTZ, typmod, span),
            "localtimestamp" => self.now_as(oid::TIMESTAMP, typmod, span),
            "current_time" => self.now_as(oid::TIMETZ, typmod, span),
            "localtime" => self.now_as(oid::TIME, typmod, span),
            "current_user" | "user" | "current_role" => self.call_named("current_user", Vec::new(), span),
            "session_user" => self.call_named("session_user", Vec::new(), span),
            "current_catalog" => self.call_named("current_database", Vec::new(), span),
            "current_schema" => self.call_named("current_schema", Vec::new(), span),
            _ => Err(Error::unsupported(name.to_uppercase()).at(span.start)),
        }
    }

    fn now_as(&mut self, ty: Oid, typmod: i32, span: Span) -> Result<Expr> {
        let now = self.call_named("now", Vec::new(), span)?;
        let target = Type::new(ty, typmod);
        let cast = self.coerce_to_target(now, target, Context::Explicit, true)?;
        cast.ok_or_else(|| Error::internal("now() has no cast to a time type"))
    }
}
