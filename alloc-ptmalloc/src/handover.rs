//! Blocks on their way home: magazines for the inboxes of other arenas, and single blocks for the arena that they came from.

use core::ptr::NonNull;

use alloc_core::Misuse;
use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use crate::arena::{Arena, State};
use crate::chunk::Chunk;
use crate::class;
use crate::instance::Instance;
use crate::magazine::{Magazine, Stack};
use crate::owner;
use crate::tcache::budget;

/// Bytes that may wait in an inbox before whoever brings more puts them away himself.
const HELP_FROM: usize = 256 << 10;

impl<B: Backend> Instance<B> {
    /// Puts away what other threads handed over. The arena is locked.
    pub(crate) fn drain(&self, arena: &Arena, state: &mut State) {
        let mut waiting = arena.inbox.take();
        // SAFETY: what was taken from the inbox is ours alone.
        while let Some(magazine) = unsafe { waiting.pop() } {
            // SAFETY: the arena is locked, and the blocks are its own.
            unsafe { state.keep(&self.source, magazine) };
        }
    }

    /// Puts away what other threads hand over to an arena that has no threads, which nobody else would.
    pub(crate) fn help(&self, arena: &Arena) {
        arena.inbox.help(|| {
            // Relaxed: after the fence in `help`, which pairs with the sender's.
            if arena.attached_threads.load(Ordering::Relaxed) != 0 {
                return false;
            }
            let Some(mut state) = arena.state.try_lock() else { return false };
            self.drain(arena, &mut state);
            true
        });
    }

    /// Works on an arena under its lock, after putting away what waits there.
    pub(crate) fn locked<R>(&self, arena: &Arena, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = arena.state.lock();
        self.drain(arena, &mut state);
        let done = work(&mut state);
        let strays = state.take_strays();
        drop(state);
        self.send_home(strays);
        if !self.has_one_arena() {
            // What came meanwhile may have been left to us.
            self.help(arena);
        }
        done
    }

    /// Hands blocks over that an arena found in its depot and that are not its own. No arena is locked.
    #[inline]
    pub(crate) fn send_home(&self, strays: Stack) {
        if !strays.is_empty() {
            self.sort_home(strays);
        }
    }

    #[cold]
    fn sort_home(&self, mut strays: Stack) {
        let mut sorter: Option<Sorter> = None;
        // SAFETY: the stack is ours.
        while let Some(mut magazine) = unsafe { strays.pop() } {
            if let Some(done) = sorter.take_if(|sorter| sorter.class != magazine.class) {
                done.end(self);
            }
            let sorter = sorter.get_or_insert_with(|| Sorter::new(magazine.class));
            // SAFETY: as above.
            while let Some(block) = unsafe { magazine.pop() } {
                // SAFETY: the block came out of a magazine of the class.
                unsafe { sorter.put(self, owner::of(block.addr().get()), block) };
            }
        }
        if let Some(sorter) = sorter {
            sorter.end(self);
        }
    }

    /// Hands a magazine over to the arena that its blocks came from, or, of a small class, most of them.
    ///
    /// # Safety
    /// The magazine is not empty, its blocks are nobody else's, and of the arena `id` unless the class is small.
    pub(crate) unsafe fn hand_over(&self, id: u16, magazine: Magazine) {
        let Some(arena) = owner::arena_of(id) else {
            // Only a block that was never ours can be of no arena.
            if let Some(block) = NonNull::new(magazine.head.cast()) {
                self.source.misuse(Misuse::ForeignPointer, block);
            }
            return;
        };
        // SAFETY: arenas live as long as their instance, hence as long as a block of theirs is in use.
        let arena = unsafe { arena.as_ref() };
        let bytes = magazine.count * class::chunk_size(magazine.class);
        // SAFETY: the caller's promise.
        let waiting = unsafe { arena.inbox.push(magazine, bytes) };
        // An owner that does not come leaves it to those who bring.
        // Relaxed: after the fence in `push`.
        if arena.attached_threads.load(Ordering::Relaxed) == 0 {
            self.help(arena);
        } else if waiting > HELP_FROM
            && let Some(mut state) = arena.state.try_lock()
        {
            self.drain(arena, &mut state);
        }
    }

    /// Whether `block` lies in the depot of an arena, its own or another: for the closer look at a block that holds the key.
    #[cold]
    pub(crate) fn keeps(&self, class: usize, block: NonNull<u8>) -> bool {
        self.each_arena(|arena| {
            // SAFETY: the arena is locked.
            self.locked(arena, |state| unsafe { state.depot.holds(class, block) }).then_some(())
        })
        .is_some()
    }

    /// Gives one block back to its arena.
    ///
    /// # Safety
    /// The block lies in a heap, was handed out by this instance and given up by its holder; or it never was: that is what the
    /// checks are for.
    pub(crate) unsafe fn give_back(&self, block: NonNull<u8>) {
        let Some(arena) = owner::arena_of(owner::of(block.addr().get())) else {
            return self.source.misuse(Misuse::ForeignPointer, block);
        };
        // SAFETY: in a heap, where the chunk of a block lies before it.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: arenas live as long as their instance.
        let arena = unsafe { arena.as_ref() };
        self.locked(arena, |state| {
            // SAFETY: the arena is locked; the caller's promise.
            unsafe { state.free(&self.source, chunk) };
            self.examine(state);
        });
    }
}

