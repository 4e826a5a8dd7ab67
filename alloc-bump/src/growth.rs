//! How much to take from a backend, and how much of it to open at a time. Plain integers, bytes throughout.
//!
//! A chunk is measured by *depth*: the distance from the edge that its header sits at. Depth `opened` is what blocks
//! may use now; between it and the chunk's capacity lies address space that nobody has touched.

#![forbid(unsafe_code)]

#[cfg(feature = "std")]
use alloc_core::arith::align_down;
use alloc_core::arith::{MAX_SIZE, align_up};

/// From this granule on, a backend that promises zeroes is taken to hand out pages: its spans cost no memory before they
/// are touched.
pub(crate) const PAGES: usize = 4096;

/// The first opening of a chunk of pages, and the smallest.
const FIRST_OPENING: usize = 64 << 10;

/// The largest opening that exceeds its request.
const LARGEST_OPENING: usize = 4 << 20;

/// Bytes of one huge page on the platforms that have them; elsewhere only a unit of rounding.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Chunks stop doubling here.
const LARGEST_CHUNK: usize = MAX_SIZE / 4 + 1;

/// The size of the first chunk to ask a backend with this granule for.
pub(crate) const fn first_chunk(granule: usize, first_chunk: usize, reserve: usize) -> usize {
    if granule >= PAGES { reserve } else { first_chunk }
}

/// The size to ask for after a chunk of `size` was granted.
pub(crate) const fn larger(size: usize) -> usize {
    if size >= LARGEST_CHUNK / 2 { LARGEST_CHUNK } else { size * 2 }
}

/// The size to ask for after `size` was refused, or `None` when not even `least` can be had.
pub(crate) const fn smaller(size: usize, least: usize) -> Option<usize> {
    if size <= least {
        None
    } else if size / 4 <= least {
        Some(least)
    } else {
        Some(size / 4)
    }
}

/// What a chunk that can hold the block must measure: header, block, and the worst of the padding that its
/// alignment can cost. `None` past what any allocation may have.
pub(crate) fn least_chunk(header: usize, size: usize, align: usize, chunk_align: usize) -> Option<usize> {
    let padding = chunk_align + if align > chunk_align { align } else { 0 };
    let sum = header.checked_add(size)?.checked_add(padding)?;
    align_up(sum, chunk_align).filter(|&least| least <= MAX_SIZE)
}

/// Bytes of a chunk of pages to leave unused at the header's edge, which the span has on a multiple of
/// [`HUGE_PAGE`], so that another such multiple comes at depth `huge_from`: the small pages before it and the huge ones
/// after it then do not meet in one huge page, which would make small ones of it.
pub(crate) const fn lead(chunk: usize, granule: usize, huge_from: usize) -> usize {
    if granule < PAGES || chunk < 4 * HUGE_PAGE || huge_from >= chunk {
        0
    } else {
        huge_from.wrapping_neg() % HUGE_PAGE
    }
}

/// The span to ask for, for a chunk with this lead: both its ends are then on multiples of [`HUGE_PAGE`], whichever of
/// them the lead is at.
pub(crate) const fn span(chunk: usize, lead: usize) -> usize {
    if lead == 0 { chunk } else { (chunk + lead).next_multiple_of(HUGE_PAGE) }
}

/// The size of a thread's next sub-buffer, when it has taken so many bytes of sub-buffers before: a quarter more, between
/// `smallest` and `largest`. So at most a fifth of what a thread has taken is ever unused.
#[cfg(feature = "std")]
pub(crate) fn sub_buffer(taken: usize, smallest: usize, largest: usize) -> usize {
    align_down(taken / 4, smallest).clamp(smallest, largest)
}

