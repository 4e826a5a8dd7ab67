//! Random actions: throughput with so many blocks live.

use std::alloc::Layout;
use std::sync::Barrier;
use std::time::Instant;

use alloc_core::sync::RawLock;

use crate::memory;
use crate::peers::Arena;
use crate::random::Random;

/// Bytes of the arena: twice what the largest row has live, so that nothing is refused.
const ARENA: usize = 128 << 20;
const LARGEST: usize = 8192;
pub(crate) const OPS: usize = 200_000;

/// An arena under the lock that all of them get.
pub(crate) struct Locked<A>(RawLock, A);

// SAFETY: the arena is used with the lock held, by one thread at a time.
unsafe impl<A> Sync for Locked<A> {}
// SAFETY: arenas are bound to no thread.
unsafe impl<A> Send for Locked<A> {}

impl<A> Locked<A> {
    #[inline(always)]
    fn with<T>(&self, act: impl FnOnce(&A) -> T) -> T {
        self.0.lock();
        let answer = act(&self.1);
        // SAFETY: locked above, by this thread.
        unsafe { self.0.unlock() };
        answer
    }
}

/// How threads reach the arena.
pub(crate) trait Access<A: Arena>: Sync {
    fn with<T>(&self, act: impl FnOnce(&A) -> T) -> T;
}

/// For the only thread.
pub(crate) struct Alone<A>(A);

// SAFETY: only one thread is started with it.
unsafe impl<A> Sync for Alone<A> {}

impl<A: Arena> Access<A> for Alone<A> {
    #[inline(always)]
    fn with<T>(&self, act: impl FnOnce(&A) -> T) -> T {
        act(&self.0)
    }
}

impl<A: Arena> Access<A> for Locked<A> {
    #[inline(always)]
    fn with<T>(&self, act: impl FnOnce(&A) -> T) -> T {
        Locked::with(self, act)
    }
}

/// For threads that an arena keeps apart by itself.
pub(crate) struct Shared<A>(A);

impl<A: Arena + Sync> Access<A> for Shared<A> {
    #[inline(always)]
    fn with<T>(&self, act: impl FnOnce(&A) -> T) -> T {
        act(&self.0)
    }
}

struct Block(*mut u8, Layout);

/// What to do next, drawn before the clock starts: `pick` chooses a block, as a share of those that are live.
#[derive(Clone, Copy)]
struct Action {
    kind: u8,
    align: u8,
    size: u16,
    pick: u32,
}

/// One thread's blocks.
struct Worker {
    blocks: Vec<Block>,
    actions: Vec<Action>,
    random: Random,
    live: usize,
}

// SAFETY: the blocks are the worker's, and allocators are bound to no thread.
unsafe impl Send for Worker {}

impl Worker {
    fn new(seed: u64, live: usize) -> Self {
        let (blocks, actions) = (Vec::with_capacity(live * 2), Vec::with_capacity(OPS));
        Self { blocks, actions, random: Random::new(seed), live }
    }

    fn draw(&mut self) {
        let random = &mut self.random;
        self.actions.clear();
        self.actions.extend((0..OPS).map(|_| Action {
            kind: random.below(7) as u8,
            align: random.align().ilog2() as u8,
            size: random.size(LARGEST) as u16,
            pick: random.next() as u32,
        }));
    }

    /// A seventh of all actions resizes; of the others, half allocate and half free, about `live` blocks.
    fn work<A: Arena>(&mut self, arena: &impl Access<A>) {
        for action in &self.actions {
            let count = self.blocks.len();
            let index = ((u64::from(action.pick) * count as u64) >> 32) as usize;
            let size = usize::from(action.size);
            if action.kind == 6 && count > 0 {
                let Block(block, layout) = self.blocks[index];
                // SAFETY: the block is live, with this layout.
                let moved = arena.with(|arena| unsafe { arena.resize(block, layout, size) });
                assert!(!moved.is_null(), "the arena suffices");
                // SAFETY: the alignment is that of a layout, and the size small.
                self.blocks[index] =
                    Block(moved, unsafe { Layout::from_size_align_unchecked(size, layout.align()) });
            } else if count < self.live || (action.kind < 3 && count < self.live * 2) {
                // SAFETY: alignments are drawn as powers of two, and the size is small.
                let layout = unsafe { Layout::from_size_align_unchecked(size, 1 << action.align) };
                let block = arena.with(|arena| arena.allocate(layout));
                assert!(!block.is_null(), "the arena suffices");
                // SAFETY: the block has at least a byte.
                unsafe { block.write(1) };
                self.blocks.push(Block(block, layout));
            } else {
                let Block(block, layout) = self.blocks.swap_remove(index);
                // SAFETY: the block is live, with this layout.
                arena.with(|arena| unsafe { arena.free(block, layout) });
            }
        }
    }
}

/// An allocator in the middle of its actions, to be taken in turns with others.
pub(crate) trait Running {
    fn name(&self) -> &'static str;
    /// Millions of actions in a second, all threads together.
    fn round(&mut self) -> f64;
}

struct Run<A: Arena, S: Access<A>> {
    name: &'static str,
    arena: S,
    workers: Vec<Worker>,
    of: std::marker::PhantomData<fn() -> A>,
}

/// A run of one thread without a lock, or of several under one.
pub(crate) fn run<A: Arena + 'static>(live: usize, threads: usize) -> Box<dyn Running> {
    let arena = A::over(memory::fresh(ARENA));
    if threads == 1 {
        started(A::NAME, Alone(arena), live, threads)
    } else {
        started(A::NAME, Locked(RawLock::new(), arena), live, threads)
    }
}

/// A run of one thread under a lock, as if there could be others.
pub(crate) fn run_locked<A: Arena + 'static>(name: &'static str, live: usize) -> Box<dyn Running> {
    started(name, Locked(RawLock::new(), A::over(memory::fresh(ARENA))), live, 1)
}

/// A run whose threads all use the arena as it is.
pub(crate) fn run_shared<A: Arena + Sync + 'static>(live: usize, threads: usize) -> Box<dyn Running> {
    started::<A>(A::NAME, Shared(A::over(memory::fresh(ARENA))), live, threads)
}

/// A run that has come to its number of live blocks.
fn started<A: Arena + 'static>(
    name: &'static str,
    arena: impl Access<A> + 'static,
    live: usize,
    threads: usize,
) -> Box<dyn Running> {
    let workers = (0..threads).map(|seed| Worker::new(seed as u64 + 1, live / threads)).collect();
    // In its box before it is used: some allocators must not be moved then.
    let mut run = Box::new(Run { name, arena, workers, of: std::marker::PhantomData::<fn() -> A> });
    for _ in 0..(live * 4).div_ceil(OPS).max(2) {
        run.round();
    }
    run
}

impl<A: Arena, S: Access<A>> Running for Run<A, S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn round(&mut self) -> f64 {
        let arena = &self.arena;
        self.workers.iter_mut().for_each(Worker::draw);
        let count = self.workers.len();
        let barrier = Barrier::new(count);
        let seconds = if let [worker] = &mut self.workers[..] {
            let begin = Instant::now();
            worker.work(arena);
            begin.elapsed().as_secs_f64()
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = self
                    .workers
                    .iter_mut()
                    .map(|worker| {
                        let barrier = &barrier;
                        scope.spawn(move || {
                            barrier.wait();
                            let begin = Instant::now();
                            worker.work(arena);
                            begin.elapsed().as_secs_f64()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("a worker ends")).fold(0.0, f64::max)
            })
        };
        (OPS * count) as f64 / seconds / 1e6
    }
}
