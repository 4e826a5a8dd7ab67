//! More memory for an arena: the role of ptmalloc's `sysmalloc`.
//!
//! Top grows within its heap by arithmetic, in steps that follow what the arena has; when the heap is used up, another one
//! becomes the newest, and the rest of the old one a chunk like any other.

use core::ptr::{self, NonNull};

use alloc_core::arith::{align_down, align_up};
use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use alloc_core::sync::{CachePadded, RankedMutex};

use super::{Arena, Purge, State};
use crate::bins::Bins;
use crate::bins::fast::Fastbins;
use crate::chunk::{NON_MAIN_ARENA, PREV_IN_USE};
use crate::config::{Era, HugePages, Tunables};
use crate::depot::Depot;
use crate::heap::Heap;
use crate::inbox::Inbox;
use crate::magazine::Stack;
use crate::owner;
use crate::size::{ALIGN, MIN_CHUNK, TO_BLOCK};
use crate::source::Source;

/// Top grows by a sixteenth of what the arena has, and by these at least and at most. A step is arithmetic and touches nothing:
/// it bounds how far `system_mem` runs ahead of what is used, at a sixteenth, and keeps growing off the common path.
/// The least is half of the 64 KiB that the arena and the cache of an idle thread may cost.
///
/// Populating the step ahead (`MADV_POPULATE_WRITE`) was measured and refused: against touching page by page, fills of
/// 256 KiB to 64 MiB took 0.92 to 1.00 of the time with steps of 64 KiB to 1 MiB, and 1.03 to 1.10 with 16 KiB (medians of 41
/// interleaved runs), since clearing the page is what a fault costs; and what is populated and not used, is held.
const STEP_LEAST: usize = 32 << 10;
const STEP_MOST: usize = 1 << 20;
const STEP_PART: usize = 16;

/// An arena that has so much asks for huge pages for all that comes after: at least this, and 2 MiB for each arena that there
/// is. Measured: a fill of 16 MiB takes 0.85 ms in 8 faults instead of 10 to 14 ms in 4096. What that costs is up to 2 MiB that
/// are begun and not used, so that one or two arenas are at most a half larger than they need be, a quarter on average. Threads
/// that share work share its memory: of many arenas, each stops growing sooner. `docs/ptmalloc-levers.md` has the figures.
const HUGE_FROM: usize = 4 << 20;
/// More than this is not waited for, however many arenas there are.
const HUGE_FROM_MOST: usize = 16 << 20;

/// What one of so many arenas must have.
fn huge_from(arenas: usize) -> usize {
    arenas.saturating_mul(2 << 20).clamp(HUGE_FROM, HUGE_FROM_MOST)
}

/// From a heap's start to its first chunk in the first heap of an arena.
const ARENA_BYTES: usize = size_of::<Arena>().next_multiple_of(128);

/// A new arena in a heap of its own, in the owner table, with empty bins and a top. `None` when there is no memory for it, or
/// no id.
pub(crate) fn create_arena<B: Backend>(source: &Source<B>, main: bool) -> Option<NonNull<Arena>> {
    let id = owner::claim()?;
    let Some(heap) = Heap::create(source, id, ARENA_BYTES, MIN_CHUNK, None) else {
        owner::give_back(id);
        return None;
    };
    // SAFETY: the heap was made with so many bytes behind its header, which are not chunks.
    let arena = unsafe { heap.cast::<u8>().add(Heap::EXTRA_AT) }.cast::<Arena>();
    // SAFETY: the heap is live.
    let top = unsafe { heap.as_ref() }.first();
    let mut state = State {
        flags: if main { 0 } else { NON_MAIN_ARENA },
        fastbins: Fastbins::new(),
        bins: Bins::new(),
        depot: Depot::new(),
        strays: Stack::EMPTY,
        top,
        last_remainder: None,
        heap,
        purge: Purge::new(),
        system_mem: 0,
        max_system_mem: 0,
    };
    // SAFETY: the heap is new and holds a smallest chunk.
    unsafe { state.begin_heap(source, heap, MIN_CHUNK) };
    let built = Arena {
        id,
        main,
        attached_threads: AtomicUsize::new(0),
        next: AtomicPtr::new(ptr::null_mut()),
        next_free: AtomicPtr::new(ptr::null_mut()),
        inbox: CachePadded::new(Inbox::new()),
        state: CachePadded::new(RankedMutex::new(state)),
    };
    // SAFETY: the place is ours, aligned, and large enough.
    unsafe { arena.write(built) };
    owner::bind(id, arena);
    // Relaxed: a number of its own.
    source.arenas.fetch_add(1, Ordering::Relaxed);
    Some(arena)
}

/// Gives all heaps of an arena back, itself among them, and its id.
///
/// # Safety
/// `arena` came from [`create_arena`] with this source, and nothing uses it, its heaps or its blocks any more.
pub(crate) unsafe fn destroy_arena<B: Backend>(source: &Source<B>, mut arena: NonNull<Arena>) {
    // SAFETY: the arena is live, and nobody else uses it.
    let shared = unsafe { arena.as_mut() };
    let (id, mut newest) = (shared.id, Some(shared.state.get_mut().heap));
    while let Some(heap) = newest {
        // SAFETY: a live heap of the arena. The one that the arena lies in is the first, hence the last here.
        newest = unsafe { heap.as_ref() }.previous();
        // SAFETY: nothing uses it any more.
        unsafe { Heap::release(heap, source) };
    }
    owner::give_back(id);
    source.arenas.fetch_sub(1, Ordering::Relaxed);
}

