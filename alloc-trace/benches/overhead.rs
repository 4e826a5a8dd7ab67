//! What tracing costs: for each mode, the time added to an allocation and to a free, in runs of a kind and in turns, with hot
//! stacks of 20 frames and with stacks that change, on one thread and on two; the bytes per event; and what a switch
//! that is off costs real heaps.
//!
//! `cargo bench -p alloc-trace --bench overhead`. Each figure is the median of rounds in which traced and untraced take turns,
//! in time of the thread's own on a processor. The strategy behind it only moves a cursor, so that its own time and noise are
//! small. Processors of virtual machines run at half of their speed while a neighbour uses the other half: beside each
//! round, a loop of known work is timed, and rounds in which it took over a tenth longer than at best are left out.

use std::alloc::Layout;
use std::fs;
use std::hint::black_box;
use std::os::fd::IntoRawFd;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use alloc_core::{Libc, Strategy};
use alloc_freelist::SyncFreeList;
use alloc_trace::sink::Sink;
use alloc_trace::{COUNTS, EXACT, Exact, History, Log, Null, Traced};

mod window;

use window::{BLOCKS, Window};

/// Enough that a thread's start, and its first touches of the tracer's memory, weigh little, and few enough that a round is over before a
/// neighbour is back.
const EVENTS: usize = 100_000;
/// The log takes microseconds.
const LOGGED: usize = 4096;
const DEPTH: usize = 20;
const FIGURES: usize = 4;

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

/// Nanoseconds that one step of four chains takes, which keep the processor's four units busy: its speed at this moment.
fn step() -> f64 {
    const STEPS: u32 = 30_000;
    let start = cpu_nanos();
    let mut chains = black_box([3_u64, 5, 7, 9]);
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = black_box(*chain ^ *chain << 1).wrapping_add(1);
        }
    }
    black_box(chains);
    (cpu_nanos() - start) / f64::from(STEPS)
}

/// Rounds in which the processor ran at its full speed, and how many there were in all.
struct Rounds<T> {
    good: Vec<T>,
    all: usize,
}

/// The fastest step so far, in picoseconds.
static BEST: AtomicU64 = AtomicU64::new(u64::MAX);

fn rounds<T>(mut round: impl FnMut() -> T) -> Rounds<T> {
    const GOOD: usize = 20;
    const MOST: usize = 200;
    /// Where none was good by then, there are more.
    const MOST_FOR_ONE: usize = 400;
    let mut seen: Vec<(f64, T)> = Vec::new();
    let is_good = |step: f64| step * 1000.0 <= BEST.load(Ordering::Relaxed) as f64 * 1.1;
    loop {
        let good = seen.iter().filter(|(step, _)| is_good(*step)).count();
        if good >= GOOD || seen.len() >= if good == 0 { MOST_FOR_ONE } else { MOST } {
            break;
        }
        let before = step();
        let result = round();
        let after = step();
        let slowest = before.max(after);
        BEST.fetch_min((slowest * 1000.0) as u64 + 1, Ordering::Relaxed);
        seen.push((slowest, result));
    }
    let all = seen.len();
    let good = seen.into_iter().filter(|(step, _)| is_good(*step)).map(|(_, result)| result).collect();
    Rounds { good, all }
}

/// One call for all, so that the compiler does not make several of one: to a tracer these are different stacks.
#[inline(never)]
fn allocate<K: Sink>(heap: &Traced<Window, K>, layout: Layout) -> NonNull<u8> {
    heap.allocate(black_box(layout)).unwrap()
}

#[inline(never)]
fn free<K: Sink>(heap: &Traced<Window, K>, block: NonNull<u8>, layout: Layout) {
    // A call that does nothing at all would not be made.
    // SAFETY: the window asks nothing of its callers.
    unsafe { heap.deallocate(black_box(block), layout) };
}

