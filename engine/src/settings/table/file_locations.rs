//! Manual, 20.2, "File Locations".

use crate::settings::{Change, Kind, Setting};

pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "config_file",
        kind: Kind::Text,
        default: "",
        change: Change::Postmaster,
        report: false,
        category: "File Locations",
        description: "Sets the server's main configuration file.",
    },
    Setting {
        name: "data_directory",
        kind: Kind::Text,
        default: "",
        change: Change::Postmaster,
        report: false,
        category: "File Locations",
        description: "Sets the server's data directory.",
    },
    Setting {
        name: "external_pid_file",
        kind: Kind::Text,
        default: "",
        change: Change::Postmaster,
        report: false,
        category: "File Locations",
        description: "Writes the postmaster PID to the specified file.",
    },
    Setting {
        name: "hba_file",
        kind: Kind::Text,
        default: "",
        change: Change::Postmaster,
        report: false,
        category: "File Locations",
        description: "Sets the server's \"hba\" configuration file.",
    },
    Setting {
        name: "ident_file",
        kind: Kind::Text,
        default: "",
        change: Change::Postmaster,
        report: false,
        category: "File Locations",
        description: "Sets the server's \"ident\" configuration file.",
    },
];