impl State {
    /// Sees to it that top can serve a chunk of `size` bytes. `false`, with nothing changed, when the backend refuses or no
    /// heap is as large.
    ///
    /// # Safety
    /// `source` is the arena's.
    #[cold]
    pub(crate) unsafe fn grow<B: Backend>(&mut self, source: &Source<B>, size: usize) -> bool {
        // SAFETY: the caller's promise is the callee's.
        if unsafe { self.extend_top(source, size) } {
            return true;
        }
        // SAFETY: as above.
        unsafe { self.next_heap(source, size) }
    }

    /// As [`grow`](Self::grow), within the newest heap.
    ///
    /// # Safety
    /// As for [`grow`](Self::grow).
    pub(crate) unsafe fn extend_top<B: Backend>(&mut self, source: &Source<B>, size: usize) -> bool {
        // SAFETY: the newest heap is live.
        let most = unsafe { self.heap.as_ref() }.end();
        let Some(need) = size.checked_add(MIN_CHUNK).and_then(|need| need.checked_add(self.top.address()))
        else {
            return false;
        };
        if need > most {
            return false;
        }
        let before = self.top_end();
        if need > before {
            let end = self.aim(source, before, need).min(most);
            // SAFETY: from what is needed, which lies beyond top, to the heap's end; all are multiples of 16.
            unsafe { self.set_top_end(end) };
            self.advise(source);
        }
        true
    }

    /// Where top should end that ended at `before` and must reach `need`.
    fn aim<B: Backend>(&self, source: &Source<B>, before: usize, need: usize) -> usize {
        let step = match source.config.era {
            Era::Ours => (self.system_mem / STEP_PART).clamp(STEP_LEAST, STEP_MOST),
            Era::Classic | Era::Modern => 0,
        };
        let wanted = need.saturating_add(Tunables::get(&source.tunables.top_pad)).max(before + step);
        let page = source.backend.granule().max(ALIGN);
        align_up(wanted, page).unwrap_or(align_down(wanted, page))
    }

    /// Makes a heap that can serve a chunk of `size` bytes the newest. Whether there was memory for it.
    ///
    /// # Safety
    /// As for [`grow`](Self::grow).
    unsafe fn next_heap<B: Backend>(&mut self, source: &Source<B>, size: usize) -> bool {
        if size > Heap::CAPACITY {
            return false;
        }
        let old = self.heap;
        // SAFETY: the newest heap is live.
        let id = unsafe { old.as_ref() }.id();
        let Some(heap) = Heap::create(source, id, 0, size + MIN_CHUNK, Some(old)) else { return false };
        // SAFETY: the old heap is live.
        let most = unsafe { old.as_ref() }.end();
        // SAFETY: top never ends beyond its heap.
        unsafe { self.set_top_end(most) };
        // SAFETY: the old heap's chunks end in top, which ends where the heap does.
        let rest = unsafe { Heap::fence_off(old, self.top, self.flags) };
        // SAFETY: the heap is new and has room for so much.
        unsafe { self.begin_heap(source, heap, size + MIN_CHUNK) };
        if let Some(rest) = rest {
            // SAFETY: the rest has the head of a chunk in use, the fence says so too, and nobody holds it.
            unsafe { self.release(source, rest) };
        }
        true
    }

    /// Starts a top of at least `size` bytes in a new heap.
    ///
    /// # Safety
    /// The heap is new, the arena's, and holds so much.
    unsafe fn begin_heap<B: Backend>(&mut self, source: &Source<B>, heap: NonNull<Heap>, size: usize) {
        // SAFETY: the heap is live.
        let header = unsafe { heap.as_ref() };
        let (base, first, most) = (heap.addr().get(), header.first(), header.end());
        let need = first.address() + size;
        let end = self.aim(source, base, need).min(most);
        self.heap = heap;
        self.top = first;
        // SAFETY: the chunk is the arena's to shape, and `end` lies in the heap. Before it there is no chunk, and its flag P says
        // that none is free.
        unsafe { first.set_head((end - first.address()) | PREV_IN_USE) };
        self.touch_to(first.address() + TO_BLOCK);
        self.purge.begin(first.address());
        self.system_mem += end - base;
        self.max_system_mem = self.max_system_mem.max(self.system_mem);
        self.advise(source);
    }

    /// Asks for huge pages behind what the newest heap has not touched yet, once the arena is large enough for the user's choice.
    fn advise<B: Backend>(&mut self, source: &Source<B>) {
        let from = match source.config.huge_pages {
            HugePages::Never => return,
            HugePages::Large => huge_from(source.arenas.load(Ordering::Relaxed)),
            HugePages::Always => 0,
        };
        if self.system_mem < from {
            return;
        }
        // SAFETY: the newest heap is live, and its header is the arena's alone.
        let heap = unsafe { self.heap.as_mut() };
        if !heap.huge {
            heap.huge = true;
            heap.ask_huge(&source.backend);
        }
    }
}
