//! The log against torn, cut and damaged files, at every byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;

use super::{LocalLog, Options, recover, segment_path};
use crate::file::simulated::SimulatedDisk;
use crate::file::{Disk, read_all};
use crate::log::{Entry, Log};
use crate::{Error, Result};

const DIR: &str = "/wal";

fn options() -> Options {
    Options { segment_bytes: 1024, batch_bytes: 1 << 20, sync_delay: Duration::from_secs(60), archive: None }
}

type Entries = Vec<(u64, Vec<u8>)>;

fn read(disk: &SimulatedDisk, after_ts: u64) -> Result<Entries> {
    let mut entries = Entries::new();
    recover(disk, Path::new(DIR), after_ts, 0, |ts, payload| {
        entries.push((ts, payload.to_vec()));
        Ok(())
    })?;
    Ok(entries)
}

fn open(disk: &SimulatedDisk) -> LocalLog {
    let recovered = recover(disk, Path::new(DIR), 0, 0, |_, _| Ok(())).unwrap();
    LocalLog::open(Arc::new(disk.clone()), PathBuf::from(DIR), options(), recovered, Box::new(|_| {})).unwrap()
}

fn append(log: &LocalLog, ts: u64, payload: Vec<u8>, synchronous: bool) {
    let (sender, done) = mpsc::channel();
    log.reserve(payload.len()).unwrap();
    let entry = Entry { ts, payload: Bytes::from(payload), synchronous };
    log.append(entry, Box::new(move |outcome| sender.send(outcome).unwrap()));
    done.recv().unwrap().unwrap();
}

fn payload(ts: u64, length: usize) -> Vec<u8> {
    (0..length).map(|i| (ts as usize * 31 + i) as u8).collect()
}

/// Entries of many sizes over several segments, the last one with only whole-entry syncs.
fn sample(lengths: &[usize]) -> (SimulatedDisk, Entries) {
    let disk = SimulatedDisk::default();
    let log = open(&disk);
    let mut entries = Entries::new();
    for (ts, length) in (1..).zip(lengths) {
        append(&log, ts, payload(ts, *length), true);
        entries.push((ts, payload(ts, *length)));
    }
    drop(log);
    (disk, entries)
}

#[test]
fn entries_of_any_size_come_back_in_order() {
    let lengths = [0, 1, 63, 64, 65, 700, 800, 900, 960, 1024, 5000, 10, 0, 3000];
    let (disk, entries) = sample(&lengths);
    assert_eq!(read(&disk, 0).unwrap(), entries);
    assert_eq!(read(&disk, 5).unwrap(), entries[5..]);
    let log = open(&disk);
    append(&log, 100, b"after a restart".to_vec(), false);
    drop(log);
    let mut more = entries.clone();
    more.push((100, b"after a restart".to_vec()));
    assert_eq!(read(&disk, 0).unwrap(), more);
}

#[test]
fn released_segments_go_and_what_is_needed_stays() {
    let (disk, entries) = sample(&[700; 12]);
    let log = open(&disk);
    let before = log.bytes();
    log.release(6).unwrap();
    assert!(log.bytes() < before);
    drop(log);
    assert_eq!(read(&disk, 6).unwrap(), entries[6..]);
    let error = read(&disk, 2).unwrap_err();
    assert!(matches!(&error, Error::Corrupt(m) if m.contains("missing")), "{error}");
}

#[test]
fn a_lost_segment_is_noticed() {
    let (disk, entries) = sample(&[700; 12]);
    let names = disk.list(Path::new(DIR)).unwrap();
    disk.remove(&Path::new(DIR).join(&names[3])).unwrap();
    let error = read(&disk, 0).unwrap_err();
    assert!(matches!(&error, Error::Corrupt(m) if m.contains("missing")), "{error}");
    assert_eq!(read(&disk, 11).unwrap(), entries[11..]);
    let error = recover(&disk, Path::new(DIR), 12, 99, |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains(segment_path(Path::new(DIR), 99).to_str().unwrap()), "{error}");
}

fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    let copy = SimulatedDisk::default();
    for name in disk.list(Path::new(DIR)).unwrap() {
        let path = Path::new(DIR).join(name);
        let bytes = read_all(disk.open(&path).unwrap().as_ref()).unwrap();
        copy.create(&path).unwrap().write_all_at(&bytes, 0).unwrap();
    }
    copy
}

