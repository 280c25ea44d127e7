//! Manual, 20.14, "Error Handling".

use crate::settings::{Change, Kind, Setting};

pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "data_sync_retry",
        kind: Kind::Bool,
        default: "off",
        change: Change::Postmaster,
        report: false,
        category: "Error Handling",
        description: "Whether to continue running after a failure to sync data files.",
    },
    Setting {
        name: "exit_on_error",
        kind: Kind::Bool,
        default: "off",
        change: Change::User,
        report: false,
        category: "Error Handling",
        description: "Terminate session on any error.",
    },
    Setting {
        name: "recovery_init_sync_method",
        kind: Kind::Enum(&["fsync", "syncfs"]),
        default: "fsync",
        change: Change::Sighup,
        report: false,
        category: "Error Handling",
        description: "Sets the method for synchronizing the data directory before crash recovery.",
    },
    Setting {
        name: "restart_after_crash",
        kind: Kind::Bool,
        default: "on",
        change: Change::Sighup,
        report: false,
        category: "Error Handling",
        description: "Reinitialize server after backend crash.",
    },
];
