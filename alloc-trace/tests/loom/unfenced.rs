//! The same files, in which no fence holds.

mod sync {
    pub(super) mod atomic {
        use alloc_core::sync::atomic::Ordering as Real;
        pub(crate) use alloc_core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

        pub(crate) struct Ordering;

        #[allow(non_upper_case_globals, dead_code, reason = "named like the orderings that they stand for")]
        impl Ordering {
            pub(crate) const Relaxed: Real = Real::Relaxed;
            pub(crate) const Acquire: Real = Real::Acquire;
            pub(crate) const Release: Real = Real::Release;
        }

        pub(crate) fn fence(_: Real) {}
    }
}

#[path = "../../src/pending.rs"]
pub(crate) mod pending;
