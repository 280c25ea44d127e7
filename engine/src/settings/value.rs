//! Values of settings: validation, units, and the form SHOW prints.

use aegis_catalog::{Error, Result, sqlstate};

use super::{Kind, Setting, Unit, format};

/// Checks the values of a SET and returns the stored form. What they leave unsaid stays as in `current`.
pub(super) fn validate(setting: &'static Setting, values: &[String], current: &str) -> Result<String> {
    let single = || match values {
        [value] => Ok(value.as_str()),
        _ => {
            Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("SET {} takes only one argument", setting.name)))
        }
    };
    match &setting.kind {
        Kind::List if setting.name == "DateStyle" => format::canonical_date_style(&values.join(", "), current),
        Kind::List => Ok(values.iter().map(|v| quote_name(v)).collect::<Vec<_>>().join(", ")),
        Kind::Bool => parse_bool(single()?).map(|b| on_off(b).to_owned()).ok_or_else(|| {
            Error::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", setting.name),
            )
        }),
        Kind::Integer { min, max, unit } => integer(setting, single()?, *min, *max, *unit),
        Kind::Real { min, max, unit } => real(setting, single()?, *min, *max, *unit),
        Kind::Enum(choices) => choice(setting, single()?, choices),
        Kind::Text => text(setting, single()?),
    }
}

/// The values in a startup packet's or stored setting's text.
pub(super) fn split_for(setting: &Setting, text: &str) -> Result<Vec<String>> {
    match setting.kind {
        Kind::List if setting.name != "DateStyle" => split_list(text).ok_or_else(|| invalid(setting, text)),
        _ => Ok(vec![text.to_owned()]),
    }
}

/// Splits `a, "B c"` into names, folding unquoted ones. None if the quotes do not match.
pub fn split_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut unquoted = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next()? {
                    (_, '"') if chars.next_if(|(_, c)| *c == '"').is_some() => unquoted.push('"'),
                    (i, '"') => break i + 1,
                    (_, c) => unquoted.push(c),
                }
            };
            name = unquoted;
            rest = quoted.get(end..)?.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            name = rest.get(..end)?.trim_end().to_lowercase();
            rest = rest.get(end..)?;
        }
        names.push(name);
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(names)
}

/// Permissions of files, which are shown in octal.
const MODES: &[&str] = &["log_file_mode", "unix_socket_permissions"];

/// The form SHOW prints: numbers with the largest unit that divides them.
pub(super) fn display(setting: &Setting, raw: &str) -> String {
    let unit = match setting.kind {
        Kind::Integer { unit, .. } => unit,
        Kind::Real { unit, .. } => return display_real(raw, unit),
        _ => return raw.to_owned(),
    };
    let Ok(value) = raw.parse::<i64>() else { return raw.to_owned() };
    if MODES.contains(&setting.name) {
        return format!("{value:04o}");
    }
    if value <= 0 || unit == Unit::None {
        return raw.to_owned();
    }
    let (base, scale): (i64, &[(i64, &str)]) = match unit {
        Unit::None => return raw.to_owned(),
        Unit::Milliseconds => (1, TIMES),
        Unit::Seconds => (1000, TIMES),
        Unit::Minutes => (60_000, TIMES),
        Unit::Bytes => (1, SIZES),
        Unit::Kilobytes => (1 << 10, SIZES),
        Unit::Pages => (8 << 10, SIZES),
        Unit::Megabytes => (1 << 20, SIZES),
    };
    let total = value.saturating_mul(base);
    let fits = scale.iter().find(|(size, _)| total % size == 0);
    fits.map_or_else(|| raw.to_owned(), |(size, name)| format!("{}{name}", total / size))
}

/// A real number with the largest unit that makes it whole, else the smallest.
fn display_real(raw: &str, unit: Unit) -> String {
    let Some(value) = raw.parse::<f64>().ok().filter(|value| *value > 0.0 && unit != Unit::None) else {
        return raw.to_owned();
    };
    let units = TIMES.iter().chain(SIZES).map(|(_, name)| *name).chain(["us"]);
    let shown = units.filter_map(|name| Some((value / unit_factor(unit, name)?, name)));
    let mut smallest = None;
    for (value, name) in shown {
        if (value.round() / value - 1.0).abs() <= 1e-8 {
            return format!("{}{name}", value.round());
        }
        smallest = Some(format!("{value}{name}"));
    }
    smallest.unwrap_or_else(|| raw.to_owned())
}

