//! The same files, in which no read acquires: what was published may not be seen by who saw that it was.

mod sync {
    pub(super) mod atomic {
        use alloc_core::sync::atomic::Ordering as Real;
        pub(crate) use alloc_core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

        pub(crate) struct Ordering;

        #[allow(non_upper_case_globals, dead_code, reason = "named like the orderings that they stand for")]
        impl Ordering {
            pub(crate) const Relaxed: Real = Real::Relaxed;
            pub(crate) const Acquire: Real = Real::Relaxed;
            pub(crate) const Release: Real = Real::Release;
        }

        pub(crate) fn fence(order: Real) {
            alloc_core::sync::atomic::fence(match order {
                Real::Relaxed => return,
                order => order,
            });
        }
    }
}

#[path = "../../src/stack/intern.rs"]
pub(crate) mod intern;
#[path = "../../src/pending.rs"]
pub(crate) mod pending;
