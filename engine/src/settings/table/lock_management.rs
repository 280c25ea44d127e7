//! Manual, 20.12, "Lock Management".

use crate::settings::{Change, Kind, Setting, Unit};

pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "deadlock_timeout",
        kind: Kind::Integer { min: 1, max: 2147483647, unit: Unit::Milliseconds },
        default: "1000",
        change: Change::Superuser,
        report: false,
        category: "Lock Management",
        description: "Sets the time to wait on a lock before checking for deadlock.",
    },
    Setting {
        name: "max_locks_per_transaction",
        kind: Kind::Integer { min: 10, max: 2147483647, unit: Unit::None },
        default: "64",
        change: Change::Postmaster,
        report: false,
        category: "Lock Management",
        description: "Sets the maximum number of locks per transaction.",
    },
    Setting {
        name: "max_pred_locks_per_page",
        kind: Kind::Integer { min: 0, max: 2147483647, unit: Unit::None },
        default: "2",
        change: Change::Sighup,
        report: false,
        category: "Lock Management",
        description: "Sets the maximum number of predicate-locked tuples per page.",
    },
    Setting {
        name: "max_pred_locks_per_relation",
        kind: Kind::Integer { min: -2147483648, max: 2147483647, unit: Unit::None },
        default: "-2",
        change: Change::Sighup,
        report: false,
        category: "Lock Management",
        description: "Sets the maximum number of predicate-locked pages and tuples per relation.",
    },
    Setting {
        name: "max_pred_locks_per_transaction",
        kind: Kind::Integer { min: 10, max: 2147483647, unit: Unit::None },
        default: "64",
        change: Change::Postmaster,
        report: false,
        category: "Lock Management",
        description: "Sets the maximum number of predicate locks per transaction.",
    },
];
