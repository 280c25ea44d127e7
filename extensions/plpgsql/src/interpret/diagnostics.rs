//! GET DIAGNOSTICS.

use aegis_engine::extension::{Error, Result, Value, sqlstate};

use super::Run;
use crate::ast::*;

impl Run<'_> {
    pub(super) async fn diagnostics(&mut self, stacked: bool, items: &[(Place, Diagnostic)], line: u32) -> Result<()> {
        let error = self.caught.last().cloned();
        if stacked && error.is_none() {
            let message = "GET STACKED DIAGNOSTICS cannot be used outside an exception handler";
            return Err(Error::new(sqlstate::STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER, message));
        }
        for (place, item) in items {
            let value = match item {
                Diagnostic::RowCount => Value::from(self.row_count as i64),
                Diagnostic::Context => {
                    let name = &self.function.name;
                    Value::from(format!("PL/pgSQL function {name} line {line} at GET DIAGNOSTICS"))
                }
                item => Value::from(error.as_ref().map(|error| of_error(error, *item)).unwrap_or_default()),
            };
            self.store(place, value).await?;
        }
        Ok(())
    }
}

fn of_error(error: &Error, item: Diagnostic) -> String {
    let fields = error.fields();
    let found = match item {
        Diagnostic::ErrorContext => &fields.context,
        Diagnostic::ErrorDetail => &fields.detail,
        Diagnostic::ErrorHint => &fields.hint,
        Diagnostic::ColumnName => &fields.column,
        Diagnostic::ConstraintName => &fields.constraint,
        Diagnostic::DatatypeName => &fields.datatype,
        Diagnostic::TableName => &fields.table,
        Diagnostic::SchemaName => &fields.schema,
        Diagnostic::ReturnedSqlstate => return fields.code.to_string(),
        Diagnostic::MessageText => return fields.message.clone(),
        Diagnostic::RowCount | Diagnostic::Context => &None,
    };
    found.clone().unwrap_or_default()
}
