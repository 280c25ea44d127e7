//! The edge between DataFusion's errors and PostgreSQL's.

use std::io;

use aegis_catalog::{Error, sqlstate};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// An error of ours on its way through DataFusion; [`from_datafusion`] takes it out unchanged.
pub fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What a client is told about an error of DataFusion's. Errors of ours come out intact, wherever they are wrapped.
pub fn from_datafusion(error: DataFusionError) -> Error {
    datafusion_error(&error)
}

/// What a client is told about an error of Arrow's kernels.
pub fn from_arrow(error: ArrowError) -> Error {
    arrow_error(&error)
}

fn datafusion_error(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => wrapped(source.as_ref()),
        DataFusionError::ArrowError(error, _) => arrow_error(error),
        DataFusionError::IoError(error) => spill_error(error),
        DataFusionError::ResourcesExhausted(message) => out_of_memory(message.clone()),
        DataFusionError::NotImplemented(message) => not_there(message),
        DataFusionError::Context(_, source) | DataFusionError::Diagnostic(_, source) => datafusion_error(source),
        DataFusionError::Shared(source) => datafusion_error(source),
        DataFusionError::Collection(errors) => {
            errors.first().map_or_else(|| Error::internal("an error without a cause"), datafusion_error)
        }
        other => Error::internal(other.strip_backtrace()),
    }
}

fn arrow_error(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => wrapped(source.as_ref()),
        ArrowError::DivideByZero => Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::IoError(_, error) => spill_error(error),
        ArrowError::ArithmeticOverflow(_) => Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range"),
        other => Error::internal(other.to_string()),
    }
}

fn wrapped(source: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    if let Some(error) = source.downcast_ref::<Error>() {
        error.clone()
    } else if let Some(error) = source.downcast_ref() {
        datafusion_error(error)
    } else if let Some(error) = source.downcast_ref() {
        arrow_error(error)
    } else {
        Error::internal(source.to_string())
    }
}

/// What DataFusion does not have yet, we have not.
fn not_there(message: &str) -> Error {
    let message = message.split("\n\nbacktrace").next().unwrap_or_default();
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

/// The only files that queries themselves write and read are those that they spill to.
fn spill_error(error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => sqlstate::DISK_FULL,
        _ => sqlstate::IO_ERROR,
    };
    Error::new(code, format!("could not use a temporary file: {error}"))
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
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(from_datafusion(DataFusionError::IoError(full())).code(), sqlstate::DISK_FULL);
        let written = ArrowError::IoError("a batch".into(), full());
        assert_eq!(from_datafusion(DataFusionError::ArrowError(Box::new(written), None)).code(), sqlstate::DISK_FULL);
    }
}
