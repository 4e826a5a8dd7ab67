//! Running this binary again, traced, with work to do.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc;

use alloc_trace::report::{self, Snapshot};
use alloc_trace::{Counts, Settings, TRACER};

use crate::GLOBAL;

/// What the child counted itself, between start and end of the trace.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) allocs: u64,
    pub(crate) frees: u64,
    pub(crate) resizes: u64,
}

/// A child's trace.
pub(crate) struct Run {
    pub(crate) path: PathBuf,
    pub(crate) counted: Option<Counted>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        report::read_trace(&self.bytes()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Runs a work in a child, traced exactly.
pub(crate) fn run(work: &str) -> Run {
    run_in("", work)
}

/// Runs a work in a child, traced in a mode (`""`, or a name and a colon), into a file of its own. Options may follow, each
/// behind a comma.
pub(crate) fn run_in(mode: &str, work: &str) -> Run {
    let (mode, options) = mode.split_at(mode.find(',').unwrap_or(mode.len()));
    let name = format!("{}-{work}-{:?}-{mode}.strata", std::process::id(), std::thread::current().id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(['(', ')', ':'], ""));
    let _ = fs::remove_file(&path);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("TRACED_WORK", work).env("TRACED_MODE", mode).env("TRACED_PATH", &path);
    let output = command.env("TRACED_OPTIONS", options).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}="))?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let counted = number("allocs").map(|allocs| Counted {
        allocs,
        frees: number("frees").unwrap(),
        resizes: number("resizes").unwrap(),
    });
    assert_eq!(output.status.success(), work != "killed", "{}", String::from_utf8_lossy(&output.stderr));
    Run { path, counted, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Runs before `main`, and in children instead of it: the test harness has threads of its own, whose allocations would come
/// between the child's counts and its trace.
#[used]
#[unsafe(link_section = ".init_array")]
static WORK: extern "C" fn() = work;

extern "C" fn work() {
    let (Ok(work), Ok(path)) = (std::env::var("TRACED_WORK"), std::env::var("TRACED_PATH")) else { return };
    let mode = std::env::var("TRACED_MODE").unwrap_or_default();
    let options = std::env::var("TRACED_OPTIONS").unwrap_or_default();
    let mut reader = -1;
    let place = match work.as_str() {
        "full" => "/dev/full".to_owned(),
        "unread" => {
            let mut ends = [0; 2];
            // SAFETY: a place for two descriptors.
            assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
            reader = ends[0];
            format!("fd={}", ends[1])
        }
        _ => path,
    };
    let mut settings = Settings::default();
    settings.set(b"STRATA_TRACE", format!("{mode}{place}{options}").as_bytes(), std::process::id()).unwrap();
    TRACER.start(&settings);
    let before = GLOBAL.strategy().inner().counts();
    match work.as_str() {
        "threads" => threads(),
        "leaks" => leaks(),
        "killed" => {
            threads();
            // SAFETY: a signal to this very thread.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        "forks" => forks(),
        "bursts" => bursts(),
        "pauses" => pauses(),
        "full" => tidy(),
        "unread" => {
            // SAFETY: a descriptor of ours, which nothing else uses.
            unsafe { libc::close(reader) };
            threads();
        }
        "limited" => {
            let limit = libc::rlimit { rlim_cur: 100_000, rlim_max: 100_000 };
            // SAFETY: a limit that exists, and a value for it.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
            threads();
        }
        "sizes" => sizes(),
        other => panic!("no work {other}"),
    }
    let Counts { allocs, frees, resizes, .. } = GLOBAL.strategy().inner().counts();
    let [allocs, frees, resizes] = [allocs - before.allocs, frees - before.frees, resizes - before.resizes];
    TRACER.finish(GLOBAL.strategy());
    println!("allocs={allocs} frees={frees} resizes={resizes} done");
    std::process::exit(0);
}

/// Four threads that allocate, resize, and hand blocks to each other.
fn threads() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| mpsc::channel::<Vec<u8>>()).unzip();
    std::thread::scope(|scope| {
        for (index, receiver) in receivers.into_iter().enumerate() {
            let next = senders[(index + 1) % 4].clone();
            scope.spawn(move || {
                let mut map = BTreeMap::new();
                for turn in 0..5000_usize {
                    let mut block = vec![index as u8; turn % 700 + 1];
                    block.resize(turn % 1300 + 1, 0);
                    if turn % 3 == 0 {
                        let _ = next.send(block);
                    } else {
                        map.insert(turn * 7919 % 4001, black_box(block));
                    }
                    drop(receiver.try_recv());
                }
            });
        }
        drop(senders);
    });
}

/// A thousand bytes, ten times, and never freed.
#[inline(never)]
fn leaky() {
    for _ in 0..10 {
        inlined();
    }
}

/// Has no frame of its own.
#[inline(always)]
fn inlined() {
    std::mem::forget(black_box(vec![1_u8; 1000]));
}

#[inline(never)]
fn tidy() {
    for _ in 0..50 {
        drop(black_box(vec![1_u8; 100_000]));
    }
}

fn leaks() {
    leaky();
    tidy();
}

/// A child of the child allocates too; the trace stays the parent's.
fn forks() {
    let kept = black_box(vec![1_u8; 12_345]);
    // SAFETY: the child only allocates, frees, and ends without running what belongs to the parent.
    let child = unsafe { libc::fork() };
    if child == 0 {
        for size in 1..2000 {
            drop(black_box(vec![0_u8; size]));
        }
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    drop(kept);
}

/// Blocks that are handed over in turn, and freed between frees of the receiver's own.
fn bursts() {
    const TURNS: usize = 1000;
    let hand = AtomicPtr::<[u8; 48]>::new(ptr::null_mut());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..TURNS {
                while !hand.load(Ordering::Acquire).is_null() {
                    std::thread::yield_now();
                }
                hand.store(Box::into_raw(Box::new([turn as u8; 48])), Ordering::Release);
            }
        });
        let own: Vec<_> = (0..2 * TURNS).map(|turn| Box::new([turn as u8; 48])).collect();
        let mut own = own.into_iter();
        for _ in 0..TURNS {
            drop(own.next());
            drop(own.next());
            let mut given = ptr::null_mut::<[u8; 48]>();
            while given.is_null() {
                std::thread::yield_now();
                given = hand.swap(ptr::null_mut(), Ordering::Acquire);
            }
            // SAFETY: a box that the other thread gave away, once.
            drop(unsafe { Box::from_raw(given) });
        }
    });
}

/// Frees in rows, with pauses between some of them: of small blocks (31 bytes), of large ones (5000), and behind no free.
fn pauses() {
    fn row<const SIZE: usize>(count: usize, millis: u64) {
        let blocks: Vec<Box<[u8; SIZE]>> = (0..count).map(|_| black_box(Box::new([1; SIZE]))).collect();
        for block in blocks {
            drop(black_box(block));
            std::thread::sleep(std::time::Duration::from_millis(millis));
        }
    }
    row::<5000>(5, 30);
    row::<31>(40, 30);
}

/// Many blocks of mixed sizes from two stacks, a third of which stay.
fn sizes() {
    let mut kept = Vec::with_capacity(100_000);
    for turn in 0..200_000_usize {
        let size = [24, 100, 700, 5000, 30_000][turn * turn % 5];
        let block = black_box(Vec::<u8>::with_capacity(size));
        if turn % 3 == 0 {
            kept.push(block);
        }
    }
    TRACER.finish(GLOBAL.strategy());
    drop(kept);
}
