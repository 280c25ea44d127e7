//! kill -9 of a process that commits: what it said was committed is there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_storage::{Config, Store};

use crate::fixture::*;

const DIR: &str = "AEGIS_CRASH_TEST_DIR";

fn open(dir: &std::path::Path) -> Arc<Store> {
    Store::open(Config { wal_segment_bytes: 64 << 10, memtable_bytes: 30_000, ..Config::new(dir) }).unwrap()
}

/// Not a test of its own: what the killed process runs. Prints each number after its commit.
#[tokio::test]
async fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = open(std::path::Path::new(&dir));
    if begin(&store).table_schema(TABLE).is_err() {
        create(&store).await;
    }
    let next = read(&store).last().map_or(0, |row| row.0 + 1);
    for i in next.. {
        let mut tx = begin(&store);
        tx.insert(TABLE, &rows(&[(i, "a row of the victim, long enough to be out of line")])).unwrap();
        if i % 3 == 2 {
            delete(&mut tx, &[i - 1]).unwrap();
        }
        tx.commit(true).await.unwrap();
        eprintln!("committed {i}");
    }
}

#[test]
fn acknowledged_commits_survive_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = -1;
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::victim", "--exact", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_millis(150 + 70 * round);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let numbers = lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("committed ")?.parse::<i32>().ok());
        last = numbers.last().unwrap_or(last).max(last);
        killer.join().unwrap();
        let store = open(dir.path());
        if begin(&store).table_schema(TABLE).is_err() {
            assert_eq!(last, -1);
            continue;
        }
        let found: Vec<i32> = read(&store).into_iter().map(|row| row.0).collect();
        let newest = found.last().copied().unwrap_or(-1);
        assert!((last..=last + 1).contains(&newest), "{last} was acknowledged, {newest} is the newest there");
        let expected: Vec<i32> = (0..=newest).filter(|i| i % 3 != 1 || *i == newest).collect();
        assert_eq!(found, expected);
        last = newest;
    }
    assert!(last > 10, "only {last} commits");
}