/// Arenas whose blocks are told apart in one round. Blocks of more are handed over in more pieces.
const DESTINATIONS: usize = 8;

/// Blocks of one class on their way to the arenas that they came from.
pub(crate) struct Sorter {
    class: usize,
    /// Blocks of a list at most.
    most: usize,
    lists: [(u16, Magazine); DESTINATIONS],
}

impl Sorter {
    pub(crate) fn new(class: usize) -> Self {
        Self { class, most: budget::most(class), lists: [(0, Magazine::empty(class)); DESTINATIONS] }
    }

    /// Puts a block with those of its arena, `id`.
    ///
    /// # Safety
    /// The block came out of a magazine of the class, and is nobody else's.
    #[inline]
    pub(crate) unsafe fn put<B: Backend>(&mut self, instance: &Instance<B>, id: u16, block: NonNull<u8>) {
        // In bounds by the remainder.
        let Some((taken, list)) = self.lists.get_mut(usize::from(id) % DESTINATIONS) else { return };
        if (*taken != id || list.count >= self.most) && list.count > 0 {
            // SAFETY: the blocks came from the arena `taken` and are ours.
            unsafe { instance.hand_over(*taken, *list) };
            *list = Magazine::empty(self.class);
        }
        *taken = id;
        // SAFETY: the caller's promise.
        unsafe { list.push(block, instance.source.key) };
    }

    /// Hands over what was put.
    pub(crate) fn end<B: Backend>(self, instance: &Instance<B>) {
        for (id, list) in self.lists {
            if list.count > 0 {
                // SAFETY: the blocks came from the arena `id` and are ours.
                unsafe { instance.hand_over(id, list) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::ptr::NonNull;
    use std::thread;
    use std::vec::Vec;

    use alloc_core::Inspect;
    use alloc_core::sync::atomic::Ordering;

    use crate::class;
    use crate::config::{Config, Era};
    use crate::owner;
    use crate::ptmalloc::Ptmalloc;

    struct Blocks(Vec<NonNull<u8>>);

    // SAFETY: the blocks are nobody's but their holder's.
    unsafe impl Send for Blocks {}

    const SIZE: usize = 100;

    fn blocks(heap: &Ptmalloc, count: usize) -> Blocks {
        Blocks((0..count).map(|_| heap.malloc(SIZE).expect("memory")).collect())
    }

    /// The blocks in depots of other arenas than their own.
    fn strays(heap: &Ptmalloc) -> Blocks {
        let mut strays = Vec::new();
        heap.used().expect("in use").each_arena(|arena| {
            let state = arena.state.lock();
            let mut stack = state.depot.stack(class::of_request(SIZE));
            // SAFETY: a copy of the stack is walked, and nothing written.
            while let Some(mut magazine) = unsafe { stack.pop() } {
                // SAFETY: as above.
                while let Some(block) = unsafe { magazine.pop() } {
                    if owner::of(block.addr().get()) != arena.id {
                        strays.push(block);
                    }
                }
            }
            None::<()>
        });
        Blocks(strays)
    }

    /// Two threads' blocks come back through one of them, so mixed that some magazines' newest are all its own.
    fn mixed() -> (Ptmalloc, Blocks) {
        let heap = Ptmalloc::new(Config { arena_max: 2, ..Config::new(Era::Ours) });
        let theirs = blocks(&heap, 2000);
        let found = thread::scope(|scope| {
            let heap = &heap;
            let other = scope.spawn(move || {
                let (theirs, own) = ({ theirs }, blocks(heap, 1000));
                for (ten, five) in theirs.0.chunks(10).zip(own.0.chunks(5)) {
                    for &block in ten.iter().chain(five) {
                        // SAFETY: live blocks of the heap, which are not used again.
                        unsafe { alloc_core::SizedBlocks::free(heap, block) };
                    }
                }
                strays(heap)
            });
            other.join().expect("no panic")
        });
        (heap, found)
    }

    #[test]
    fn strays_go_home_when_the_depot_is_taken_apart() {
        let (heap, found) = mixed();
        assert!(found.0.len() > 50, "only {} strays", found.0.len());
        heap.check().expect("whole arenas with strays in their depots");
        heap.trim(0);
        heap.check().expect("whole arenas");
        heap.used().expect("in use").each_arena(|arena| {
            let state = arena.state.lock();
            assert_eq!((state.depot.bytes(), arena.inbox.bytes()), (0, 0));
            assert!(state.strays.is_empty());
            assert!(arena.attached_threads.load(Ordering::Relaxed) <= 1);
            None::<()>
        });
        let stats = heap.stats();
        assert_eq!(
            (stats.live.get(), stats.cached.get()),
            (Some(0), Some(0)),
            "every chunk is in its arena's bins"
        );
    }

    #[test]
    fn a_block_is_found_in_the_depot_of_another_arena_than_its_own() {
        let (heap, found) = mixed();
        let instance = heap.used().expect("in use");
        let class = class::of_request(SIZE);
        assert!(found.0.iter().all(|&block| instance.keeps(class, block)));
        let live = heap.malloc(SIZE).expect("memory");
        assert!(!instance.keeps(class, live));
    }
}
