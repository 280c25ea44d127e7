//! Views.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The defining query as SQL text, and the search path it was written under.
    pub query: String,
    pub search_path: Vec<String>,
    pub check_option: Option<String>,
    /// OID of the `_RETURN` rule in `pg_rewrite`, which is what depends on the relations of the query. Assigned when the
    /// view is written.
    #[serde(default)]
    pub rule: Oid,
    /// `security_barrier` and `security_invoker`, as they are written.
    #[serde(default)]
    pub options: Vec<(String, String)>,
    /// It shows the rows of a table's window, and goes with the table.
    #[serde(default)]
    pub window: Option<super::Window>,
}

impl View {
    /// Was it made by CREATE MATERIALIZED VIEW with parameters of an extension, which keeps the rows?
    pub fn is_of_extension(&self) -> bool {
        self.options.iter().any(|(name, _)| name.contains('.'))
    }

    /// Is a boolean option on?
    pub fn has_option(&self, name: &str) -> bool {
        let is_on =
            |value: &str| matches!(value.to_ascii_lowercase().as_str(), "true" | "on" | "yes" | "1" | "t" | "y");
        self.options.iter().any(|(option, value)| option == name && is_on(value))
    }
}
