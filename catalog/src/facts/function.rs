//! `pg_proc`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::tsv::Fields;
use crate::fixed_oid;
use crate::types::oid::Oid;

/// One function, procedure, aggregate or window function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionRow {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    pub schema: Oid,
    pub owner: Oid,
    pub language: Oid,
    pub cost: f32,
    /// Estimated rows of a set-returning function, else 0.
    pub rows: f32,
    /// Element type of the last, VARIADIC parameter; `any` for VARIADIC "any"; 0 for none.
    pub variadic: Oid,
    pub support: Oid,
    /// f function, p procedure, a aggregate, w window.
    pub kind: char,
    pub security_definer: bool,
    pub leakproof: bool,
    pub strict: bool,
    pub returns_set: bool,
    /// i immutable, s stable, v volatile.
    pub volatility: char,
    /// s safe, r restricted, u unsafe.
    pub parallel: char,
    /// How many of the last input parameters have defaults.
    pub default_count: i16,
    pub return_type: Oid,
    /// Input parameters (IN, INOUT, VARIADIC).
    pub arg_types: Vec<Oid>,
    /// All parameters, if there are others than inputs.
    pub all_arg_types: Option<Vec<Oid>>,
    /// i in, o out, b inout, v variadic, t table; beside `all_arg_types`.
    pub arg_modes: Option<Vec<char>>,
    pub arg_names: Option<Vec<String>>,
    /// The defaults as SQL text, comma separated.
    pub arg_defaults: Option<String>,
    pub source: Cow<'static, str>,
}

impl FunctionRow {
    pub(super) fn parse(fields: &mut Fields) -> Self {
        let (oid, name, schema, owner, language) =
            (fields.oid(), fields.text(), fields.oid(), fields.oid(), fields.oid());
        let (cost, rows, variadic, support, kind) =
            (fields.parse(), fields.parse(), fields.oid(), fields.oid(), fields.character());
        let (security_definer, leakproof, strict, returns_set) =
            (fields.boolean(), fields.boolean(), fields.boolean(), fields.boolean());
        let (volatility, parallel) = (fields.character(), fields.character());
        let _argument_count: i16 = fields.parse();
        Self {
            oid,
            name,
            schema,
            owner,
            language,
            cost,
            rows,
            variadic,
            support,
            kind,
            security_definer,
            leakproof,
            strict,
            returns_set,
            volatility,
            parallel,
            default_count: fields.parse(),
            return_type: fields.oid(),
            arg_types: fields.oid_vector(),
            all_arg_types: fields.oid_array(),
            arg_modes: fields.array().map(|modes| modes.iter().filter_map(|mode| mode.chars().next()).collect()),
            arg_names: fields.array(),
            arg_defaults: fields.optional().map(Cow::into_owned),
            source: fields.text(),
        }
    }

    /// A plain, immutable, strict function written in Rust, to be changed field by field (`FunctionRow { … ..new() }`).
    pub fn new(oid: Oid, name: impl Into<Cow<'static, str>>, arg_types: Vec<Oid>, return_type: Oid) -> Self {
        let name = name.into();
        Self {
            oid,
            source: name.clone(),
            name,
            schema: fixed_oid::PG_CATALOG_SCHEMA,
            owner: fixed_oid::BOOTSTRAP_SUPERUSER,
            language: fixed_oid::INTERNAL_LANGUAGE,
            cost: 1.0,
            rows: 0.0,
            variadic: 0,
            support: 0,
            kind: 'f',
            security_definer: false,
            leakproof: false,
            strict: true,
            returns_set: false,
            volatility: 'i',
            parallel: 's',
            default_count: 0,
            return_type,
            arg_types,
            all_arg_types: None,
            arg_modes: None,
            arg_names: None,
            arg_defaults: None,
        }
    }
}

impl super::Fact for FunctionRow {
    fn oid(&self) -> Oid {
        self.oid
    }

    fn name(&self) -> &str {
        &self.name
    }
}
