//! `allocator_api2::alloc::Allocator` of version 0.2.

/// Implements the trait of version 0.2 for a strategy type.
#[doc(hidden)]
#[macro_export]
macro_rules! impl_allocator_api2_02 {
    ([$($generics:tt)*] $type:ty) => {
        $crate::impl_allocator_by_strategy!(
            [$crate::compat::names::allocator_api2_02::alloc] [$($generics)*] $type
        );
    };
}