/// Milliseconds, largest first.
const TIMES: &[(i64, &str)] = &[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
/// Bytes, largest first.
const SIZES: &[(i64, &str)] = &[(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"), (1, "B")];

/// PostgreSQL's `parse_bool`: unambiguous prefixes of true, false, yes, no, and on, off, 1, 0.
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let prefix = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if prefix("true", 1) || prefix("yes", 1) || prefix("on", 2) || text == "1" {
        Some(true)
    } else if prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

fn integer(setting: &Setting, text: &str, min: i64, max: i64, unit: Unit) -> Result<String> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let (number, suffix) = (trimmed[..split].trim(), trimmed[split..].trim());
    let number: f64 = number.parse().map_err(|_| invalid(setting, text))?;
    let factor = unit_factor(unit, suffix).ok_or_else(|| match unit {
        Unit::None => invalid(setting, text),
        Unit::Milliseconds | Unit::Seconds | Unit::Minutes => invalid(setting, text)
            .with_hint("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"."),
        _ => invalid(setting, text)
            .with_hint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\"."),
    })?;
    let value = (number * factor).round();
    if !(min as f64..=max as f64).contains(&value) {
        let shown = if unit == Unit::None { String::new() } else { format!(" {}", unit_name(unit)) };
        return Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{value}{shown} is outside the valid range for parameter \"{}\" ({min} .. {max})", setting.name),
        ));
    }
    Ok(format!("{}", value as i64))
}

/// What a suffix multiplies by to reach the setting's own unit; no suffix is that unit.
fn unit_factor(unit: Unit, suffix: &str) -> Option<f64> {
    if suffix.is_empty() {
        return Some(1.0);
    }
    let find = |scale: &[(i64, &str)]| scale.iter().find(|(_, name)| *name == suffix).map(|(size, _)| *size as f64);
    let time = || if suffix == "us" { Some(0.001) } else { find(TIMES) };
    match unit {
        Unit::None => None,
        Unit::Milliseconds => time(),
        Unit::Seconds => time().map(|f| f / 1000.0),
        Unit::Minutes => time().map(|f| f / 60_000.0),
        Unit::Bytes => find(SIZES),
        Unit::Kilobytes => find(SIZES).map(|f| f / 1024.0),
        Unit::Pages => find(SIZES).map(|f| f / 8192.0),
        Unit::Megabytes => find(SIZES).map(|f| f / 1_048_576.0),
    }
}

/// `pg_settings.unit`.
pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Minutes => "min",
        Unit::Bytes => "B",
        Unit::Kilobytes => "kB",
        Unit::Pages => "8kB",
        Unit::Megabytes => "MB",
    }
}

fn real(setting: &Setting, text: &str, min: f64, max: f64, unit: Unit) -> Result<String> {
    let trimmed = text.trim();
    let number = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    // Without digits it is a word such as infinity.
    let (number, suffix) = match number {
        "" | "-" | "+" => (trimmed, ""),
        number => (number, trimmed.get(number.len()..).unwrap_or_default()),
    };
    let number: f64 = number.trim_end().parse().map_err(|_| invalid(setting, text))?;
    let factor = unit_factor(unit, suffix).ok_or_else(|| invalid(setting, text))?;
    let value = number * factor;
    if value.is_nan() {
        return Err(invalid(setting, text));
    }
    if !(min..=max).contains(&value) {
        let shown = if unit == Unit::None { String::new() } else { format!(" {}", unit_name(unit)) };
        return Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{value}{shown} is outside the valid range for parameter \"{}\" ({min} .. {max})", setting.name),
        ));
    }
    Ok(format!("{value}"))
}

fn choice(setting: &Setting, text: &str, choices: &[&str]) -> Result<String> {
    if let Some(found) = choices.iter().find(|c| c.eq_ignore_ascii_case(text.trim())) {
        return Ok((*found).to_owned());
    }
    // Choices such as on/off take every spelling of a Boolean.
    if let Some(value) = parse_bool(text).map(on_off).filter(|v| choices.contains(v)) {
        return Ok(value.to_owned());
    }
    Err(invalid(setting, text).with_hint(format!("Available values: {}.", choices.join(", "))))
}

fn text(setting: &Setting, text: &str) -> Result<String> {
    match setting.name {
        "TimeZone" => format::canonical_time_zone(text).ok_or_else(|| invalid(setting, text)),
        "client_encoding" => format::canonical_encoding(text).ok_or_else(|| invalid(setting, text)),
        _ => Ok(text.to_owned()),
    }
}

/// A name as it stands in a list: quoted unless it is plain.
fn quote_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn invalid(setting: &Setting, text: &str) -> Error {
    Error::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{}\": \"{text}\"", setting.name),
    )
}
