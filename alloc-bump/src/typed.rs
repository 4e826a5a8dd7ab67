//! Values, slices and strings in an arena: the work behind the methods of [`typed_methods`](crate::methods), for any
//! strategy that frees its blocks all at once.
//!
//! Every function that runs the caller's code (closures, `Clone`, iterators, `Display`) expects it to use the same arena,
//! and to unwind: what was taken before that is left behind, and comes back with everything else.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use alloc_core::{AllocError, Strategy};

use crate::fail;

/// An arena with a fast path that is worth inlining apart from the rest.
pub(crate) trait Fast: Strategy + Sized {
    /// Room for one value, where that is at hand.
    fn fast<T>(&self) -> Option<NonNull<T>>;
}

/// A value in the arena. What is not the fast path gets all it needs as arguments, so that nothing is kept for it in
/// registers that would have to be saved first.
#[inline(always)]
pub(crate) fn value<T, A: Fast>(arena: &A, make: impl FnOnce() -> T) -> Result<NonNull<T>, AllocError> {
    match arena.fast::<T>() {
        Some(place) => {
            // SAFETY: a live block of the size and alignment of `T`, which only we know of.
            unsafe { place.write(make()) };
            Ok(place)
        }
        None => value_slow(arena, make),
    }
}

#[cold]
#[inline(never)]
fn value_slow<T, A: Fast>(arena: &A, make: impl FnOnce() -> T) -> Result<NonNull<T>, AllocError> {
    let place = arena.allocate(Layout::new::<T>())?.cast::<T>();
    // SAFETY: as in `value`.
    unsafe { place.write(make()) };
    Ok(place)
}

/// As [`value`], or a panic.
#[inline(always)]
pub(crate) fn value_or_panic<T, A: Fast>(arena: &A, make: impl FnOnce() -> T) -> NonNull<T> {
    match arena.fast::<T>() {
        Some(place) => {
            // SAFETY: as in `value`.
            unsafe { place.write(make()) };
            place
        }
        None => value_or_panic_slow(arena, make),
    }
}

#[cold]
#[inline(never)]
fn value_or_panic_slow<T, A: Fast>(arena: &A, make: impl FnOnce() -> T) -> NonNull<T> {
    fail::expect(value_slow(arena, make))
}

/// Room for `length` values, as yet without any.
#[inline(always)]
fn room<T, S: Strategy>(arena: &S, length: usize) -> Result<NonNull<T>, AllocError> {
    let layout = Layout::array::<T>(length).map_err(|_| AllocError)?;
    Ok(arena.allocate(layout)?.cast())
}

/// A copy of `values`.
#[inline(always)]
pub(crate) fn slice_copy<T: Copy, S: Strategy>(arena: &S, values: &[T]) -> Result<NonNull<[T]>, AllocError> {
    let layout = Layout::for_value(values);
    let place = arena.allocate(layout)?.cast::<T>();
    let source = NonNull::from(values).cast::<T>();
    // SAFETY: both have room for `values.len()` values; a new live block overlaps nothing else.
    unsafe { place.copy_from_nonoverlapping(source, values.len()) };
    Ok(NonNull::slice_from_raw_parts(place, values.len()))
}

/// `length` values, each made from its index.
#[inline]
pub(crate) fn slice_with<T, S: Strategy>(
    arena: &S,
    length: usize,
    mut make: impl FnMut(usize) -> T,
) -> Result<NonNull<[T]>, AllocError> {
    let place = room::<T, S>(arena, length)?;
    for index in 0..length {
        // SAFETY: `index < length`, and the block has room for `length` values.
        let slot = unsafe { place.add(index) };
        // SAFETY: as above; a block just taken is aligned for `T`.
        unsafe { slot.write(make(index)) };
    }
    Ok(NonNull::slice_from_raw_parts(place, length))
}

/// The values of an iterator of known length. One that ends early gives a shorter slice, one that does not end in time
/// is not asked further.
#[inline]
pub(crate) fn exact<T, S: Strategy>(
    arena: &S,
    values: impl ExactSizeIterator<Item = T>,
) -> Result<NonNull<[T]>, AllocError> {
    let length = values.len();
    let place = room::<T, S>(arena, length)?;
    let mut written = 0;
    for value in values.take(length) {
        // SAFETY: `take` stops at `length`, for which the block has room.
        let slot = unsafe { place.add(written) };
        // SAFETY: as above; a block just taken is aligned for `T`.
        unsafe { slot.write(value) };
        written += 1;
    }
    Ok(NonNull::slice_from_raw_parts(place, written))
}

