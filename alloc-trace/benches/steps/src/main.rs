//! Instructions of one event, counted one by one: `ci/count-trace.sh` runs this.
//!
//! A thread of a child process is stepped through allocations and frees under `ptrace`, while other threads of that process run
//! freely at the same. So what the kernel's clock takes is counted too (valgrind hides it), and so is what others bring about. For each
//! event: the instructions that the tracer adds, those of the kernel's among them, and how many of them are atomic
//! read-modify-writes, for which a processor waits for others. The fewest of several rounds, since an event in 48 takes a time of
//! its own. Of frees in a row, one that goes by without the clock's being asked, and one that asks.
//!
//! `--check`: also fails when a budget is exceeded, or when there is an atomic read-modify-write. A free that is not seen to share a
//! time in any of its rounds, since the machine was too slow for that, has no figure and is held to nothing.
//!
//! Exits with 77 where the system lets no process be stepped, or the processor is another.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn main() {
    eprintln!("steps: only x86-64 Linux is known; nothing was counted");
    std::process::exit(77);
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.as_slice() {
        [mode, threads] => stepped::run(mode, threads.parse().expect("a number of threads")),
        _ => stepper::table(std::env::args().any(|argument| argument == "--check")),
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "../../window/mod.rs"]
mod window;

/// Rounds that are stepped through.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
const EVENTS: usize = 32;

/// Allocations in a row, and then frees, in a round.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
const ROW: usize = 8;

/// Which of a round's events are counted. An allocation right behind another may share that one's time. So may the first free of a
/// row, for which the clock is asked, and the second, for which it is not.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
const COUNTED: [(usize, &str); 3] =
    [(1, "allocation"), (ROW, "free behind an allocation"), (ROW + 1, "free behind a free")];

/// Where there are processors enough, the thread that is stepped through has the first, with the process that does so, and the
/// others have the rest: it is to be back soon after each step.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod processors {
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Part {
        First,
        Rest,
    }

    /// Keeps the calling thread to its part. Returns what it had before.
    pub(crate) fn stay(part: Part) -> libc::cpu_set_t {
        // SAFETY: a set of bits, valid as zeros.
        let mut all: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: a place for the set, and its size.
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut all) };
        // SAFETY: a number within the set.
        let is_in = |&cpu: &usize| unsafe { libc::CPU_ISSET(cpu, &all) };
        let mine: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(is_in).collect();
        if let [first, _, ..] = mine.as_slice() {
            let mut set = all;
            for cpu in mine.iter().filter(|cpu| (*cpu == first) != (part == Part::First)) {
                // SAFETY: as above.
                unsafe { libc::CPU_CLR(*cpu, &mut set) };
            }
            restore(set);
        }
        all
    }

    pub(crate) fn restore(set: libc::cpu_set_t) {
        // SAFETY: a set of processors that this thread may use.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    }
}