/// For each byte of each file: the change must be harmless, refused, or cut what follows it; what comes back is always
/// a prefix, and an entry may be missing only if nothing that is left says that it was on disk: the last one, or
/// (`to_the_end`) those from the change to the end of the last file.
fn mutate(lengths: &[usize], to_the_end: bool, change: impl Fn(&mut Vec<u8>, usize)) {
    let (disk, entries) = sample(lengths);
    let holds_records = |name: &String| {
        let bytes = read_all(disk.open(&Path::new(DIR).join(name)).unwrap().as_ref()).unwrap();
        bytes[64..].iter().any(|b| *b != 0)
    };
    let tail = disk.list(Path::new(DIR)).unwrap().into_iter().rfind(holds_records).unwrap();
    let (mut refused, mut cut) = (0, 0);
    for name in disk.list(Path::new(DIR)).unwrap() {
        let path = Path::new(DIR).join(&name);
        let len = disk.open(&path).unwrap().len().unwrap();
        for at in 0..len as usize {
            let damaged = copy(&disk);
            damaged.damage(&path, |bytes| change(bytes, at));
            match read(&damaged, 0) {
                Err(Error::Corrupt(message)) => {
                    assert!(message.contains(DIR), "{message}");
                    refused += 1;
                }
                Err(error) => panic!("{name} at {at}: {error}"),
                Ok(found) => {
                    assert_eq!(found, entries[..found.len()], "{name} at {at}");
                    let lost = entries.len() - found.len();
                    assert!(lost <= 1 || (to_the_end && name == tail), "{name} at {at}: {lost} lost");
                    cut += usize::from(found.len() < entries.len());
                    // What was cut must not come back after new entries.
                    let log = open(&damaged);
                    append(&log, 1000, b"new".to_vec(), true);
                    drop(log);
                    let mut expected = found;
                    expected.push((1000, b"new".to_vec()));
                    assert_eq!(read(&damaged, 0).unwrap(), expected, "{name} at {at}");
                }
            }
        }
    }
    assert!(refused > 0 && cut > 0, "{refused} refused, {cut} cut");
}

#[test]
fn a_flipped_bit_anywhere_is_harmless_refused_or_cuts_the_last_entry() {
    mutate(&[100, 10, 300, 1500, 40, 70], false, |bytes, at| bytes[at] ^= 0x10);
}

#[test]
fn a_file_that_ends_anywhere_is_refused_or_cuts_the_last_entry() {
    mutate(&[100, 10, 300, 1500, 40, 70], true, |bytes, at| bytes.truncate(at));
}

#[test]
fn zeros_from_anywhere_are_refused_or_cut_the_last_entry() {
    mutate(&[100, 10, 300, 40, 70], true, |bytes, at| bytes[at..].fill(0));
}

#[test]
fn garbage_behind_the_last_record_touches_nothing() {
    for length in (0..200).chain([700]) {
        let disk = SimulatedDisk::default();
        let log = open(&disk);
        let entries: Entries = (1..4).map(|ts| (ts, vec![0; length])).collect();
        for (ts, payload) in &entries {
            append(&log, *ts, payload.clone(), true);
        }
        drop(log);
        let names = disk.list(Path::new(DIR)).unwrap();
        let last = names.iter().map(|name| Path::new(DIR).join(name)).rfind(|path| {
            let bytes = read_all(disk.open(path).unwrap().as_ref()).unwrap();
            bytes[64..].iter().any(|b| *b != 0)
        });
        disk.damage(&last.unwrap(), |bytes| {
            let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
            assert_eq!(end % 64, 0, "the end of the log can be seen");
            let until = bytes.len().min(end + 200);
            bytes[end..until].fill(0x77);
        });
        assert_eq!(read(&disk, 0).unwrap(), entries, "payloads of {length} zeros");
    }
}

#[test]
fn unsynced_entries_are_cut_at_any_loss() {
    let disk = SimulatedDisk::default();
    let log = open(&disk);
    append(&log, 1, payload(1, 100), true);
    for ts in 2..6 {
        append(&log, ts, payload(ts, 100), false);
    }
    let entries: Entries = (1..6).map(|ts| (ts, payload(ts, 100))).collect();
    for seed in 0..200 {
        let left = disk.after_power_cut(seed);
        let found = read(&left, 0).unwrap();
        assert!(!found.is_empty(), "a synced entry is lost");
        assert_eq!(found, entries[..found.len()], "seed {seed}");
    }
    drop(log);
    assert_eq!(read(&disk.after_power_cut(1), 0).unwrap(), entries, "closing syncs");
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_written() {
    let disk = SimulatedDisk::default();
    let log = open(&disk);
    disk.set_faults(crate::file::simulated::Faults { capacity: Some(1500), ..Default::default() });
    append(&log, 1, payload(1, 700), true);
    assert!(matches!(log.reserve(2000), Err(Error::DiskFull(_))));
    append(&log, 2, payload(2, 50), true);
    disk.set_faults(Default::default());
    append(&log, 3, payload(3, 2000), true);
    drop(log);
    assert_eq!(read(&disk, 0).unwrap().len(), 3);
}
