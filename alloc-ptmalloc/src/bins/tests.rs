//! Bins against models, on chunks that lie in no heap.

use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use alloc_core::Misuse;
use proptest::prelude::*;

use super::Bins;
use super::fast::{Fastbins, NFASTBINS};
use super::map::{UNSORTED, index};
use crate::check::check_bins_of;
use crate::chunk::{Chunk, PREV_IN_USE};
use crate::config::CheckLevel;
use crate::links::Mask;

const SLOT: usize = 16 << 10;

/// Chunks in memory of their own: each at the start of a slot, followed by one in use.
struct Slots {
    memory: core::ptr::NonNull<u8>,
    count: usize,
}

impl Slots {
    fn new(count: usize) -> Self {
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { std::alloc::alloc_zeroed(Self::layout(count)) };
        Self { memory: core::ptr::NonNull::new(memory).unwrap(), count }
    }

    fn layout(count: usize) -> core::alloc::Layout {
        core::alloc::Layout::from_size_align(count * SLOT, 64).unwrap()
    }

    /// The chunk of a slot.
    fn chunk(&self, slot: usize) -> Chunk {
        assert!(slot < self.count);
        // SAFETY: the slot lies in the memory.
        Chunk::at(unsafe { self.memory.add(slot * SLOT) })
    }

    /// The chunk of a slot, made a free one of `size`.
    fn free(&self, slot: usize, size: usize) -> Chunk {
        assert!(size <= SLOT - 64);
        let chunk = self.chunk(slot);
        // SAFETY: the slot is the test's, and holds the chunk and the header of the next one.
        unsafe {
            chunk.at_offset(size).set_head(32 | PREV_IN_USE);
            chunk.set_free(size, 0);
        }
        chunk
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(self.memory.as_ptr(), Self::layout(self.count)) };
    }
}

fn check(bins: &Bins, chunks: usize) {
    // SAFETY: the chunks are the test's.
    let found = unsafe { check_bins_of(bins, 1 << 16) }.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(found, chunks);
}

#[test]
fn small_bins_are_queues() {
    let slots = Slots::new(3);
    let mut bins = Bins::new();
    // SAFETY: the chunks are the test's.
    unsafe {
        let chunks = [0, 1, 2].map(|slot| slots.free(slot, 96));
        for chunk in chunks {
            bins.insert(chunk, 96).unwrap();
        }
        check(&bins, 3);
        assert!(bins.small(80).is_none());
        for chunk in chunks {
            assert_eq!(bins.small(96), Some(chunk));
            bins.unlink(chunk, 96).unwrap();
        }
        assert_eq!(bins.small(96), None);
        check(&bins, 0);
    }
}