/// The child: what is stepped through.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod stepped {
    use std::alloc::{GlobalAlloc, Layout};
    use std::hint::black_box;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use alloc_core::compat::Global;
    use alloc_trace::{Null, Settings, Sink, TRACER, Traced, Tracer};

    use super::window::Window;
    use super::{EVENTS, ROW, processors};

    type Heap<K> = Global<Traced<Window, K>>;

    fn layout() -> Layout {
        Layout::from_size_align(black_box(48), black_box(16)).expect("a layout")
    }

    #[inline(never)]
    fn alloc<K: Sink>(heap: &Heap<K>, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty.
        unsafe { heap.alloc(layout) }
    }

    #[inline(never)]
    fn free<K: Sink>(heap: &Heap<K>, block: *mut u8, layout: Layout) {
        // SAFETY: the window asks nothing of its callers.
        unsafe { heap.dealloc(block, layout) }
    }

    /// Where one count ends and the next begins.
    #[inline(always)]
    fn mark() {
        // SAFETY: raises a signal, which the stepping process takes.
        unsafe { std::arch::asm!("int3", options(nostack)) };
    }

    /// All events of a kind are made at one place.
    #[inline(never)]
    fn steps<K: Sink>(heap: &Heap<K>) {
        let mut blocks = [std::ptr::null_mut(); ROW];
        for _ in 0..EVENTS {
            for block in black_box(blocks.as_mut_slice()) {
                mark();
                *block = alloc(heap, layout());
                mark();
            }
            for block in black_box(blocks.as_mut_slice()) {
                mark();
                free(heap, *block, layout());
                mark();
            }
        }
    }

    #[inline(never)]
    fn deep(depth: usize, work: &mut dyn FnMut()) {
        if black_box(depth) == 0 {
            return work();
        }
        deep(depth - 1, work);
        black_box(());
    }

    pub(crate) fn run(mode: &str, threads: usize) {
        static OVER: AtomicBool = AtomicBool::new(false);
        static READY: AtomicUsize = AtomicUsize::new(1);
        if mode != "off" {
            let mut settings = Settings::default();
            let value = format!("{mode}:/dev/null{}", if mode == "sampled" { ",rate=1G" } else { "" });
            settings.set(b"STRATA_TRACE", value.as_bytes(), std::process::id()).expect("a setting");
            TRACER.start(&settings);
        }
        let others: Vec<_> = (1..threads)
            .map(|thread| {
                std::thread::spawn(move || {
                    processors::stay(processors::Part::Rest);
                    let heap: Heap<&Tracer> = Global::new(Traced::new(Window::new(thread), &TRACER));
                    for round in 0_u64.. {
                        for _ in 0..1000 {
                            free(&heap, alloc(&heap, layout()), layout());
                        }
                        READY.fetch_add(usize::from(round == 0), Ordering::Relaxed);
                        if OVER.load(Ordering::Relaxed) {
                            break;
                        }
                        // Where there are more threads than processors, the one that is stepped through has its turn.
                        std::thread::sleep(std::time::Duration::from_micros(200));
                    }
                })
            })
            .collect();
        while READY.load(Ordering::Relaxed) < threads {
            std::thread::yield_now();
        }
        processors::stay(processors::Part::First);
        let bare: Heap<Null> = Global::new(Traced::new(Window::new(0), Null));
        let traced: Heap<&Tracer> = Global::new(Traced::new(Window::new(0), &TRACER));
        deep(20, &mut || {
            // Once as it will be, with nobody counting: the first events meet everything for the first time.
            for is_stepped in black_box([false, true]) {
                if is_stepped {
                    println!("{}", std::process::id());
                    std::io::stdout().flush().expect("a pipe");
                    // Until the other process is there.
                    assert_eq!(std::io::stdin().read(&mut [0]).expect("a pipe"), 1);
                } else {
                    // SAFETY: a handler that does nothing: marks pass.
                    unsafe { libc::signal(libc::SIGTRAP, ignore as extern "C" fn(libc::c_int) as usize) };
                }
                steps(&bare);
                steps(&traced);
            }
        });
        OVER.store(true, Ordering::Relaxed);
        others.into_iter().for_each(|thread| thread.join().expect("a thread"));
        // Not into a file: what is pending is not looked at.
        std::process::exit(0);
    }

    extern "C" fn ignore(_: libc::c_int) {}
}