/// The depth to open a chunk to that is open to `opened` and needs to be open to `needed`, of at most `reach`.
/// `opened < needed <= reach`.
///
/// A chunk that costs memory is opened whole. Of pages, half of what is open already is opened beyond the request,
/// within bounds: what is not open is known to read as zero, and is not counted as committed.
///
/// Opening does not populate. Measured with `MADV_POPULATE_WRITE` in steps from 64 KiB to 4 MiB, cold fills took 96 to
/// 100 % of their time without (Linux 6.18 in a virtual machine, where getting and clearing a page outweighs the fault);
/// huge pages took a ninth. So huge pages it is.
pub(crate) fn opening(opened: usize, needed: usize, reach: usize, granule: usize) -> usize {
    debug_assert!(opened < needed && needed <= reach);
    if granule < PAGES {
        return reach;
    }
    let step = (opened / 2).clamp(FIRST_OPENING, LARGEST_OPENING);
    let wanted = needed.max(opened.saturating_add(step));
    align_up(wanted, granule).unwrap_or(reach).min(reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_opening_covers_the_need_and_overshoots_by_half(
            opened in 48_usize..1 << 32,
            more in 1_usize..1 << 26,
            room in 0_usize..1 << 26,
            shift in 0_u32..17,
        ) {
            let (needed, reach, granule) = (opened + more, opened + more + room, 1 << shift);
            let depth = opening(opened, needed, reach, granule);
            prop_assert!(depth >= needed && depth <= reach);
            if granule >= PAGES {
                let ahead = depth - needed;
                prop_assert!(ahead <= (opened / 2).clamp(FIRST_OPENING, LARGEST_OPENING) + granule);
                prop_assert!(depth == reach || depth.is_multiple_of(granule));
            } else {
                prop_assert_eq!(depth, reach);
            }
        }

        #[test]
        fn huge_pages_begin_at_a_boundary(pages in 0_usize..4096, chunk in 0_usize..1 << 31) {
            let huge_from = pages * PAGES;
            let lead = lead(chunk, PAGES, huge_from);
            prop_assert!(lead < HUGE_PAGE && lead <= chunk / 4);
            prop_assert!(lead == 0 || (lead + huge_from).is_multiple_of(HUGE_PAGE));
            let span = span(chunk, lead);
            prop_assert!(span >= chunk + lead && span < chunk + lead + HUGE_PAGE);
            prop_assert!(lead == 0 || span.is_multiple_of(HUGE_PAGE));
        }

        #[test]
        fn refused_sizes_fall_to_the_least_and_end(size in 1_usize..=LARGEST_CHUNK, least in 1_usize..1 << 40) {
            let mut ask = size.max(least);
            let mut asked = 1;
            while let Some(less) = smaller(ask, least) {
                prop_assert!(less < ask && less >= least);
                ask = less;
                asked += 1;
            }
            prop_assert_eq!(ask, least);
            prop_assert!(asked <= 34, "{} requests", asked);
        }

        #[test]
        fn chunks_double_to_a_bound(size in 1_usize..=LARGEST_CHUNK) {
            let next = larger(size);
            prop_assert!(next >= size && next <= LARGEST_CHUNK);
            prop_assert!(next == LARGEST_CHUNK || next == size * 2);
        }

        #[test]
        fn the_least_chunk_holds_the_block_wherever_it_lies(
            start in 1_usize..1 << 40,
            size in 0_usize..1 << 30,
            align_shift in 0_u32..31,
            chunk_shift in 4_u32..13,
        ) {
            let (align, chunk_align) = (1_usize << align_shift, 1_usize << chunk_shift);
            let start = start.next_multiple_of(chunk_align);
            let header = 48_usize.next_multiple_of(chunk_align);
            let least = least_chunk(48, size, align, chunk_align).expect("small sizes");
            let end = start + least;
            prop_assert!((start + header).next_multiple_of(align) + size <= end, "filling up");
            let top = (end & !(chunk_align - 1)) - header;
            prop_assert!((top - size) & !(align - 1) & !(chunk_align - 1) >= start, "filling down");
        }
    }

    #[test]
    fn impossible_sizes_have_no_chunk() {
        assert_eq!(least_chunk(48, MAX_SIZE, 1, 16), None);
        assert_eq!(least_chunk(48, 1, 1 << 63, 16), None);
    }
}
