//! `allocator_api2::alloc::Allocator` of version 0.4.

/// Implements the trait of version 0.4 for a strategy type.
#[doc(hidden)]
#[macro_export]
macro_rules! impl_allocator_api2_04 {
    ([$($generics:tt)*] $type:ty) => {
        $crate::impl_allocator_by_strategy!(
            [$crate::compat::names::allocator_api2_04::alloc] [$($generics)*] $type
        );
    };
}
