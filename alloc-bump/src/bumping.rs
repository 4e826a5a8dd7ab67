//! Where the next block goes: bump arithmetic on plain integers.
//!
//! The free extent of an arena lies between its *cursor*, where the last block ended (filling up) or began (filling
//! down), and its *limit*. Both are addresses, and the extent is at most `isize::MAX` bytes long, as every allocated
//! object is.
//!
//! # One comparison for everything
//!
//! A block that fits ends at or before the limit. The candidate's end may lie past the limit, even past the end of the
//! address space, so that sums are taken modulo 2^N and the *distance* `limit - end` is looked at instead of the two
//! addresses. It is never below `-(size + align - 1)`, which [`Layout`] keeps within `-isize::MAX`, and never above the
//! length of the extent. Hence the wrapped difference, read as a signed number, is the true distance, and its sign is
//! the whole test: no overflow check, no second branch, any layout, any address.

#![forbid(unsafe_code)]

use core::alloc::Layout;

use crate::config::Config;

/// A block that fits, and where the cursor is after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) start: usize,
    pub(crate) cursor: usize,
}

/// `value` rounded up to a power of two, modulo 2^N.
#[inline(always)]
const fn up_to(value: usize, align: usize) -> usize {
    value.wrapping_add(align - 1) & align.wrapping_neg()
}

/// `value` rounded down to a power of two.
#[inline(always)]
const fn down_to(value: usize, align: usize) -> usize {
    value & align.wrapping_neg()
}

/// Whether `to - from` is negative, for addresses whose true distance fits an `isize`.
#[inline(always)]
const fn before(to: usize, from: usize) -> bool {
    (to.wrapping_sub(from) as isize) < 0
}

/// Places `layout` in the free extent between `cursor` and `limit`, both multiples of `C::MIN_ALIGN`.
#[inline(always)]
pub(crate) const fn place<C: Config>(cursor: usize, limit: usize, layout: Layout) -> Option<Placed> {
    if C::UP {
        let start = up_to(cursor, layout.align());
        if before(limit, start.wrapping_add(layout.size())) {
            return None;
        }
        // The start is a multiple of `MIN_ALIGN` and so is the limit, so that rounding the size cannot step over it.
        Some(Placed { start, cursor: start.wrapping_add(up_to(layout.size(), C::MIN_ALIGN)) })
    } else {
        let start = down_to(down_to(cursor.wrapping_sub(layout.size()), layout.align()), C::MIN_ALIGN);
        if before(start, limit) {
            return None;
        }
        Some(Placed { start, cursor: start })
    }
}

/// As [`place`], for a size that is a multiple of both the alignment and `C::MIN_ALIGN`, as those of values are.
/// Filling up, the block's end can then be found first, and the next request waits for that and not for the start.
#[inline(always)]
pub(crate) const fn place_value<C: Config>(cursor: usize, limit: usize, layout: Layout) -> Option<Placed> {
    debug_assert!(layout.size().is_multiple_of(layout.align()) && layout.size().is_multiple_of(C::MIN_ALIGN));
    if C::UP {
        let end = up_to(cursor.wrapping_add(layout.size()), layout.align());
        if before(limit, end) {
            return None;
        }
        Some(Placed { start: end.wrapping_sub(layout.size()), cursor: end })
    } else {
        place::<C>(cursor, limit, layout)
    }
}

/// Whether the block at `start` of `size` bytes is the last one, that is, whether it borders on the cursor.
#[inline(always)]
pub(crate) const fn is_last<C: Config>(cursor: usize, start: usize, size: usize) -> bool {
    if C::UP { up_to(start.wrapping_add(size), C::MIN_ALIGN) == cursor } else { start == cursor }
}

/// The cursor after the last block, at `start` of `size` bytes, is given back.
#[inline(always)]
pub(crate) const fn without<C: Config>(start: usize, size: usize) -> usize {
    if C::UP { start } else { up_to(start.wrapping_add(size), C::MIN_ALIGN) }
}

/// Places the last block, at `start`, anew with the size and alignment of `new`, over and beyond its `old_size` bytes.
/// Filling up it stays where it is; filling down its start moves.
#[inline(always)]
pub(crate) const fn replace<C: Config>(
    start: usize,
    old_size: usize,
    new: Layout,
    limit: usize,
) -> Option<Placed> {
    if C::UP {
        let end = start.wrapping_add(new.size());
        if before(limit, end) {
            return None;
        }
        Some(Placed { start, cursor: up_to(end, C::MIN_ALIGN) })
    } else {
        place::<C>(start.wrapping_add(old_size), limit, new)
    }
}

