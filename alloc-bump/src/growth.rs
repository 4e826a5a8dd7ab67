//! How much to take from a backend, and how much of it to open at a time. Plain integers, bytes throughout.
//!
//! A chunk is measured by *depth*: the distance from the edge that its header sits at. Depth `opened` is what blocks
//! may use now; between it and the chunk's capacity lies address space that nobody has touched.

#![forbid(unsafe_code)]

use alloc_core::arith::{MAX_SIZE, align_up};

/// From this granule on, a backend is taken to hand out pages: its spans cost no memory before they are touched.
pub(crate) const PAGES: usize = 4096;

/// The first opening of a chunk of pages. Nothing is populated here: a small arena faults in the pages it touches.
const FIRST_OPENING: usize = 64 << 10;

/// The largest opening that exceeds its request.
const LARGEST_OPENING: usize = 4 << 20;

/// Past this many opened bytes, the rest of a chunk is advised to use huge pages.
pub(crate) const HUGE: usize = 4 << 20;

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

/// What to open: the new depth, and how many of its last bytes to populate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) depth: usize,
    pub(crate) populate: usize,
}

/// The next opening of a chunk that is open to `opened` and needs to be open to `needed`, of at most `reach`.
/// `opened < needed <= reach`.
///
/// Over pages, an opening is half of what is open already, within bounds. So at most a third of an arena's memory was
/// populated before its time, and the number of system calls grows with the logarithm of the size, then with one for
/// [`LARGEST_OPENING`]. A request beyond the step is served to the byte and not populated: who asks for much at once may
/// never touch it.
pub(crate) fn opening(opened: usize, needed: usize, reach: usize, granule: usize) -> Opening {
    debug_assert!(opened < needed && needed <= reach);
    if granule < PAGES {
        return Opening { depth: reach, populate: 0 };
    }
    let step = (opened / 2).clamp(FIRST_OPENING, LARGEST_OPENING);
    let wanted = needed.max(opened.saturating_add(step));
    let depth = align_up(wanted, granule).unwrap_or(reach).min(reach);
    let ahead = opened >= FIRST_OPENING && needed - opened <= step;
    Opening { depth, populate: if ahead { depth - opened } else { 0 } }
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
            let opening = opening(opened, needed, reach, granule);
            prop_assert!(opening.depth >= needed && opening.depth <= reach);
            if granule >= PAGES {
                let ahead = opening.depth - needed;
                prop_assert!(ahead <= (opened / 2).clamp(FIRST_OPENING, LARGEST_OPENING) + granule);
                prop_assert!(opening.depth == reach || opening.depth.is_multiple_of(granule));
                prop_assert!(opening.populate == 0 || opened >= FIRST_OPENING);
                prop_assert!(opening.populate <= LARGEST_OPENING + granule);
            } else {
                prop_assert_eq!(opening, Opening { depth: reach, populate: 0 });
            }
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
