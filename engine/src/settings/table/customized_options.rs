//! Manual, 20.16, "Customized Options".

use crate::settings::{Change, Kind, Setting, Unit};

pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "pg_stat_statements.max",
        kind: Kind::Integer { min: 5000, max: 5000, unit: Unit::None },
        default: "5000",
        change: Change::Internal,
        report: false,
        category: "Customized Options",
        description: "Sets the maximum number of statements tracked by pg_stat_statements.",
    },
    Setting {
        name: "pg_stat_statements.save",
        kind: Kind::Bool,
        default: "off",
        change: Change::Internal,
        report: false,
        category: "Customized Options",
        description: "Save pg_stat_statements statistics across server shutdowns.",
    },
    Setting {
        name: "pg_stat_statements.track",
        kind: Kind::Enum(&["none", "top"]),
        default: "top",
        change: Change::Superuser,
        report: false,
        category: "Customized Options",
        description: "Selects which statements are tracked by pg_stat_statements.",
    },
    Setting {
        name: "pg_stat_statements.track_planning",
        kind: Kind::Bool,
        default: "off",
        change: Change::Internal,
        report: false,
        category: "Customized Options",
        description: "Selects whether planning duration is tracked by pg_stat_statements.",
    },
    Setting {
        name: "pg_stat_statements.track_utility",
        kind: Kind::Bool,
        default: "on",
        change: Change::Superuser,
        report: false,
        category: "Customized Options",
        description: "Selects whether utility commands are tracked by pg_stat_statements.",
    },
];
