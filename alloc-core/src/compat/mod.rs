//! The outside world's allocator traits, one small file each.

#[cfg(feature = "allocator-api2-02")]
mod allocator_api2_02;
#[cfg(feature = "allocator-api2-04")]
mod allocator_api2_04;
mod from_global;
mod global;

/// What the macros of this module name: not for use by hand.
#[doc(hidden)]
pub mod names {
    #[cfg(feature = "allocator-api2-02")]
    pub use allocator_api2_02;
    #[cfg(feature = "allocator-api2-04")]
    pub use allocator_api2_04;
}

pub use from_global::FromGlobal;
pub use global::{Abort, Exhaustion, Global, ReturnNull};

/// Implements the `Allocator` trait of every enabled allocator-api2 version for a strategy type, so that collections
/// take it by reference: `impl_allocator_api2!([B: Backend] MyStrategy<B>);`. The brackets hold generic parameters with
/// their bounds and may be empty. Without the features it expands to nothing.
///
/// The type must own its blocks in a way that survives a move, which [`Strategy`](crate::Strategy) asks for anyway.
#[macro_export]
macro_rules! impl_allocator_api2 {
    ([$($generics:tt)*] $type:ty) => {
        $crate::impl_allocator_api2_02!([$($generics)*] $type);
        $crate::impl_allocator_api2_04!([$($generics)*] $type);
    };
}

/// The body that both versions share: their traits differ in path only.
#[doc(hidden)]
#[macro_export]
macro_rules! impl_allocator_by_strategy {
    ([$($api:tt)*] [$($generics:tt)*] $type:ty) => {
        const _: () = {
            use $($api)* as api;
            use ::core::alloc::Layout;
            use ::core::ptr::NonNull;

            fn slice(
                block: ::core::result::Result<NonNull<u8>, $crate::AllocError>,
                size: usize,
            ) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                match block {
                    Ok(block) => Ok(NonNull::slice_from_raw_parts(block, size)),
                    Err($crate::AllocError) => Err(api::AllocError),
                }
            }

            // SAFETY: live blocks of a strategy stay valid until they are given back or the strategy is dropped, and survive
            // its moves, which is what `Allocator` asks for. A change of alignment, which `Strategy` leaves out, moves.
            unsafe impl<$($generics)*> api::Allocator for $type {
                #[inline]
                fn allocate(&self, layout: Layout) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                    slice($crate::Strategy::allocate(self, layout), layout.size())
                }

                #[inline]
                fn allocate_zeroed(
                    &self,
                    layout: Layout,
                ) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                    slice($crate::Strategy::allocate_zeroed(self, layout), layout.size())
                }

                #[inline]
                unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                    // SAFETY: the caller's promises are the callee's.
                    unsafe { $crate::Strategy::deallocate(self, block, layout) };
                }

                #[inline]
                unsafe fn grow(
                    &self,
                    block: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                    if old.align() != new.align() {
                        // SAFETY: the caller promises a live block that `old` fits.
                        return slice(unsafe { $crate::move_block(self, block, old, new) }, new.size());
                    }
                    // SAFETY: the caller's promises are the callee's, and the alignments are equal.
                    slice(unsafe { $crate::Strategy::grow(self, block, old, new) }, new.size())
                }

                #[inline]
                unsafe fn grow_zeroed(
                    &self,
                    block: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                    if old.align() != new.align() {
                        // SAFETY: the caller promises a live block that `old` fits.
                        return slice(unsafe { $crate::move_block_zeroed(self, block, old, new) }, new.size());
                    }
                    // SAFETY: the caller's promises are the callee's, and the alignments are equal.
                    slice(unsafe { $crate::Strategy::grow_zeroed(self, block, old, new) }, new.size())
                }

                #[inline]
                unsafe fn shrink(
                    &self,
                    block: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> ::core::result::Result<NonNull<[u8]>, api::AllocError> {
                    if old.align() != new.align() {
                        // SAFETY: the caller promises a live block that `old` fits.
                        return slice(unsafe { $crate::move_block(self, block, old, new) }, new.size());
                    }
                    // SAFETY: the caller's promises are the callee's, and the alignments are equal.
                    slice(unsafe { $crate::Strategy::shrink(self, block, old, new) }, new.size())
                }
            }
        };
    };
}

/// Expands to nothing: the feature `allocator-api2-02` is off.
#[doc(hidden)]
#[cfg(not(feature = "allocator-api2-02"))]
#[macro_export]
macro_rules! impl_allocator_api2_02 {
    ([$($generics:tt)*] $type:ty) => {};
}

/// Expands to nothing: the feature `allocator-api2-04` is off.
#[doc(hidden)]
#[cfg(not(feature = "allocator-api2-04"))]
#[macro_export]
macro_rules! impl_allocator_api2_04 {
    ([$($generics:tt)*] $type:ty) => {};
}

crate::impl_allocator_api2!(['a] crate::Handle<'a>);
#[cfg(feature = "libc")]
crate::impl_allocator_api2!([] crate::Libc);
