//! The attributes of a routine: those of CREATE, and those that ALTER changes.

use aegis_catalog::facts::FunctionRow;
use aegis_catalog::{Error, Result, sqlstate};

use crate::parse::ast::Span;
use crate::parse::routine::RoutineOption;
use crate::parse::utility::SetValue;

/// Attributes that are not in the row of `pg_proc` itself.
#[derive(Debug, Default)]
pub struct Given {
    pub language: Option<String>,
    pub body: Option<(String, Option<String>)>,
    pub window: bool,
    /// Name and value of SET clauses; None is RESET.
    pub settings: Vec<(Option<String>, Option<Vec<String>>)>,
    rows: bool,
    pub cost: bool,
}

/// What of an attribute may be said only once.
fn slot(option: &RoutineOption) -> Option<u8> {
    Some(match option {
        RoutineOption::Language(_) => 0,
        RoutineOption::As(..) => 1,
        RoutineOption::Window => 2,
        RoutineOption::Volatility(_) => 3,
        RoutineOption::Leakproof(_) => 4,
        RoutineOption::Strict(_) => 5,
        RoutineOption::SecurityDefiner(_) => 6,
        RoutineOption::Parallel(_) => 7,
        RoutineOption::Cost(_) => 8,
        RoutineOption::Rows(_) => 9,
        RoutineOption::Support(_) => 10,
        RoutineOption::Transform => 11,
        RoutineOption::Set(..) | RoutineOption::Reset(_) => return None,
    })
}

/// Puts options into a row.
pub fn apply(options: &[(RoutineOption, Span)], procedure: bool, row: &mut FunctionRow) -> Result<Given> {
    let mut given = Given::default();
    let mut seen = Vec::new();
    for (option, span) in options {
        let functions_only = matches!(slot(option), Some(2..=5 | 7..=10));
        if procedure && functions_only {
            let message = "invalid attribute in procedure definition";
            return Err(Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, message).at(span.start));
        }
        if let Some(slot) = slot(option) {
            if seen.contains(&slot) {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options").at(span.start));
            }
            seen.push(slot);
        }
        match option {
            RoutineOption::Language(name) => given.language = Some(name.clone()),
            RoutineOption::As(body, symbol) => given.body = Some((body.clone(), symbol.clone())),
            RoutineOption::Window => given.window = true,
            RoutineOption::Volatility(volatility) => row.volatility = *volatility,
            RoutineOption::Leakproof(leakproof) => row.leakproof = *leakproof,
            RoutineOption::Strict(strict) => row.strict = *strict,
            RoutineOption::SecurityDefiner(definer) => row.security_definer = *definer,
            RoutineOption::Parallel(word) => {
                row.parallel = match word.as_str() {
                    "safe" => 's',
                    "restricted" => 'r',
                    "unsafe" => 'u',
                    _ => {
                        let message = "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE";
                        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                    }
                }
            }
            RoutineOption::Cost(text) => {
                row.cost = positive("COST", text)?;
                given.cost = true;
            }
            RoutineOption::Rows(text) => {
                row.rows = positive("ROWS", text)?;
                given.rows = true;
            }
            RoutineOption::Support(_) => return Err(Error::unsupported("SUPPORT functions")),
            RoutineOption::Transform => return Err(Error::unsupported("TRANSFORM")),
            RoutineOption::Set(name, value) => given.settings.push((Some(name.clone()), values(value))),
            RoutineOption::Reset(name) => given.settings.push((name.clone(), None)),
        }
    }
    if given.rows && !row.returns_set {
        let message = "ROWS is not applicable when function does not return a set";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    if row.returns_set && row.rows == 0.0 {
        row.rows = 1000.0;
    }
    Ok(given)
}

fn values(value: &SetValue) -> Option<Vec<String>> {
    match value {
        SetValue::Default => None,
        SetValue::Values(values) => Some(values.clone()),
        SetValue::TimeZoneInterval(text) => Some(vec![text.clone()]),
    }
}

fn positive(name: &str, text: &str) -> Result<f32> {
    match text.parse::<f32>() {
        Ok(value) if value > 0.0 => Ok(value),
        _ => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{name} must be positive"))),
    }
}

/// The settings of a routine after SET and RESET clauses.
pub fn merge_settings(settings: &mut Vec<(String, String)>, given: &Given) -> Result<()> {
    for (name, values) in &given.settings {
        let Some(name) = name else {
            settings.clear();
            continue;
        };
        settings.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if let Some(values) = values {
            let known = crate::settings::setting(name);
            if known.is_none() && !name.contains('.') {
                let message = format!("unrecognized configuration parameter \"{name}\"");
                return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
            }
            settings.push((name.clone(), values.join(", ")));
        }
    }
    Ok(())
}
