//! What arenas over pages take from the system, keep, and give back.

use core::ops::ControlFlow;
use core::ptr::NonNull;

use alloc_bump::{Bump, Config, Down, Pages, Up};
use alloc_core::backend::{Backend, Counting, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::{Inspect, Step, Strategy, Walked};

use crate::layout;

/// Pages, without those that other arenas left.
type Fresh = PagesBackend<Os>;

fn fresh<C: Config>() -> Bump<Fresh, C> {
    Bump::new_in(PagesBackend::new(Os))
}

/// Resident bytes of what an arena has opened.
fn resident<B: Backend, C: Config>(bump: &Bump<B, C>) -> usize {
    const PAGE: usize = 4096;
    let mut bytes = 0;
    let walked = bump.walk(&mut |step| {
        if let Step::Zone(zone) = step {
            let start = zone.address & !(PAGE - 1);
            let mut pages = vec![0_u8; (zone.address + zone.size - start).div_ceil(PAGE)];
            let address = core::ptr::without_provenance_mut(start);
            // SAFETY: a query about a range that is mapped, with a byte of room for each of its pages.
            let answer = unsafe { libc::mincore(address, pages.len() * PAGE, pages.as_mut_ptr()) };
            assert_eq!(answer, 0);
            bytes += pages.iter().filter(|&page| page & 1 == 1).count() * PAGE;
        }
        ControlFlow::Continue(())
    });
    assert_eq!(walked, Walked::Complete);
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn a_small_arena_stays_small() {
    fn takes<C: Config>(bytes: usize, at_most: usize) {
        let bump = fresh::<C>();
        let block = bump.allocate(layout(100, 1)).expect("memory");
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(1, 100) };
        for _ in 0..bytes / 100 {
            bump.alloc([1_u8; 100]);
        }
        let resident = resident(&bump);
        assert!(resident <= at_most, "{bytes} bytes take {resident}");
        assert!(resident >= bytes);
    }
    // Header and blocks share their first page.
    takes::<Up>(100, 4096);
    takes::<Down>(100, 4096);
    takes::<Up>(100_000, 108 << 10);
    takes::<Down>(100_000, 108 << 10);
    // From 512 KiB on it may be a huge page, and no more than one ahead.
    takes::<Up>(700_000, (512 << 10) + (4 << 20));
    takes::<Down>(700_000, (512 << 10) + (4 << 20));
}

#[test]
fn one_reservation_serves_for_long() {
    let source = Counting::new(PagesBackend::new(Os));
    let bump = Bump::<_, Up>::new_in(&source);
    for _ in 0..1000 {
        bump.alloc_layout(layout(64 << 10, 8));
    }
    assert_eq!(source.counts().allocations, 1);
    drop(bump);
    assert_eq!(source.counts().releases, 1);
}

/// A source with page granules that has little address space.
struct Cramped<B>(B);

// SAFETY: it only refuses more than `B` does.
unsafe impl<B: Backend> Backend for Cramped<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.0.granule()
    }

    fn allocate_span(
        &self,
        size: usize,
        align: usize,
    ) -> Result<alloc_core::backend::Span, alloc_core::AllocError> {
        if size > 3 << 20 { Err(alloc_core::AllocError) } else { self.0.allocate_span(size, align) }
    }

    unsafe fn release_span(&self, span: alloc_core::backend::Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.release_span(span) };
    }
}

#[test]
fn a_refused_reservation_falls_back_to_chunks() {
    let source = Counting::new(Cramped(PagesBackend::new(Os)));
    let bump = Bump::<_, Up>::new_in(&source);
    let mut blocks = Vec::new();
    for tag in 0..200_u8 {
        let block = bump.allocate(layout(100 << 10, 16)).expect("memory");
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(tag, 100 << 10) };
        blocks.push(block);
    }
    for (tag, block) in blocks.into_iter().enumerate() {
        // SAFETY: a live block, written whole.
        let bytes = unsafe { NonNull::slice_from_raw_parts(block, 100 << 10).as_ref() };
        assert!(bytes.iter().all(|&byte| usize::from(byte) == tag));
    }
    assert!(source.counts().allocations > 5 && bump.check().is_ok());
    drop(bump);
    assert_eq!(source.counts().allocations, source.counts().releases);
}

/// Dirties memory in every way that gives it back, and takes it again zeroed.
fn zeroed_again<B: Backend, C: Config>(mut bump: Bump<B, C>) {
    for round in 0..6 {
        for size in [10, 5000, 60_000, 200_000, 3 << 20] {
            let block = bump.allocate_zeroed(layout(size, 8)).expect("memory");
            // SAFETY: a live block of so many bytes, all zero.
            let bytes = unsafe { NonNull::slice_from_raw_parts(block, size).as_mut() };
            assert!(bytes.iter().all(|&byte| byte == 0), "round {round}, {size} bytes");
            bytes.fill(0xff);
            if size == 60_000 {
                // SAFETY: a live block with its layout.
                unsafe { bump.deallocate(block, layout(size, 8)) };
            }
            if round % 2 == 1 {
                bump.trim(round * 5000);
            }
        }
        bump.reset();
        if round > 2 {
            bump.trim(round * 3000);
        }
    }
}

#[test]
fn zeroed_blocks_are_zero_whatever_lay_there() {
    struct Small;
    impl Config for Small {
        const UP: bool = true;
        const RESERVE: usize = 1 << 16;
    }
    zeroed_again(fresh::<Up>());
    zeroed_again(fresh::<Down>());
    zeroed_again(fresh::<Small>());
    zeroed_again(Bump::<_, Up>::new_in(alloc_core::backend::SystemBackend));
    // The second and third arena start in what the one before left.
    for _ in 0..3 {
        zeroed_again(Bump::new());
        zeroed_again(Bump::<Pages, Down<64>>::default());
        zeroed_again(Bump::<Pages, Up<4096>>::default());
    }
}

#[test]
fn trimming_gives_pages_back_and_keeps_blocks() {
    let bump = fresh::<Up>();
    let kept = bump.alloc_slice_fill_copy(1000, 7_u64);
    let big = layout(8 << 20, 8);
    let block = bump.allocate(big).expect("memory");
    // SAFETY: a live block of so many bytes.
    unsafe { block.write_bytes(1, big.size()) };
    // SAFETY: a live block with its layout.
    unsafe { bump.deallocate(block, big) };
    let committed = bump.stats().committed.get().expect("known");
    let trimmed = bump.trim(64 << 10) as u64;
    let left = bump.stats().committed.get().expect("known");
    assert_eq!(left, committed - trimmed);
    assert!(left <= 8000 + (64 << 10) + 8192, "{left}");
    assert!(bump.stats().free.get().expect("known") >= 64 << 10);
    assert!(kept.iter().all(|&number| number == 7));
    assert_eq!(bump.trim(64 << 10), 0, "there is no more to give");
}
