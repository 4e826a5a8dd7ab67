//! Size and alignment arithmetic on plain integers.
//!
//! Everything that can overflow returns `None`; nothing here looks at memory. Alignments are powers of two,
//! sizes are bytes.

#![forbid(unsafe_code)]

use core::alloc::Layout;

/// The largest size that any request may have: `isize::MAX` bytes, the limit of [`Layout`] and of pointer offsets.
pub const MAX_SIZE: usize = isize::MAX as usize;

/// The largest alignment that every strategy must serve: 1 GiB.
pub const MAX_ALIGN: usize = 1 << 30;

/// Whether `value` is a multiple of `align` (a power of two).
#[inline]
#[must_use]
pub const fn is_aligned(value: usize, align: usize) -> bool {
    debug_assert!(align.is_power_of_two());
    value & (align - 1) == 0
}

/// The largest multiple of `align` (a power of two) that is at most `value`.
#[inline]
#[must_use]
pub const fn align_down(value: usize, align: usize) -> usize {
    debug_assert!(align.is_power_of_two());
    value & !(align - 1)
}

/// The smallest multiple of `align` (a power of two) that is at least `value`, or `None` past `usize::MAX`.
#[inline]
#[must_use]
pub const fn align_up(value: usize, align: usize) -> Option<usize> {
    debug_assert!(align.is_power_of_two());
    match value.checked_add(align - 1) {
        Some(sum) => Some(sum & !(align - 1)),
        None => None,
    }
}

/// Bytes from `value` up to the next multiple of `align` (a power of two): 0 to `align - 1`.
#[inline]
#[must_use]
pub const fn padding(value: usize, align: usize) -> usize {
    debug_assert!(align.is_power_of_two());
    value.wrapping_neg() & (align - 1)
}

/// The size of `layout` rounded up to a multiple of its alignment. Never overflows: [`Layout`] promises that
/// this sum stays within [`MAX_SIZE`].
#[inline]
#[must_use]
pub const fn size_rounded_to_align(layout: Layout) -> usize {
    align_down(layout.size() + (layout.align() - 1), layout.align())
}

/// `count * size`, or `None` past [`MAX_SIZE`]: what `calloc` and `reallocarray` must ask before they allocate.
#[inline]
#[must_use]
pub const fn array_size(count: usize, size: usize) -> Option<usize> {
    match count.checked_mul(size) {
        Some(total) if total <= MAX_SIZE => Some(total),
        _ => None,
    }
}

/// A layout for foreign callers (the C side of a handle): `None` unless `align` is a power of two and the size
/// rounded up to it stays within [`MAX_SIZE`].
#[inline]
#[must_use]
pub const fn checked_layout(size: usize, align: usize) -> Option<Layout> {
    match Layout::from_size_align(size, align) {
        Ok(layout) => Some(layout),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn power() -> impl Strategy<Value = usize> {
        (0_u32..usize::BITS).prop_map(|shift| 1_usize << shift)
    }

    proptest! {
        #[test]
        fn rounding_brackets_the_value(value: usize, align in power()) {
            let down = align_down(value, align);
            prop_assert!(is_aligned(down, align) && down <= value && value - down < align);
            match align_up(value, align) {
                Some(up) => {
                    prop_assert!(is_aligned(up, align) && up >= value && up - value < align);
                    prop_assert_eq!(padding(value, align), up - value);
                }
                None => prop_assert!(value > usize::MAX - (align - 1)),
            }
        }

        #[test]
        fn padding_always_reaches_a_multiple(value: usize, align in power()) {
            let pad = padding(value, align);
            prop_assert!(pad < align && is_aligned(value.wrapping_add(pad), align));
        }

        #[test]
        fn array_size_is_exact_or_none(count: usize, size: usize) {
            let exact = count as u128 * size as u128;
            match array_size(count, size) {
                Some(total) => prop_assert_eq!(total as u128, exact),
                None => prop_assert!(exact > MAX_SIZE as u128),
            }
        }

        #[test]
        fn rounded_size_fits_every_layout(size in 0..=MAX_SIZE, align in power()) {
            if let Some(layout) = checked_layout(size, align) {
                let rounded = size_rounded_to_align(layout);
                prop_assert!(rounded >= size && rounded - size < align && rounded <= MAX_SIZE);
            } else {
                prop_assert!(align > MAX_SIZE || align_up(size, align).is_none_or(|up| up > MAX_SIZE));
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(align_up(usize::MAX, 1), Some(usize::MAX));
        assert_eq!(align_up(usize::MAX, 2), None);
        assert_eq!(align_up(0, 1 << 63), Some(0));
        assert_eq!(array_size(MAX_SIZE, 1), Some(MAX_SIZE));
        assert_eq!(array_size(MAX_SIZE, 2), None);
        assert_eq!(checked_layout(0, 3), None);
        assert_eq!(checked_layout(0, 0), None);
        assert_eq!(checked_layout(MAX_SIZE, 2), None);
    }
}
