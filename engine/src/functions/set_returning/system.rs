//! Sets of system information.

use aegis_catalog::types::datetime::abbreviation::{ABBREVIATIONS, Meaning};
use aegis_catalog::types::float::write_float8;
use aegis_catalog::types::interval;
use aegis_catalog::types::oid;
use aegis_catalog::types::{IntervalStyle, TimeZone};
use aegis_catalog::{Error, Oid, sqlstate};

use super::{Record, record, records};
use crate::functions::Call;
use crate::functions::array::List;
use crate::functions::information::Acl;
use crate::functions::signature::{Row, f};
use crate::settings::{Change, Kind, SETTINGS, Setting, unit_name, without_unit};

pub fn functions() -> Vec<Row> {
    let mut functions = vec![
        f(
            "aclexplode(aclitem[])",
            record(
                &[
                    ("grantor", oid::OID),
                    ("grantee", oid::OID),
                    ("privilege_type", oid::TEXT),
                    ("is_grantable", oid::BOOL),
                ],
                |call, inputs, row| {
                    let mut rows = Vec::new();
                    for item in inputs.reader::<List<&str>>(0)?.get(row).0.into_iter().flatten() {
                        rows.extend(Acl::explode(call, item)?.into_iter().map(|acl| {
                            vec![
                                Some(acl.grantor.to_string()),
                                Some(acl.grantee.to_string()),
                                Some(acl.privilege.to_owned()),
                                boolean(acl.grantable),
                            ]
                        }));
                    }
                    Ok(rows)
                },
            ),
        ),
        f(
            "pg_options_to_table(text[])",
            record(&[("option_name", oid::TEXT), ("option_value", oid::TEXT)], |_, inputs, row| {
                let options = inputs.reader::<List<&str>>(0)?.get(row).0;
                Ok(options
                    .into_iter()
                    .flatten()
                    .map(|option| match option.split_once('=') {
                        Some((name, value)) => vec![Some(name.to_owned()), Some(value.to_owned())],
                        None => vec![Some(option.to_owned()), None],
                    })
                    .collect())
            }),
        ),
        f(
            "pg_get_keywords()",
            record(
                &[
                    ("word", oid::TEXT),
                    ("catcode", oid::CHAR),
                    ("barelabel", oid::BOOL),
                    ("catdesc", oid::TEXT),
                    ("baredesc", oid::TEXT),
                ],
                |_, _, _| Ok(aegis_catalog::facts::keywords().map(|row| row.map(Some).to_vec()).collect()),
            ),
        ),
        f(
            "pg_timezone_names()",
            record(
                &[("name", oid::TEXT), ("abbrev", oid::TEXT), ("utc_offset", oid::INTERVAL), ("is_dst", oid::BOOL)],
                |call, _, _| {
                    Ok(chrono_tz::TZ_VARIANTS
                        .iter()
                        .map(|zone| zone_row(*zone, call.context.statement_start))
                        .collect())
                },
            ),
        ),
        records("pg_timezone_abbrevs()", |call, _, _| {
            let now = call.context.statement_start;
            Ok(ABBREVIATIONS.iter().map(|(name, meaning)| abbreviation_row(name, *meaning, now)).collect())
        }),
        f(
            "pg_show_all_settings()",
            record(SETTING_COLUMNS, |call, _, _| {
                Ok(SETTINGS.iter().map(|setting| setting_row(call, setting)).collect())
            }),
        ),
    ];
    functions.extend(extensions());
    functions
}

/// Extensions that there could be, their versions and the ways between these.
fn extensions() -> Vec<Row> {
    vec![
        f(
            "pg_available_extensions()",
            record(&[("name", oid::NAME), ("default_version", oid::TEXT), ("comment", oid::TEXT)], |call, _, _| {
                let text = |text: &str| Some(text.to_owned());
                let all = call.context.extensions.all();
                Ok(all.map(|of| vec![text(of.name), text(of.newest()), text(of.comment)]).collect())
            }),
        ),
        records("pg_available_extension_versions()", |call, _, _| {
            let text = |text: &str| Some(text.to_owned());
            let of_all = call.context.extensions.all().flat_map(|of| of.versions().map(move |version| (of, version)));
            let rows = of_all.map(|(of, version)| {
                let trusted = boolean(of.trusted);
                let relocatable = boolean(of.relocatable);
                vec![text(of.name), text(version), boolean(true), trusted, relocatable, None, None, text(of.comment)]
            });
            Ok(rows.collect())
        }),
        records("pg_extension_update_paths(name)", |call, inputs, row| {
            let name = inputs.reader::<&str>(0)?.get(row);
            let Some(of) = call.context.extensions.named(name) else {
                let message = format!("extension \"{name}\" is not available");
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
            };
            let pairs = of.versions().flat_map(|from| of.versions().map(move |to| (from, to)));
            let rows = pairs.filter(|(from, to)| from != to).map(|(from, to)| {
                let steps = of.path(from, to).map(|steps| {
                    let versions: Vec<&str> = std::iter::once(from).chain(steps.iter().map(|step| step.to)).collect();
                    versions.join("--")
                });
                vec![Some(from.to_owned()), Some(to.to_owned()), steps]
            });
            Ok(rows.collect())
        }),
    ]
}