/// A block that grows at its end while it is being filled.
struct Growing<'s, T, S: Strategy> {
    arena: &'s S,
    place: NonNull<T>,
    length: usize,
    capacity: usize,
}

impl<'s, T, S: Strategy> Growing<'s, T, S> {
    fn new(arena: &'s S, capacity: usize) -> Result<Self, AllocError> {
        // Room that the hint asks for and the arena has not may not be needed.
        match room::<T, S>(arena, capacity) {
            Ok(place) => Ok(Self { arena, place, length: 0, capacity }),
            Err(AllocError) => Ok(Self { arena, place: room::<T, S>(arena, 0)?, length: 0, capacity: 0 }),
        }
    }

    /// The layout of `capacity` values, which was one already or is checked.
    fn layout(capacity: usize) -> Result<Layout, AllocError> {
        Layout::array::<T>(capacity).map_err(|_| AllocError)
    }

    /// Makes room for `more` values beyond those written: twice the room, or what is needed where there is no more.
    #[cold]
    fn grow(&mut self, more: usize) -> Result<(), AllocError> {
        let needed = self.length.checked_add(more).ok_or(AllocError)?;
        let old = Self::layout(self.capacity)?;
        let wanted = needed.max(self.capacity.saturating_mul(2)).max(4);
        for capacity in [wanted, needed] {
            if let Ok(new) = Self::layout(capacity) {
                // SAFETY: the block is ours and has the layout `old`; `new` is larger and aligned alike.
                if let Ok(place) = unsafe { self.arena.grow(self.place.cast(), old, new) } {
                    (self.place, self.capacity) = (place.cast(), capacity);
                    return Ok(());
                }
            }
        }
        Err(AllocError)
    }

    #[inline]
    fn reserve(&mut self, more: usize) -> Result<(), AllocError> {
        if self.capacity - self.length < more { self.grow(more) } else { Ok(()) }
    }

    fn push(&mut self, value: T) -> Result<(), AllocError> {
        self.reserve(1)?;
        // SAFETY: `length < capacity`, for which the block has room.
        let slot = unsafe { self.place.add(self.length) };
        // SAFETY: as above; the block is aligned for `T`.
        unsafe { slot.write(value) };
        self.length += 1;
        Ok(())
    }

    /// Gives the room that was not needed back.
    fn finish(self) -> Result<NonNull<[T]>, AllocError> {
        let (old, new) = (Self::layout(self.capacity)?, Self::layout(self.length)?);
        // SAFETY: the block is ours and has the layout `old`; `new` is not larger and aligned alike.
        let place = unsafe { self.arena.shrink(self.place.cast(), old, new) }?;
        Ok(NonNull::slice_from_raw_parts(place.cast(), self.length))
    }

    /// Drops the values that were written, and gives the block back.
    fn abandon(self) {
        let values = NonNull::slice_from_raw_parts(self.place, self.length);
        // SAFETY: so many values were written, and nobody else knows of them.
        unsafe { values.drop_in_place() };
        if let Ok(layout) = Self::layout(self.capacity) {
            // SAFETY: the block is ours and has this layout.
            unsafe { self.arena.deallocate(self.place.cast(), layout) };
        }
    }
}

/// The values of an iterator of unknown length.
pub(crate) fn iter<T, S: Strategy>(
    arena: &S,
    values: impl IntoIterator<Item = T>,
) -> Result<NonNull<[T]>, AllocError> {
    let values = values.into_iter();
    let mut growing = Growing::new(arena, values.size_hint().0)?;
    for value in values {
        if let Err(error) = growing.push(value) {
            growing.abandon();
            return Err(error);
        }
    }
    growing.finish()
}

impl<S: Strategy> fmt::Write for Growing<'_, u8, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.reserve(text.len()).map_err(|AllocError| fmt::Error)?;
        // SAFETY: room for `text.len()` bytes more was just made.
        let end = unsafe { self.place.add(self.length) };
        let source = NonNull::from(text.as_bytes()).cast::<u8>();
        // SAFETY: as above; the text cannot lie in the unwritten part of a block that only we know of.
        unsafe { end.copy_from_nonoverlapping(source, text.len()) };
        self.length += text.len();
        Ok(())
    }
}

/// The text that `arguments` make.
pub(crate) fn format<S: Strategy>(
    arena: &S,
    arguments: fmt::Arguments<'_>,
) -> Result<NonNull<[u8]>, AllocError> {
    if let Some(text) = arguments.as_str() {
        return slice_copy(arena, text.as_bytes());
    }
    let mut growing = Growing::new(arena, 0)?;
    if fmt::write(&mut growing, arguments).is_err() {
        growing.abandon();
        return Err(AllocError);
    }
    growing.finish()
}
