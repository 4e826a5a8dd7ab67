//! What tracing costs: for each mode, the time added to an allocation and to a free, with hot stacks of 20 frames and with
//! stacks that change, on one thread and on two; and the bytes per event.
//!
//! `cargo bench -p alloc-trace --bench overhead`. Each figure is the median of rounds in which all modes take turns, less
//! the same round's untraced time, in time of the thread's own on a processor. The strategy behind it only moves a cursor, so
//! that its own time and noise are small.

use std::alloc::Layout;
use std::fs;
use std::hint::black_box;
use std::os::fd::IntoRawFd;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloc_core::{AllocError, Inspect, Ownership, Stats, Step, Strategy, Visit, Walked};
use alloc_trace::sink::Sink;
use alloc_trace::{COUNTS, EXACT, History, Log, Null, Traced};

/// Hands out addresses of a window over and over, and touches nothing.
struct Window {
    next: AtomicUsize,
}

const BLOCKS: usize = 1 << 10;

// SAFETY: not one: blocks repeat. The bench reads and writes none of them.
unsafe impl Strategy for Window {
    #[inline]
    fn allocate(&self, _layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let next = self.next.load(Ordering::Relaxed);
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
        NonNull::new(std::ptr::without_provenance_mut(0x7f00_0000_0000 + next % BLOCKS * 64))
            .ok_or(AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, _block: NonNull<u8>, _layout: Layout) {}
}

impl Inspect for Window {
    fn name(&self) -> &'static str {
        "window"
    }

    fn stats(&self) -> Stats {
        Stats::UNKNOWN
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Unsupported
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::Unknown
    }

    fn trim(&self, _keep: usize) -> usize {
        0
    }
}

/// Enough that a thread's start, and its first touches of the tracer's memory, weigh nothing.
const EVENTS: usize = 200_000;
/// The log takes microseconds.
const LOGGED: usize = 4096;
const DEPTH: usize = 20;

/// Nanoseconds that the calling thread has had a processor for: others on the machine take turns, not time.
fn cpu_nanos() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a clock that Linux has, and a place for its time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Calls itself `depth` times, and then works.
#[inline(never)]
fn deep<R>(depth: usize, work: &mut dyn FnMut() -> R) -> R {
    if black_box(depth) == 0 {
        return work();
    }
    let result = deep(depth - 1, work);
    black_box(());
    result
}

/// Nanoseconds for an allocation and for a free: hot stacks, then stacks of which the inner half changes each time.
fn times<K: Sink>(heap: &Traced<Window, K>, count: usize) -> [f64; 3] {
    let layout = Layout::from_size_align(48, 16).unwrap();
    let mut blocks = vec![NonNull::dangling(); BLOCKS];
    let (mut allocs, mut frees) = (0.0, 0.0);
    deep(DEPTH, &mut || {
        for _ in 0..count / BLOCKS {
            let start = cpu_nanos();
            for block in &mut blocks {
                *block = heap.allocate(black_box(layout)).unwrap();
            }
            allocs += cpu_nanos() - start;
            let start = cpu_nanos();
            for &block in &blocks {
                // SAFETY: the window asks nothing of its callers.
                unsafe { heap.deallocate(black_box(block), layout) };
            }
            frees += cpu_nanos() - start;
        }
    });
    let events = (count / BLOCKS * BLOCKS) as f64;
    let start = cpu_nanos();
    deep(DEPTH / 2, &mut || {
        for index in 0..count / 4 {
            black_box(deep(DEPTH / 4 + index % DEPTH / 2, &mut || heap.allocate(black_box(layout))).unwrap());
        }
    });
    let changing = (cpu_nanos() - start) / (count / 4) as f64;
    [allocs / events, frees / events, changing]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn file(name: &str) -> (PathBuf, i32) {
    let path = std::env::temp_dir().join(format!("alloc-trace-bench-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    let file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    (path, file.into_raw_fd())
}

fn run<K: Sink + Sync>(name: &str, sink: K, threads: usize, begin: impl Fn(i32), end: impl Fn()) {
    const ROUNDS: usize = 15;
    let count = if name == "log" { LOGGED } else { EVENTS };
    let heaps: Vec<_> =
        (0..threads).map(|_| Traced::new(Window { next: AtomicUsize::new(0) }, &sink)).collect();
    let plain = Traced::new(Window { next: AtomicUsize::new(0) }, Null);
    let mut added: [Vec<f64>; 3] = Default::default();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let without = times(&plain, count);
        let (path, fd) = file(name);
        begin(fd);
        let with: Vec<[f64; 3]> = std::thread::scope(|scope| {
            let running: Vec<_> = heaps.iter().map(|heap| scope.spawn(move || times(heap, count))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        end();
        bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let _ = fs::remove_file(&path);
        for (index, added) in added.iter_mut().enumerate() {
            let mean = with.iter().map(|times| times[index]).sum::<f64>() / threads as f64;
            added.push(mean - without[index]);
        }
    }
    let events = threads * (count / BLOCKS * BLOCKS * 2 + count / 4);
    let [alloc, free, changing] = added.map(median);
    println!(
        "| {name} | {threads} | {alloc:.1} | {free:.1} | {changing:.1} | {:.2} |",
        bytes as f64 / events as f64
    );
}

fn main() {
    static HISTORY: History = History::new();
    static LOG: Log = Log::new();
    println!(
        "| mode | threads | ns added to an allocation, hot stack of 20 | to a free | to an allocation, changing stack | bytes an event |"
    );
    println!("|---|---|---|---|---|---|");
    let close = |fd| alloc_trace::out::close(fd);
    run("off", &EXACT, 1, close, || ());
    for threads in [1, 2] {
        run("exact", &EXACT, threads, |fd| EXACT.start(fd).unwrap(), || EXACT.stop());
        run("aggregate", &COUNTS, threads, |fd| COUNTS.start(fd, 0).unwrap(), || COUNTS.stop());
        run("sampled", &COUNTS, threads, |fd| COUNTS.start(fd, 512 << 10).unwrap(), || COUNTS.stop());
        let remember = |fd| {
            close(fd);
            assert!(HISTORY.start(1 << 16));
        };
        run("history", &HISTORY, threads, remember, || HISTORY.stop());
    }
    run("log", &LOG, 1, |fd| LOG.start(fd, 128).unwrap(), || LOG.stop());
}