#[test]
fn the_unsorted_bin_is_a_queue_of_any_sizes() {
    let slots = Slots::new(3);
    let mut bins = Bins::new();
    // SAFETY: the chunks are the test's.
    unsafe {
        let sizes = [4096, 64, 2048];
        let chunks = [0, 1, 2].map(|slot| (slots.free(slot, sizes[slot]), sizes[slot]));
        for (at, &(chunk, size)) in chunks.iter().enumerate() {
            bins.push_unsorted(chunk, size).unwrap();
            assert_eq!(bins.is_only_unsorted(chunk), at == 0);
        }
        assert_eq!(bins.best_fit(32), Ok(None), "they are not sorted yet");
        check(&bins, 3);
        for (chunk, size) in chunks {
            assert_eq!(bins.oldest_unsorted(), Some(chunk));
            bins.unlink(chunk, size).unwrap();
        }
        check(&bins, 0);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    Unlink(usize),
    Fit(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // A few bins with a few sizes each, so that there are ties and neighbours; and small ones.
    let size = prop_oneof![(2..80_usize), (256..300_usize), Just(512), Just(700)].prop_map(|size| size * 16);
    let step = prop_oneof![
        3 => size.clone().prop_map(Step::Insert),
        2 => (0..64_usize).prop_map(Step::Unlink),
        2 => size.prop_map(Step::Fit),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bins_are_sizes_each_a_queue(steps in steps()) {
        let slots = Slots::new(120);
        let mut bins = Bins::new();
        let mut model: BTreeMap<usize, VecDeque<Chunk>> = BTreeMap::new();
        for (slot, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(size) => {
                    let chunk = slots.free(slot, size);
                    // SAFETY: the chunk is free and on no list.
                    unsafe { bins.insert(chunk, size) }.unwrap();
                    model.entry(size).or_default().push_back(chunk);
                }
                Step::Unlink(which) => {
                    let all: Vec<_> = model.iter().flat_map(|(&size, queue)| queue.iter().map(move |&chunk| (size, chunk))).collect();
                    if let Some(&(size, chunk)) = all.get(which % all.len().max(1)) {
                        // SAFETY: the chunk is in a bin.
                        unsafe { bins.unlink(chunk, size) }.unwrap();
                        let queue = model.get_mut(&size).unwrap();
                        queue.retain(|&other| other != chunk);
                        if queue.is_empty() {
                            model.remove(&size);
                        }
                    }
                }
                Step::Fit(size) => {
                    let best = model.range(size..).next().map(|(_, queue)| queue[0]);
                    // SAFETY: the chunks are the test's.
                    prop_assert_eq!(unsafe { bins.best_fit(size) }, Ok(best));
                }
            }
            check(&bins, model.values().map(VecDeque::len).sum());
        }
    }
}

#[test]
fn links_that_do_not_lead_back_are_found() {
    let slots = Slots::new(4);
    for size in [128, 2048] {
        for word in [16, 24] {
            let mut bins = Bins::new();
            // SAFETY: the chunks are the test's.
            unsafe {
                let chunks = [0, 1, 2].map(|slot| slots.free(slot, size));
                for chunk in chunks {
                    bins.insert(chunk, size).unwrap();
                }
                // To the third, which does not link back.
                chunks[1].word(word).write(chunks[1].address());
                assert_eq!(bins.unlink(chunks[1], size), Err(Misuse::CorruptedLink));
                chunks[1].word(word).write(0x4141_4141_4141_4141);
                assert_eq!(bins.unlink(chunks[1], size), Err(Misuse::CorruptedLink));
                chunks[1].word(word).write(0);
                assert_eq!(bins.unlink(chunks[1], size), Err(Misuse::CorruptedLink));
            }
        }
    }
}

#[test]
fn a_tail_that_does_not_lead_back_is_found_when_a_chunk_is_put() {
    let slots = Slots::new(4);
    for size in [128, 2048] {
        let mut bins = Bins::new();
        // SAFETY: the chunks are the test's.
        unsafe {
            let chunks = [0, 1, 2].map(|slot| slots.free(slot, size));
            bins.insert(chunks[0], size).unwrap();
            bins.insert(chunks[1], size).unwrap();
            chunks[1].word(16).write(chunks[2].address());
            assert_eq!(bins.insert(chunks[2], size), Err(Misuse::CorruptedLink));
            assert_eq!(bins.head(index(size)), Some(chunks[2]), "the bin starts anew");
            check(&bins, 1);
        }
    }
}

#[test]
fn sizes_that_do_not_rise_are_found() {
    let slots = Slots::new(3);
    let mut bins = Bins::new();
    // SAFETY: the chunks are the test's.
    unsafe {
        let sizes = [8192, 8208, 8224];
        let chunks = [0, 1, 2].map(|slot| slots.free(slot, sizes[slot]));
        for (chunk, size) in chunks.into_iter().zip(sizes) {
            bins.insert(chunk, size).unwrap();
        }
        // The first leads to itself: a search without a bound would not end.
        chunks[0].word(32).write(chunks[0].address());
        assert_eq!(bins.best_fit(8224), Err((Misuse::CorruptedLink, index(8224))));
    }
}

#[test]
fn a_foot_that_is_not_the_size_is_found() {
    let slots = Slots::new(1);
    let mut bins = Bins::new();
    // SAFETY: the chunk is the test's.
    unsafe {
        let chunk = slots.free(0, 128);
        bins.insert(chunk, 128).unwrap();
        chunk.at_offset(128).word(0).write(144);
        assert_eq!(bins.unlink(chunk, 128), Err(Misuse::CorruptedHeader));
    }
}

#[test]
fn forgetting_a_bin_leaves_the_others() {
    let slots = Slots::new(2);
    let mut bins = Bins::new();
    // SAFETY: the chunks are the test's.
    unsafe {
        let (a, b) = (slots.free(0, 128), slots.free(1, 4096));
        bins.insert(a, 128).unwrap();
        bins.insert(b, 4096).unwrap();
        bins.forget(index(128));
        bins.forget(UNSORTED);
        assert_eq!(bins.best_fit(32), Ok(Some(b)));
        check(&bins, 1);
    }
}

#[test]
fn fastbins_are_stacks_of_their_sizes() {
    let slots = Slots::new(4);
    for level in [CheckLevel::Default, CheckLevel::Hardened] {
        let mask = Mask::new(level);
        let mut fastbins = Fastbins::new();
        // SAFETY: the chunks are the test's; fastbins do not look at what follows.
        unsafe {
            let [a, b, c, d] =
                [(0, 64), (1, 64), (2, 128), (3, 144)].map(|(slot, size)| slots.free(slot, size));
            assert_eq!(
                [(a, 64), (b, 64), (c, 128)].map(|(chunk, size)| fastbins.push(chunk, size, mask)),
                [Ok(true); 3]
            );
            assert_eq!(fastbins.push(d, Fastbins::size_of(NFASTBINS), mask), Ok(false), "it is too large");
            assert_eq!(fastbins.push(b, 64, mask), Err(Misuse::DoubleFree));
            assert_eq!((fastbins.chunks(), fastbins.bytes()), (3, 256));
            assert_eq!(fastbins.pop(80, mask), Ok(None));
            assert_eq!(fastbins.pop(64, mask), Ok(Some(b)));
            assert_eq!(fastbins.pop_any(mask), Ok(Some((a, 64))));
            assert_eq!(fastbins.pop_any(mask), Ok(Some((c, 128))));
            assert_eq!(fastbins.pop_any(mask), Ok(None));
        }
    }
}

#[test]
fn a_fastbin_that_leads_astray_is_forgotten_and_the_others_are_counted_anew() {
    let slots = Slots::new(3);
    let mask = Mask::new(CheckLevel::Hardened);
    let mut fastbins = Fastbins::new();
    // SAFETY: the chunks are the test's.
    unsafe {
        let [a, b, c] = [(0, 64), (1, 64), (2, 80)].map(|(slot, size)| slots.free(slot, size));
        for (chunk, size) in [(a, 64), (b, 64), (c, 80)] {
            fastbins.push(chunk, size, mask).unwrap();
        }
        // No chunk starts there, once the mask is off.
        b.word(16).write(b.word(16).read() ^ 8);
        assert_eq!(fastbins.pop(64, mask), Err((Misuse::CorruptedLink, b)));
        assert_eq!((fastbins.chunks(), fastbins.bytes()), (1, 80));
        c.set_head(64 | PREV_IN_USE);
        assert_eq!(fastbins.pop(80, mask), Err((Misuse::CorruptedHeader, c)));
        assert_eq!((fastbins.chunks(), fastbins.bytes()), (0, 0));
    }
}

#[test]
fn masked_links_are_not_addresses() {
    let slots = Slots::new(2);
    let mask = Mask::new(CheckLevel::Hardened);
    let (a, b) = (slots.chunk(0), slots.chunk(1));
    // SAFETY: the chunks are the test's.
    unsafe {
        mask.write(a, Some(b));
        assert_ne!(a.word(16).read(), b.address());
        assert_eq!(mask.read(a), Ok(Some(b)));
        mask.write(a, None);
        assert_ne!(a.word(16).read(), 0, "not even null shows");
        assert_eq!(mask.read(a), Ok(None));
        Mask::new(CheckLevel::Default).write(a, Some(b));
        assert_eq!(a.word(16).read(), b.address());
    }
}
