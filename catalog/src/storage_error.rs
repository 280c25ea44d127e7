//! The store's errors as SQL users see them. Whoever knows the names of a table and its keys says more (`23505` with the
//! constraint's name); this is what is left to say without them.

use aegis_storage::Error as StorageError;

use crate::{Error, sqlstate};

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let message = error.to_string();
        let code = match error {
            StorageError::DuplicateKey { table, index, .. } => {
                let name = match index {
                    crate::system_tables::OBJECTS_NAME if table == crate::system_tables::OBJECTS => {
                        "pg_class_relname_nsp_index".to_owned()
                    }
                    index => index.to_string(),
                };
                let message = format!("duplicate key value violates unique constraint \"{name}\"");
                return Error::new(sqlstate::UNIQUE_VIOLATION, message).with_constraint(name);
            }
            StorageError::Conflict { .. } => sqlstate::T_R_SERIALIZATION_FAILURE,
            StorageError::ReadConflict { .. } => {
                return Error::new(sqlstate::T_R_SERIALIZATION_FAILURE, message)
                    .with_detail("Reason code: Canceled on identification as a pivot, during commit attempt.")
                    .with_hint("The transaction might succeed if retried.");
            }
            StorageError::NoTable(_) => sqlstate::UNDEFINED_TABLE,
            StorageError::DiskFull(_) => sqlstate::DISK_FULL,
            StorageError::OutOfMemory(_) => sqlstate::OUT_OF_MEMORY,
            StorageError::Corrupt(_) => sqlstate::DATA_CORRUPTED,
            StorageError::Stopped(_) => sqlstate::ADMIN_SHUTDOWN,
            StorageError::Io(_) => sqlstate::IO_ERROR,
            StorageError::Interrupted => {
                return Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request");
            }
            _ => sqlstate::INTERNAL_ERROR,
        };
        Error::new(code, message)
    }
}
