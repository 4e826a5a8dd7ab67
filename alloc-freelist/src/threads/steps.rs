//! Interleavings of an owner's request with somebody who looks in, forced rather than waited for.
//!
//! A request stops at two places, at which a test may do, on the same thread, what another one would: after the owner has said
//! that it is busy and before it looks for a claim, and after it has said that it no longer is. What is wrong there shows at once
//! and every time.

use core::alloc::Layout;
use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use std::boxed::Box;
use std::rc::Rc;
use std::thread_local;
use std::vec::Vec;

use alloc_core::{BlockState, Inspect, SizedBlocks, Step, Strategy, Visit, Walked};

use super::cache::Cache;
use super::{SyncFreeList, word};
use crate::coalesce::Deferred;
use crate::{Policy, fit, header};

/// Where a request stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The owner is busy, and has not looked whether its cache is claimed.
    Entering,
    /// The owner is out.
    Left,
}

type Hook = Box<dyn FnMut(Place)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Does what the test wants done here. What it does itself does not stop.
pub(super) fn reach(place: Place) {
    let hook = HOOK.try_with(RefCell::take).ok().flatten();
    if let Some(mut hook) = hook {
        hook(place);
        HOOK.set(Some(hook));
    }
}

type Heap = SyncFreeList<Policy<fit::Good, header::Sized, Deferred>>;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

/// A heap for as long as the process, since hooks are.
fn heap() -> &'static Heap {
    Box::leak(Box::new(Heap::with_policy()))
}

fn cache() -> &'static Cache {
    word::front().expect("the thread has a cache")
}

/// Requests that come by every way to the cache: lists that have a block, that are empty, full, and asked for an alignment.
fn script(heap: &Heap) {
    let mut held: Vec<(NonNull<u8>, Layout)> = Vec::new();
    for round in 0..400_usize {
        let layout = layout([24, 24, 200, 5000, 100][round % 5], if round % 5 == 4 { 64 } else { 8 });
        held.push((heap.allocate(layout).expect("memory"), layout));
        if round % 2 == 1 || round > 200 {
            let (block, layout) = held.swap_remove(round * 7 % held.len());
            if round % 3 == 0 {
                // SAFETY: the block is live.
                unsafe { heap.free(block) };
            } else {
                // SAFETY: as above, with this layout.
                unsafe { heap.deallocate(block, layout) };
            }
        }
    }
    for (block, layout) in held {
        // SAFETY: as above.
        unsafe { heap.deallocate(block, layout) };
    }
}

/// Blocks that say of themselves that they are cached, by a walk over all zones.
fn marked(heap: &Heap) -> u64 {
    let mut count = 0;
    let walked = heap.walk(&mut |step| {
        count += u64::from(matches!(step, Step::Block(block) if block.state == BlockState::Cached));
        Visit::Continue(())
    });
    assert_eq!(walked, Walked::Complete);
    count
}

/// Whoever looks in as soon as the owner is out finds as many blocks in lists as are marked: a block that was handed out has
/// lost its mark by then, and one that came back has got it.
#[test]
fn marks_agree_with_lists_from_the_moment_the_owner_is_out() {
    let heap = heap();
    script(heap);
    let looks = Rc::new(Cell::new(0));
    let seen = Rc::clone(&looks);
    HOOK.set(Some(Box::new(move |place| {
        if place == Place::Left {
            let listed = heap.stats().cached_blocks.get().expect("the figure is known");
            assert_eq!(marked(heap), listed, "look {}", seen.get());
            seen.set(seen.get() + 1);
        }
    })));
    script(heap);
    HOOK.set(None);
    assert!(looks.get() > 800, "{} looks", looks.get());
    heap.check().expect("a whole heap");
}

/// The owner is not the only one to have said something: a claim that came between its word and its look turns it away, and its
/// lists stay as the claimer finds them.
#[test]
fn a_claim_announced_while_the_owner_enters_keeps_it_out() {
    let heap = heap();
    script(heap);
    let turned_away = Rc::new(Cell::new(0));
    let (count, found) = (Rc::clone(&turned_away), Cell::new((0, 0)));
    let lists = || {
        let cache = cache();
        let held = cache.bins.iter().map(|bin| bin.count.get()).sum::<u32>();
        let heads = cache.bins.iter().filter_map(|bin| bin.head.get()).map(|block| block.addr().get());
        (held, heads.fold(0, |sum, head: usize| sum ^ head))
    };
    HOOK.set(Some(Box::new(move |place| match place {
        Place::Entering => {
            found.set(lists());
            cache().claim();
        }
        Place::Left => {
            assert_eq!(lists(), found.get(), "the claimed lists are as they were");
            assert!(cache().is_claimed());
            cache().unclaim();
            count.set(count.get() + 1);
        }
    })));
    script(heap);
    HOOK.set(None);
    assert!(turned_away.get() > 800, "{} requests", turned_away.get());
    heap.check().expect("a whole heap");
    assert_eq!(heap.stats().live_blocks.get(), Some(0));
}