const SETTING_COLUMNS: &[(&str, Oid)] = &[
    ("name", oid::TEXT),
    ("setting", oid::TEXT),
    ("unit", oid::TEXT),
    ("category", oid::TEXT),
    ("short_desc", oid::TEXT),
    ("extra_desc", oid::TEXT),
    ("context", oid::TEXT),
    ("vartype", oid::TEXT),
    ("source", oid::TEXT),
    ("min_val", oid::TEXT),
    ("max_val", oid::TEXT),
    ("enumvals", oid::TEXT_ARRAY),
    ("boot_val", oid::TEXT),
    ("reset_val", oid::TEXT),
    ("sourcefile", oid::TEXT),
    ("sourceline", oid::INT4),
    ("pending_restart", oid::BOOL),
];

fn setting_row(call: &Call<'_>, setting: &'static Setting) -> Record {
    let text = |value: &str| Some(value.to_owned());
    let shown = call.context.services.setting(setting.name).unwrap_or_default();
    let value = without_unit(setting, &shown);
    let boot = without_unit(setting, setting.default);
    let unit_shown = |unit| text(unit_name(unit)).filter(|unit| !unit.is_empty());
    let (vartype, unit, min, max, choices) = match &setting.kind {
        Kind::Bool => ("bool", None, None, None, None),
        Kind::Integer { min, max, unit } => {
            ("integer", unit_shown(*unit), Some(min.to_string()), Some(max.to_string()), None)
        }
        Kind::Real { min, max, unit } => ("real", unit_shown(*unit), Some(real(*min)), Some(real(*max)), None),
        Kind::Enum(choices) => {
            let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            ("enum", None, None, None, Some(format!("{{{}}}", quoted.join(","))))
        }
        Kind::Text | Kind::List => ("string", None, None, None, None),
    };
    let context = match setting.change {
        Change::Internal => "internal",
        Change::Postmaster => "postmaster",
        Change::Sighup => "sighup",
        Change::SuperuserBackend => "superuser-backend",
        Change::Backend => "backend",
        Change::Superuser => "superuser",
        Change::User => "user",
    };
    let source = if value == boot { "default" } else { "session" };
    vec![
        text(setting.name),
        Some(value),
        unit,
        text(setting.category),
        text(setting.description),
        None,
        text(context),
        text(vartype),
        text(source),
        min,
        max,
        choices,
        Some(boot.clone()),
        Some(boot),
        None,
        None,
        boolean(false),
    ]
}

fn real(value: f64) -> String {
    let mut text = Vec::new();
    write_float8(value, 1, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn boolean(value: bool) -> Option<String> {
    Some(if value { "t" } else { "f" }.to_owned())
}

fn abbreviation_row(name: &str, meaning: Meaning, now: i64) -> Record {
    let (offset, is_dst) = match meaning {
        Meaning::Offset(seconds, is_dst) => (seconds, is_dst),
        Meaning::Zone(zone) => match TimeZone::by_name(zone) {
            Some(zone) => (zone.offset_at(now), zone.is_dst_at(now)),
            None => (0, false),
        },
    };
    vec![Some(name.to_ascii_uppercase()), Some(interval_text(offset)), boolean(is_dst)]
}

fn interval_text(seconds: i32) -> String {
    let mut out = Vec::new();
    let interval = interval::Interval::new(0, 0, i64::from(seconds) * 1_000_000);
    interval::write(interval, IntervalStyle::Postgres, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn zone_row(zone: chrono_tz::Tz, now: i64) -> Record {
    let named = TimeZone::Named(zone);
    vec![
        Some(zone.name().to_owned()),
        Some(named.abbreviation_at(now)),
        Some(interval_text(named.offset_at(now))),
        boolean(named.is_dst_at(now)),
    ]
}
