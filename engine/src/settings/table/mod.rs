//! Every setting: one row each, in a file for each chapter, which is the first part of its category. Names, defaults, ranges and
//! descriptions are PostgreSQL 15's (manual chapter 20), so that `SHOW ALL` and `pg_settings` read as there. Planner settings (`enable_*`,
//! costs) are accepted and kept, but DataFusion plans without them.

use std::sync::LazyLock;

use super::Setting;

mod autovacuum;
mod client_connection_defaults;
mod connections_and_authentication;
mod customized_options;
mod developer_options;
mod error_handling;
mod file_locations;
mod lock_management;
mod preset_options;
mod query_tuning;
mod replication;
mod reporting_and_logging;
mod resource_usage;
mod statistics;
mod version_and_platform_compatibility;
mod write_ahead_log;

/// In the order of the manual.
const CHAPTERS: [&[Setting]; 16] = [
    file_locations::SETTINGS,
    connections_and_authentication::SETTINGS,
    resource_usage::SETTINGS,
    write_ahead_log::SETTINGS,
    replication::SETTINGS,
    query_tuning::SETTINGS,
    reporting_and_logging::SETTINGS,
    statistics::SETTINGS,
    autovacuum::SETTINGS,
    client_connection_defaults::SETTINGS,
    lock_management::SETTINGS,
    version_and_platform_compatibility::SETTINGS,
    error_handling::SETTINGS,
    preset_options::SETTINGS,
    customized_options::SETTINGS,
    developer_options::SETTINGS,
];

/// All of them, by their names in lower case.
pub static SETTINGS: LazyLock<Vec<&'static Setting>> = LazyLock::new(|| {
    let mut settings: Vec<_> = CHAPTERS.into_iter().flatten().collect();
    settings.sort_by_key(|setting| setting.name.to_ascii_lowercase());
    settings
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_setting_occurs_twice() {
        for pair in SETTINGS.windows(2) {
            assert!(!pair[0].name.eq_ignore_ascii_case(pair[1].name), "{} twice", pair[0].name);
        }
    }

    #[test]
    fn a_chapter_is_in_one_file_by_itself() {
        let mut seen = BTreeSet::new();
        for settings in CHAPTERS {
            let chapters: BTreeSet<_> =
                settings.iter().filter_map(|setting| setting.category.split(" / ").next()).collect();
            assert_eq!(chapters.len(), 1, "{chapters:?}");
            assert!(seen.is_disjoint(&chapters), "{chapters:?}");
            seen.extend(chapters);
        }
    }
}
