//! How much memory this process may use (the machine's, or less where a control group limits it: cgroups(7), versions 1 and 2), and that it
//! gives back what it no longer needs.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;

/// What is assumed where the system does not say.
const FALLBACK: usize = 4 << 30;

/// Bytes that this process may use.
pub fn available() -> usize {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total(&text)).unwrap_or(FALLBACK);
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| read_to_string(file).ok()?.trim().parse().ok());
    limits.fold(machine, usize::min)
}

/// Below this limit the process stays close to what it uses, at the price of more page faults.
const SMALL_LIMIT: usize = 1 << 30;
/// Milliseconds after which freed pages go back to the system. The allocator's own default of a second lets a burst of large
/// statements stand far above the memory limit.
const PURGE_DELAY_MS: std::ffi::c_long = 250;
const SMALL_PURGE_DELAY_MS: std::ffi::c_long = 0;

/// With little memory, a thread that has taken so many bytes in pieces of at least [`LARGE`] looks for what others have freed of its memory.
const COLLECT_EVERY: usize = 8 << 20;
const LARGE: usize = 16 << 10;

static COLLECTS: AtomicBool = AtomicBool::new(false);

/// Mimalloc, which by itself keeps memory that one thread has taken and another has freed until the first happens to look. Batches of rows go
/// from thread to thread, so that a join or a grouping of wide rows stood a quarter above what it held.
pub struct Allocator;

// SAFETY: every call goes on to mimalloc as it came.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        collect_now_and_then(layout.size());
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        collect_now_and_then(layout.size());
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        collect_now_and_then(new_size);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}

fn collect_now_and_then(taken: usize) {
    thread_local!(static TAKEN: Cell<usize> = const { Cell::new(0) });
    if taken < LARGE || !COLLECTS.load(Ordering::Relaxed) {
        return;
    }
    let all = TAKEN.get().saturating_add(taken);
    TAKEN.set(if all < COLLECT_EVERY { all } else { 0 });
    if all >= COLLECT_EVERY {
        collect();
    }
}

fn collect() {
    // SAFETY: frees what nobody refers to; any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Makes the allocator give freed pages back soon, and with little memory in small pages: a huge page stays as long as any byte of it is used.
pub fn obey(memory_limit: usize) {
    /// `mi_option_purge_delay` of mimalloc.h, which the bindings do not name.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    let small = memory_limit < SMALL_LIMIT;
    let delay = if small { SMALL_PURGE_DELAY_MS } else { PURGE_DELAY_MS };
    // SAFETY: sets one number; any thread may do so at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, delay) };
    COLLECTS.store(small, Ordering::Relaxed);
    #[cfg(target_os = "linux")]
    if small {
        // SAFETY: takes numbers only. A kernel that does not know it goes on as before.
        unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    }
}

/// Least time between two collections of one thread: a busy thread spends well under a thousandth of its time on them.
const COLLECTION_INTERVAL: Duration = Duration::from_millis(250);

/// Called by a thread that has nothing to do: what it has freed, or others have freed of its memory, goes back to the system. The allocator by
/// itself looks only when the thread allocates again, so that after a load an idle server would keep what the load needed.
pub fn give_back() {
    thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
    let now = Instant::now();
    if LAST.get().is_some_and(|last| now.duration_since(last) < COLLECTION_INTERVAL) {
        return;
    }
    LAST.set(Some(now));
    collect();
}

/// The machine's memory, of the text of /proc/meminfo.
fn total(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1 << 10)
}

/// Files that may hold a limit, of the text of /proc/self/cgroup: those of the process's groups and of all groups above, since each
/// limits what is below it. A version 2 file without a limit says "max".
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        files.extend(group.ancestors().map(|above| Path::new(root).join(above).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_and_all_above_it_limit() {
        let files = limit_files("4:memory:/a/b\n2:cpu:/a\n0::/c\n");
        let expected = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/c/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn the_machine_has_what_the_kernel_says() {
        assert_eq!(total("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16 << 10));
        assert_eq!(total("nothing"), None);
    }
}
