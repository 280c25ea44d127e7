//! The function call protocol ("fast path"; PostgreSQL manual 55.2.4): one call of a function by its OID, which libpq's `lo_…` functions use.

use std::sync::Arc;

use aegis_catalog::definition::quote_identifier;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use bytes::Bytes;

use super::Session;
use super::parameter;
use super::prepared::Prepared;
use super::protocol::{Format, Response};

/// What the activity of a session shows.
const SHOWN: &str = "<FASTPATH> function call";

impl Session {
    /// Calls a function. The value is the one row of portal "".
    pub async fn call_function(
        &mut self,
        function: Oid,
        arguments: &[Option<Bytes>],
        argument_formats: &[Format],
        result_format: Format,
    ) -> Result<Response> {
        self.observe(Arc::from(SHOWN));
        let result = self.run_function(function, arguments, argument_formats, result_format).await;
        self.conclude("", result).map_err(Error::without_position)
    }

    async fn run_function(
        &mut self,
        function: Oid,
        arguments: &[Option<Bytes>],
        argument_formats: &[Format],
        result_format: Format,
    ) -> Result<Response> {
        // What a failed block takes is no query.
        let query = crate::parse::parse("SELECT")?.pop().ok_or_else(|| Error::internal("a call of nothing"))?;
        self.refuse_if_failed(&query.statement)?;
        self.open_transaction(&query.statement)?;
        let context = self.context()?;
        let Some(called) = context.catalog.proc(function) else {
            let message = format!("function with OID {function} does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message));
        };
        if called.kind != 'f' || called.returns_set {
            let message = format!("cannot call function \"{}\" via fastpath interface", called.name);
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        if called.arg_types.len() != arguments.len() {
            let message = format!(
                "function call message contains {} arguments but function requires {}",
                arguments.len(),
                called.arg_types.len()
            );
            return Err(Error::new(sqlstate::PROTOCOL_VIOLATION, message));
        }
        let schema = context.catalog.schema(called.schema).map(|schema| schema.name.clone()).unwrap_or_default();
        let count = arguments.len();
        let variadic = |number: usize| if called.variadic != 0 && number == count { "VARIADIC " } else { "" };
        let numbers = (1..=count).map(|number| format!("{}${number}", variadic(number))).collect::<Vec<_>>();
        let name = quote_identifier(&called.name);
        let sql = format!("SELECT {}.{name}({})", quote_identifier(&schema), numbers.join(", "));
        let declared: Vec<Oid> =
            called.arg_types.iter().map(|&ty| if ty == oid::INTERNAL { oid::TEXT } else { ty }).collect();
        let statement = crate::parse::parse(&sql)?.pop().map(Arc::new);
        let prepared = Arc::new(Prepared::new("", &Arc::from(sql), statement, &declared, &context)?);
        let values = parameter::decode("", &declared, arguments, argument_formats, &self.format_settings())?;
        self.portals.remove("");
        let portal = self.new_portal(prepared, values, vec![result_format]);
        self.portals.insert(String::new(), portal);
        self.run_portal("", &context).await
    }
}