/// Nanoseconds for an allocation and for a free, each many in a row; for one in turns; and for an allocation on stacks of
/// which the inner half changes each time.
fn times<K: Sink>(heap: &Traced<Window, K>, count: usize) -> [f64; FIGURES] {
    let layout = Layout::from_size_align(48, 16).unwrap();
    let mut blocks = vec![NonNull::dangling(); BLOCKS];
    let (mut allocs, mut frees, mut turns) = (0.0, 0.0, 0.0);
    deep(DEPTH, &mut || {
        for _ in 0..count / BLOCKS {
            let start = cpu_nanos();
            for block in &mut blocks {
                *block = allocate(heap, layout);
            }
            allocs += cpu_nanos() - start;
            let start = cpu_nanos();
            for &block in &blocks {
                free(heap, block, layout);
            }
            frees += cpu_nanos() - start;
            let start = cpu_nanos();
            for _ in 0..BLOCKS {
                free(heap, allocate(heap, layout), layout);
            }
            turns += cpu_nanos() - start;
        }
    });
    let events = (count / BLOCKS * BLOCKS) as f64;
    let start = cpu_nanos();
    deep(DEPTH / 2, &mut || {
        for index in 0..count / 4 {
            black_box(deep(DEPTH / 4 + index % DEPTH / 2, &mut || allocate(heap, layout)));
        }
    });
    let changing = (cpu_nanos() - start) / (count / 4) as f64;
    [allocs / events, frees / events, turns / events, changing]
}

/// What stands in a table: the median, or a dash where there was no round at full speed.
fn median(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).map_or("–".into(), |median| format!("{median:.1}"))
}

/// What a row's last column says.
fn told<T>(rounds: &Rounds<T>) -> String {
    match rounds.good.len() {
        0 => format!("none of {}: no figures, the machine is not quiet", rounds.all),
        good => format!("{good} of {}", rounds.all),
    }
}

