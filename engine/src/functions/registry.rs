//! All functions of all families, built once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use aegis_catalog::Oid;

use super::{FAMILIES, Function};

/// The functions that Aegis has, by name and by OID.
pub struct Registry {
    by_name: HashMap<String, Vec<Arc<Function>>>,
    by_oid: HashMap<Oid, Arc<Function>>,
}

/// The registry of the built-in functions.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::build);
    &REGISTRY
}

impl Registry {
    /// A row that does not resolve is a fault that the test of this module finds; the others work all the same.
    fn build() -> Self {
        let mut registry = Self { by_name: HashMap::new(), by_oid: HashMap::new() };
        for row in FAMILIES.iter().flat_map(|family| family()) {
            match row.resolve() {
                Ok(function) => registry.add(Arc::new(function)),
                Err(error) => tracing::error!("a function's row is wrong: {error}"),
            }
        }
        registry
    }

    fn add(&mut self, function: Arc<Function>) {
        if self.by_oid.contains_key(&function.oid) {
            tracing::error!("function {} {function:?} is listed twice", function.oid);
            return;
        }
        self.by_oid.insert(function.oid, function.clone());
        self.by_name.entry(function.name.clone()).or_default().push(function);
    }

    /// The overloads of a name.
    pub fn named(&self, name: &str) -> &[Arc<Function>] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn by_oid(&self, oid: Oid) -> Option<&Arc<Function>> {
        self.by_oid.get(&oid)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.by_oid.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_function_of_postgresql_and_is_listed_once() {
        let mut problems = Vec::new();
        let mut seen: HashMap<Oid, String> = HashMap::new();
        for row in FAMILIES.iter().flat_map(|family| family()) {
            match row.resolve() {
                Err(error) => problems.push(error.to_string()),
                Ok(function) => {
                    let name = format!("{function:?}");
                    if let Some(other) = seen.insert(function.oid, name.clone()) {
                        problems.push(format!("{} is listed twice: {other}, {name}", function.oid));
                    }
                }
            }
        }
        assert!(problems.is_empty(), "{problems:#?}");
        println!("{} functions", seen.len());
    }
}