/// The part of a block that does not lie beyond `limit`, as offset and size: beyond it nothing was written before.
pub(crate) const fn dirty<C: Config>(start: usize, size: usize, limit: usize) -> (usize, usize) {
    if C::UP {
        let before = limit.saturating_sub(start);
        (0, if before < size { before } else { size })
    } else {
        let clean = limit.saturating_sub(start);
        let clean = if clean < size { clean } else { size };
        (clean, size - clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Down, Up};
    use alloc_core::arith::MAX_SIZE;
    use proptest::prelude::*;

    /// The same question answered in 128-bit integers, where nothing wraps.
    fn model<C: Config>(cursor: usize, limit: usize, layout: Layout) -> Option<Placed> {
        let round = |value: i128, align: usize| value.div_euclid(align as i128) * align as i128;
        let (size, align, least) = (layout.size() as i128, layout.align(), C::MIN_ALIGN);
        let (cursor, limit) = (cursor as i128, limit as i128);
        let placed = if C::UP {
            let start = round(cursor + align as i128 - 1, align);
            let end = start + size;
            (end <= limit).then(|| (start, round(end + least as i128 - 1, least)))
        } else {
            let start = round(cursor - size, align.max(least));
            (start >= limit).then_some((start, start))
        };
        placed.map(|(start, cursor)| Placed {
            start: start.try_into().expect("inside the extent"),
            cursor: cursor.try_into().expect("inside the extent"),
        })
    }

    fn layouts() -> impl Strategy<Value = Layout> {
        let size = prop_oneof![
            0_usize..64,
            0_usize..1 << 20,
            (0_u32..63).prop_map(|shift| 1_usize << shift),
            (0_usize..64).prop_map(|less| isize::MAX as usize - less),
        ];
        let align = prop_oneof![4 => 0_u32..13, 1 => 0_u32..63].prop_map(|shift| 1_usize << shift);
        (size, align).prop_filter_map("a layout", |(size, align)| Layout::from_size_align(size, align).ok())
    }

    /// An extent anywhere in the address space, its last byte included, of any length up to `isize::MAX`.
    fn extents(least: usize) -> impl Strategy<Value = (usize, usize)> {
        let low = prop_oneof![1_usize..1 << 16, 1_usize..usize::MAX, usize::MAX - (1 << 16)..usize::MAX];
        let length = prop_oneof![0_usize..256, 0_usize..1 << 21, 0..isize::MAX as usize];
        (low, length).prop_map(move |(low, length)| {
            let low = low.div_ceil(least).saturating_mul(least) & !(least - 1);
            let high = low.saturating_add(length) & !(least - 1);
            (low, high.max(low))
        })
    }

    fn agrees<C: Config>((low, high): (usize, usize), layout: Layout) -> Result<(), TestCaseError> {
        let (cursor, limit) = if C::UP { (low, high) } else { (high, low) };
        let placed = place::<C>(cursor, limit, layout);
        prop_assert_eq!(placed, model::<C>(cursor, limit, layout));
        if let Ok(value) = layout.align_to(C::MIN_ALIGN)
            && layout.size() <= MAX_SIZE / 2
        {
            let value = value.pad_to_align();
            prop_assert_eq!(place_value::<C>(cursor, limit, value), model::<C>(cursor, limit, value));
        }
        let Some(placed) = placed else { return Ok(()) };

        prop_assert!(placed.start >= low && high - placed.start >= layout.size());
        prop_assert!(placed.start.is_multiple_of(layout.align()));
        prop_assert!(placed.cursor.is_multiple_of(C::MIN_ALIGN));
        prop_assert!(placed.cursor >= low && placed.cursor <= high);
        prop_assert!(is_last::<C>(placed.cursor, placed.start, layout.size()));

        let back = without::<C>(placed.start, layout.size());
        prop_assert!(back.is_multiple_of(C::MIN_ALIGN) && back >= low && back <= high);
        prop_assert_eq!(
            replace::<C>(placed.start, layout.size(), layout, limit).map(|same| same.start),
            Some(placed.start)
        );
        Ok(())
    }

    fn replaces<C: Config>(
        (low, high): (usize, usize),
        layout: Layout,
        size: usize,
    ) -> Result<(), TestCaseError> {
        let (cursor, limit) = if C::UP { (low, high) } else { (high, low) };
        let Some(placed) = place::<C>(cursor, limit, layout) else { return Ok(()) };
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return Ok(()) };
        let again = replace::<C>(placed.start, layout.size(), new, limit);
        if C::UP {
            // The start is kept: the same as placing the new layout at the old start.
            prop_assert_eq!(again, model::<C>(placed.start, limit, new).filter(|_| true));
        } else if let Some(again) = again {
            prop_assert!(again.start >= low && again.start.is_multiple_of(new.align()));
            prop_assert!(placed.start + layout.size() - again.start >= new.size());
        } else {
            prop_assert!((placed.start + layout.size() - low) < new.size() + new.align().max(C::MIN_ALIGN));
        }
        Ok(())
    }

    macro_rules! stamp {
        ($($name:ident, $replaces:ident: $config:ty;)*) => {
            proptest! {$(
                #[test]
                fn $name(extent in extents(<$config>::MIN_ALIGN), layout in layouts()) {
                    agrees::<$config>(extent, layout)?;
                }

                #[test]
                fn $replaces(
                    extent in extents(<$config>::MIN_ALIGN),
                    layout in layouts(),
                    size in prop_oneof![0_usize..256, 0..isize::MAX as usize],
                ) {
                    replaces::<$config>(extent, layout, size)?;
                }
            )*}
        };
    }

    stamp! {
        up_1, up_1_again: Up<1>;
        up_8, up_8_again: Up<8>;
        up_64, up_64_again: Up<64>;
        down_1, down_1_again: Down<1>;
        down_8, down_8_again: Down<8>;
        down_64, down_64_again: Down<64>;
    }

    #[test]
    fn the_last_byte_of_the_address_space_can_be_used() {
        let one = Layout::new::<u8>();
        let end = usize::MAX;
        assert_eq!(place::<Up>(end - 1, end, one), Some(Placed { start: end - 1, cursor: end }));
        assert_eq!(place::<Up>(end, end, one), None);
        assert_eq!(place::<Down>(end, end - 1, one), Some(Placed { start: end - 1, cursor: end - 1 }));
        let huge = Layout::from_size_align(isize::MAX as usize, 1).expect("a layout");
        assert_eq!(place::<Up>(end - 1, end, huge), None);
        assert_eq!(place::<Down>(8, 8, huge), None);
    }
}