/// Means of what threads took, each with a heap of its own.
fn on_threads<K: Sink + Send + Sync>(heaps: &[Traced<Window, K>], count: usize) -> [f64; FIGURES] {
    let all: Vec<[f64; FIGURES]> = std::thread::scope(|scope| {
        let running: Vec<_> = heaps.iter().map(|heap| scope.spawn(move || times(heap, count))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    std::array::from_fn(|index| all.iter().map(|times| times[index]).sum::<f64>() / heaps.len() as f64)
}

fn file(name: &str) -> (PathBuf, i32) {
    let path = std::env::temp_dir().join(format!("alloc-trace-bench-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    let file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    (path, file.into_raw_fd())
}

/// `cargo bench ... -- exact 1 heaps` runs the mode of that name alone, on one thread, and the comparison of heaps.
fn is_wanted(name: &str, threads: Option<usize>) -> bool {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let (numbers, names): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.parse::<usize>().is_ok());
    let has_number = |threads: usize| numbers.iter().any(|number| **number == threads.to_string());
    (names.is_empty() || names.iter().any(|wanted| name.starts_with(wanted.as_str())))
        && (numbers.is_empty() || threads.is_none_or(has_number))
}

fn run<K: Sink + Copy + Send + Sync>(
    name: &str,
    sink: K,
    threads: usize,
    begin: impl Fn(i32),
    end: impl Fn(),
) {
    if !is_wanted(name, Some(threads)) {
        return;
    }
    let count = if name == "log" { LOGGED } else { EVENTS };
    let heaps: Vec<_> = (0..threads).map(|thread| Traced::new(Window::new(thread), sink)).collect();
    // On as many threads: those that share a processor's core slow each other down, traced or not.
    let plain: Vec<_> = (0..threads).map(|thread| Traced::new(Window::new(thread), Null)).collect();
    let mut bytes = 0;
    let rounds = rounds(|| {
        let without = on_threads(&plain, count);
        let (path, fd) = file(name);
        begin(fd);
        let with = on_threads(&heaps, count);
        end();
        bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let _ = fs::remove_file(&path);
        std::array::from_fn(|index| with[index] - without[index])
    });
    let events = threads * (count / BLOCKS * BLOCKS * 4 + count / 4);
    let [alloc, free, turns, changing]: [String; FIGURES] = std::array::from_fn(|index| {
        median(rounds.good.iter().map(|added: &[f64; FIGURES]| added[index]).collect())
    });
    println!(
        "| {name} | {threads} | {alloc} | {free} | {turns} | {changing} | {:.2} | {} |",
        bytes as f64 / events as f64,
        told(&rounds)
    );
}

/// Nanoseconds for an allocation and its free, among 64 blocks of 16 to 519 bytes.
fn pairs(heap: &impl Strategy) -> f64 {
    let mut blocks: Vec<Option<(NonNull<u8>, Layout)>> = vec![None; 64];
    let start = cpu_nanos();
    for index in 0..EVENTS {
        let slot = &mut blocks[index * 7919 % 64];
        if let Some((block, layout)) = slot.take() {
            // SAFETY: a live block of this heap, with its layout.
            unsafe { heap.deallocate(block, layout) };
        }
        let layout = Layout::from_size_align(16 + index * 31 % 504, 16).unwrap();
        *slot = Some((heap.allocate(black_box(layout)).unwrap(), layout));
    }
    let nanos = (cpu_nanos() - start) / EVENTS as f64;
    for (block, layout) in blocks.into_iter().flatten() {
        // SAFETY: as above.
        unsafe { heap.deallocate(block, layout) };
    }
    nanos
}

/// What the switch costs a heap while it is off: in turns, both ways round.
fn off<S: Strategy>(name: &str, heap: &Traced<S, &Exact>) {
    let rounds = rounds(|| {
        let one = [pairs(heap.inner()), pairs(heap)];
        let [traced, plain] = [pairs(heap), pairs(heap.inner())];
        [one[0] + plain, one[1] + traced].map(|sum| sum / 2.0)
    });
    let plain = median(rounds.good.iter().map(|[plain, _]| *plain).collect());
    let more = median(rounds.good.iter().map(|[plain, traced]| (traced / plain - 1.0) * 100.0).collect());
    println!("| {name} | {plain} | {more} | {} |", told(&rounds));
}

fn main() {
    static HISTORY: History = History::new();
    static LOG: Log = Log::new();
    println!(
        "| mode | threads | allocation, hot stack of 20 frames | free | an allocation and its free, in turns | \
         allocation, half of the stack changed | bytes an event | rounds at full speed |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let close = |fd| alloc_trace::out::close(fd);
    run("off", &EXACT, 1, close, || ());
    for threads in [1, 2] {
        run("exact", &EXACT, threads, |fd| EXACT.start(fd).unwrap(), || EXACT.stop());
        run("aggregate", &COUNTS, threads, |fd| COUNTS.start(fd, 0).unwrap(), || COUNTS.stop());
        run(
            "sampled, 512 KiB",
            &COUNTS,
            threads,
            |fd| COUNTS.start(fd, 512 << 10).unwrap(),
            || COUNTS.stop(),
        );
        let remember = |fd| {
            close(fd);
            assert!(HISTORY.start(1 << 16));
        };
        run("history", &HISTORY, threads, remember, || HISTORY.stop());
    }
    run("log", &LOG, 1, |fd| LOG.start(fd, 128).unwrap(), || LOG.stop());
    if !is_wanted("heaps", None) {
        return;
    }
    println!(
        "\n| heap | ns for an allocation and its free | % more with a switch that is off | rounds at full speed |"
    );
    println!("|---|---|---|---|");
    off("the C library's", &Traced::new(Libc, &EXACT));
    static FREELIST: SyncFreeList = SyncFreeList::new();
    off("freelist", &Traced::new(&FREELIST, &EXACT));
    println!("\nA step of known work took {} ps at best.", BEST.load(Ordering::Relaxed));
}
