//! The time of single operations and of fills, beside the peers: `ci/bench-bump.sh` prints the table.

mod peers;

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use alloc_bump::SyncBump;
use blink_alloc::SyncBlinkAlloc;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use peers::{Arena, BlinkArena, BumpScope, Bumpalo, Ours, OursDown, OursUp8};

/// Operations between two resets: what they take fits the second cache.
const OPERATIONS: usize = 4096;

/// Runs a function for every arena of one thread, under its name.
macro_rules! each {
    ($group:expr, $bench:ident $(, $argument:expr)*) => {
        $bench::<Ours>(&mut $group, "alloc-bump up" $(, $argument)*);
        $bench::<OursUp8>(&mut $group, "alloc-bump up 8" $(, $argument)*);
        $bench::<OursDown>(&mut $group, "alloc-bump down" $(, $argument)*);
        $bench::<SyncBump>(&mut $group, "alloc-bump sync" $(, $argument)*);
        $bench::<Bumpalo<1>>(&mut $group, "bumpalo" $(, $argument)*);
        $bench::<BumpScope<1, true>>(&mut $group, "bump-scope up" $(, $argument)*);
        $bench::<BumpScope<1, false>>(&mut $group, "bump-scope down" $(, $argument)*);
        $bench::<BlinkArena>(&mut $group, "blink-alloc" $(, $argument)*);
    };
}

/// Many operations on an arena that has the room already; resets are not timed.
fn operations<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, operation: impl Fn(&A) + Copy) {
    let mut arena = A::default();
    for _ in 0..3 {
        for _ in 0..OPERATIONS {
            operation(&arena);
        }
        arena.reset();
    }
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                for _ in 0..OPERATIONS {
                    operation(&arena);
                }
                spent += start.elapsed();
                arena.reset();
            }
            spent
        });
    });
}

fn constant<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    operations(group, name, |arena: &A| {
        black_box(arena.u32(black_box(1)));
    });
}

fn unknown<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    operations(group, name, |arena: &A| {
        black_box(arena.layout(black_box(Layout::new::<[u32; 3]>())));
    });
}

/// One block, and its growth in three steps.
fn grow<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    operations(group, name, |arena: &A| {
        let layouts = black_box([16, 32, 64, 128]).map(|size| Layout::from_size_align(size, 8).unwrap());
        let mut block = arena.layout(layouts[0]);
        for pair in layouts.windows(2) {
            let live = NonNull::new(block).unwrap();
            // SAFETY: the block is live and has the layout that came before.
            block = unsafe { arena.grow(live, pair[0], pair[1]) };
        }
        black_box(block);
    });
}

/// A request's worth of work: 200 values, then reset, in an arena that is kept.
fn warm<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    let mut arena = A::default();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for value in 0..100 {
                black_box(arena.u32(value));
                black_box(arena.line([u64::from(value); 8]));
            }
            arena.reset();
        });
    });
}

/// The same in an arena of its own each time.
fn fresh<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let arena = A::default();
            for value in 0..100 {
                black_box(arena.u32(value));
                black_box(arena.line([u64::from(value); 8]));
            }
        });
    });
}

/// A new arena is filled with blocks of 64 bytes and dropped, all of whose memory comes from the system and goes back
/// there: nothing is kept from one to the next.
fn cold<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, bytes: u64) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let arena = A::default();
            for value in 0..bytes / 64 {
                black_box(arena.line([value; 8]));
            }
            drop(arena);
            A::cool();
        });
    });
}

/// A vector of 100,000 numbers, grown by pushing, in a warm arena.
fn vec<A: Arena>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    let mut arena = A::default();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            black_box(arena.vec(black_box(100_000)));
            arena.reset();
        });
    });
}

/// Blocks of 64 bytes that each of two threads takes.
const FILL: u64 = (32 << 20) / 64;

/// Two threads run `fill` on one new value of `A`, which is made and dropped outside of the time.
fn threads<A: Sync>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    make: impl Fn() -> A,
    fill: impl Fn(&A) + Sync,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let arena = make();
                let barrier = Barrier::new(3);
                std::thread::scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| {
                            barrier.wait();
                            fill(&arena);
                            barrier.wait();
                        });
                    }
                    barrier.wait();
                    let start = Instant::now();
                    barrier.wait();
                    spent += start.elapsed();
                });
            }
            spent
        });
    });
}

/// Fills an arena that threads share, by way of a function that takes one block.
fn fill<A>(arena: &A, line: impl Fn(&A, [u64; 8])) {
    for value in 0..FILL {
        line(arena, [value; 8]);
    }
}

fn two_threads(group: &mut BenchmarkGroup<'_, WallTime>) {
    threads(group, "alloc-bump sync", SyncBump::new, |arena| {
        fill(arena, |arena, line| {
            black_box(arena.alloc(line));
        });
    });
    threads(group, "blink-alloc sync", SyncBlinkAlloc::new, |arena| {
        fill(arena, |arena, line| {
            let block = arena.allocate(Layout::new::<[u64; 8]>()).unwrap().cast::<[u64; 8]>();
            // SAFETY: a new block of this layout.
            unsafe { block.write(line) };
            black_box(block);
        });
    });
    threads(
        group,
        "bumpalo in a mutex",
        || Mutex::new(bumpalo::Bump::new()),
        |arena| {
            fill(arena, |arena, line| {
                black_box(arena.lock().unwrap().alloc(line));
            });
        },
    );
    threads(
        group,
        "bumpalo, one per thread",
        || (),
        |()| {
            fill(&bumpalo::Bump::new(), |arena, line| {
                black_box(arena.alloc(line));
            });
        },
    );
    threads(
        group,
        "bump-scope, one per thread",
        || (),
        |()| {
            fill(&BumpScope::<1, true>::new(), |arena, line| {
                black_box(arena.line(line));
            });
        },
    );
}

fn benches(criterion: &mut Criterion) {
    // The C library, which the peers' chunks come from, otherwise learns to keep memory of the sizes that it sees freed,
    // so that from the second round on a fill would be warm. The chunks of a few KiB that arenas begin with stay warm.
    // SAFETY: a call without conditions; other threads do not run.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10) };
    // SAFETY: as above.
    unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10) };

    let mut group = criterion.benchmark_group("1 constant size");
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    each!(group, constant);
    group.finish();

    let mut group = criterion.benchmark_group("2 unknown layout");
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    each!(group, unknown);
    group.finish();

    let mut group = criterion.benchmark_group("3 block grown three times");
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    each!(group, grow);
    group.finish();

    let mut group = criterion.benchmark_group("4 warm cycle of 200 values");
    each!(group, warm);
    group.finish();

    let mut group = criterion.benchmark_group("5 new arena, 200 values, drop");
    each!(group, fresh);
    group.finish();

    let mut group = criterion.benchmark_group("6 vec of 100000 u64");
    each!(group, vec);
    group.finish();

    let mut group = criterion.benchmark_group("7 cold fill of 1 MiB");
    each!(group, cold, 1 << 20);
    group.finish();

    let mut group = criterion.benchmark_group("8 cold fill of 64 MiB");
    group.sample_size(10);
    each!(group, cold, 64 << 20);
    group.finish();

    // A virtual machine's memory comes from its host at the first touch ever, which the first case would pay for all.
    black_box(vec![1_u8; 1280 << 20]);
    let mut group = criterion.benchmark_group("9 cold fill of 1 GiB");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(1));
    each!(group, cold, 1 << 30);
    group.finish();

    let mut group = criterion.benchmark_group("10 two threads, 32 MiB each");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    two_threads(&mut group);
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = benches
}
criterion_main!(all);
