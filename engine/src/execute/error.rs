//! The edge between DataFusion's errors and PostgreSQL's.

use aegis_catalog::{Error, sqlstate};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// An error of ours on its way through DataFusion; [`from_datafusion`] takes it out unchanged.
pub fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What a client is told about an error of DataFusion's. Errors of ours come out intact, wherever they are wrapped.
pub fn from_datafusion(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(source) => from_source(source),
        },
        DataFusionError::ArrowError(error, _) => from_arrow(*error),
        DataFusionError::ResourcesExhausted(message) => out_of_memory(message),
        DataFusionError::NotImplemented(message) => not_there(&message),
        DataFusionError::Context(_, source) | DataFusionError::Diagnostic(_, source) => from_datafusion(*source),
        DataFusionError::Shared(source) => from_shared(&source),
        DataFusionError::Collection(errors) => {
            errors.into_iter().next().map_or_else(|| Error::internal("an error without a cause"), from_datafusion)
        }
        other => Error::internal(other.strip_backtrace()),
    }
}

/// The error behind one that several consumers hold.
fn from_shared(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(error) => error.clone(),
            None => match source.downcast_ref::<DataFusionError>() {
                Some(inner) => from_shared(inner),
                None => Error::internal(source.to_string()),
            },
        },
        DataFusionError::ArrowError(error, _) => from_arrow_ref(error),
        DataFusionError::ResourcesExhausted(message) => out_of_memory(message.clone()),
        DataFusionError::NotImplemented(message) => not_there(message),
        DataFusionError::Context(_, source) | DataFusionError::Diagnostic(_, source) => from_shared(source),
        DataFusionError::Shared(source) => from_shared(source),
        other => Error::internal(other.strip_backtrace()),
    }
}

fn from_source(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match source.downcast::<DataFusionError>() {
        Ok(error) => from_datafusion(*error),
        Err(source) => match source.downcast::<ArrowError>() {
            Ok(error) => from_arrow(*error),
            Err(source) => Error::internal(source.to_string()),
        },
    }
}

/// What a client is told about an error of Arrow's kernels.
pub fn from_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(source) => from_source(source),
        },
        other => from_arrow_ref(&other),
    }
}

fn from_arrow_ref(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => match source.downcast_ref::<Error>() {
            Some(error) => error.clone(),
            None => match source.downcast_ref::<DataFusionError>() {
                Some(inner) => from_shared(inner),
                None => Error::internal(source.to_string()),
            },
        },
        ArrowError::DivideByZero => Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(_) => Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range"),
        other => Error::internal(other.to_string()),
    }
}

/// What DataFusion does not have yet, we have not.
fn not_there(message: &str) -> Error {
    let message = message.split("\n\nbacktrace").next().unwrap_or_default();
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

fn out_of_memory(message: String) -> Error {
    Error::new(sqlstate::OUT_OF_MEMORY, "out of memory").with_detail(message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn our_errors_come_out_intact() {
        let error = Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero").at(7);
        let wrapped = DataFusionError::Context("x".into(), Box::new(to_datafusion(error.clone())));
        assert_eq!(from_datafusion(wrapped).fields(), error.fields());
        let shared = DataFusionError::Shared(Arc::new(to_datafusion(error.clone())));
        assert_eq!(from_datafusion(shared).fields(), error.fields());
        let arrow = DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(error.clone()))), None);
        assert_eq!(from_datafusion(arrow).fields(), error.fields());
    }

    #[test]
    fn resource_errors_have_their_code() {
        let error = from_datafusion(DataFusionError::ResourcesExhausted("sort".into()));
        assert_eq!(error.code(), sqlstate::OUT_OF_MEMORY);
    }
}