/// The parent: steps and counts.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod stepper {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::{COUNTED, EVENTS, ROW, processors};

    #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
    struct Count {
        all: i64,
        kernels: i64,
        locked: i64,
    }

    fn fail(what: &str) -> ! {
        eprintln!("steps: {what}: {}; nothing was counted", std::io::Error::last_os_error());
        std::process::exit(77);
    }

    fn ptrace(request: libc::c_uint, thread: i32, place: usize, data: usize) -> i64 {
        // SAFETY: requests about a child that is stopped, or is asked to be traced; places are in its memory, or in ours where
        // registers go to.
        unsafe { libc::ptrace(request, thread, place, data) }
    }

    /// Waits for the thread's next stop. `false`: it has ended.
    fn stopped(thread: i32) -> bool {
        let mut status = 0;
        // SAFETY: a child, and a place for its state.
        if unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) } != thread {
            fail("the child is not to be waited for");
        }
        libc::WIFSTOPPED(status)
    }

    /// Whether the instruction's bytes are those of an atomic read-modify-write.
    fn is_locked(bytes: [u8; 8]) -> bool {
        let prefixes = [0x66, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];
        let mut rest = bytes.iter().copied().skip_while(|byte| prefixes.contains(byte));
        let mut first = rest.next();
        if first == Some(0xf0) {
            return true;
        }
        if first.is_some_and(|byte| byte & 0xf0 == 0x40) {
            first = rest.next();
        }
        // An exchange with memory needs no prefix.
        matches!(first, Some(0x86 | 0x87)) && rest.next().is_some_and(|operands| operands < 0xc0)
    }

    fn vdso(process: i32) -> std::ops::Range<u64> {
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap_or("0-0 ");
        let (low, high) =
            line.split(' ').next().and_then(|range| range.split_once('-')).unwrap_or(("0", "0"));
        let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
        number(low)..number(high)
    }

    /// Counts between marks, in order, of a child that does events in `mode` beside others.
    fn counts(mode: &str, threads: usize) -> Vec<Count> {
        let program = std::env::current_exe().expect("this program has a name");
        let mut child = Command::new(program)
            .args([mode, &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let thread: i32 = line.trim().parse().expect("the child's number");
        if ptrace(libc::PTRACE_SEIZE, thread, 0, 0) != 0 {
            let _ = child.kill();
            fail("the child is not to be stepped through");
        }
        let kernels = vdso(thread);
        let all = processors::stay(processors::Part::First);
        child.stdin.take().expect("a pipe").write_all(b"x").expect("a pipe");
        // What stands at each address does not change.
        let mut code = HashMap::new();
        let (mut counts, mut count, mut marks) = (Vec::new(), None::<Count>, 0_usize);
        // Bounded, as the child's events are.
        while counts.len() < 2 * COUNTED.len() * EVENTS && stopped(thread) {
            let at =
                ptrace(libc::PTRACE_PEEKUSER, thread, std::mem::offset_of!(libc::user_regs_struct, rip), 0)
                    as u64;
            let bytes = *code
                .entry(at)
                .or_insert_with(|| ptrace(libc::PTRACE_PEEKTEXT, thread, at as usize, 0).to_le_bytes());
            if count.is_none() {
                // A mark was passed, one of two of an event.
                let event = marks / 2 % (2 * ROW);
                marks += 1;
                if marks % 2 == 1 && COUNTED.iter().any(|&(counted, _)| counted == event) {
                    count = Some(Count::default());
                }
            }
            if let Some(counting) = &mut count {
                if bytes[0] == 0xcc {
                    counts.extend(count.take());
                } else {
                    counting.all += 1;
                    counting.kernels += i64::from(kernels.contains(&at));
                    counting.locked += i64::from(is_locked(bytes));
                }
            }
            let request = if count.is_some() { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT };
            ptrace(request, thread, 0, 0);
        }
        processors::restore(all);
        ptrace(libc::PTRACE_DETACH, thread, 0, 0);
        let _ = child.kill();
        let _ = child.wait();
        counts
    }

    /// The fewest of each, and the most of those that are locked.
    fn of(counts: &[Count], kind: usize) -> Count {
        let of_kind = || counts.chunks(COUNTED.len()).filter_map(|round| round.get(kind));
        let fewest = of_kind().min().copied().unwrap_or_default();
        Count { locked: of_kind().map(|count| count.locked).max().unwrap_or(0), ..fewest }
    }

    /// Instructions that a mode may add to an allocation and to a free, with the kernel's among them. An exact allocation, stepped
    /// through, outlasts the clock's step and has a time of its own, for which the clock is asked twice.
    const BUDGETS: [(&str, [i64; 3]); 3] =
        [("off", [2, 2, 2]), ("sampled", [8, 12, 12]), ("exact", [780, 138, 82])];

    pub(crate) fn table(check: bool) {
        let mut exceeded = false;
        println!(
            "| mode | threads | event | instructions more | the kernel's among them | atomic read-modify-writes | budget |"
        );
        println!("|---|---|---|---|---|---|---|");
        for (mode, budgets) in BUDGETS {
            for threads in [1, 2, 4, 8] {
                let counts = counts(mode, threads);
                // First those without a tracer.
                let (bare, traced) = counts.split_at(counts.len().min(COUNTED.len() * EVENTS));
                // What asking the clock takes. An event that asks twice has a time of its own; a free may do without.
                let asking = |count: &Count| count.kernels > 0;
                let of_kind = |kind| traced.iter().skip(kind).step_by(COUNTED.len());
                let once =
                    of_kind(0).chain(of_kind(1)).filter(|count| asking(count)).map(|count| count.kernels);
                let once = once.min().unwrap_or(0);
                for (kind, (_, event)) in COUNTED.into_iter().enumerate() {
                    let (bare, traced) = (of(bare, kind), of(traced, kind));
                    let (more, budget) = (traced.all - bare.all, budgets[kind]);
                    if (kind == 1 && traced.kernels > once)
                        || (kind == 2 && once > 0 && traced.kernels >= once)
                    {
                        println!("| {mode} | {threads} | {event} | – | – | {} | {budget} |", traced.locked);
                    } else {
                        let (kernels, locked) = (traced.kernels, traced.locked);
                        println!(
                            "| {mode} | {threads} | {event} | {more} | {kernels} | {locked} | {budget} |"
                        );
                        exceeded |= more > budget;
                    }
                    exceeded |= traced.locked > 0;
                }
            }
        }
        if check && exceeded {
            eprintln!("steps: a budget is exceeded, or threads wait for each other");
            std::process::exit(1);
        }
    }
}
