//! Locks, and the one place that chooses between `core`'s atomics and loom's.
//!
//! Other files import atomics from [`atomic`] only, so that `--cfg alloc_loom` puts every protocol under the model
//! checker at once.
//!
//! * [`RawLock`]: four bytes, spins a little, then waits by way of a [`Park`].
//! * [`Mutex`]: a value behind a `RawLock`.
//! * `OwnerLock` (Linux): one that tells a signal handler of its holder's so.
//! * [`RankedMutex`]: a mutex with a place in the order of all locks, which debug builds watch.
//! * [`CachePadded`]: keeps what one processor writes off the lines that others read.

/// Makes a constructor `const`, except in model builds: loom's atomics register themselves when they are made.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$meta])*
        #[cfg(not(alloc_loom))]
        $vis const fn $($rest)*

        $(#[$meta])*
        #[cfg(alloc_loom)]
        $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;

mod cache_padded;
mod mutex;
#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
mod owner_lock;
mod park;
mod rank;
mod raw_lock;

pub use cache_padded::CachePadded;
pub use mutex::{Mutex, MutexGuard};
#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
pub use owner_lock::{Acquired, OwnerLock};
#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
pub use park::Futex;
#[cfg(all(feature = "libc", unix))]
pub use park::Yield;
pub use park::{DefaultPark, Park, Spin};
pub use rank::{RankedMutex, RankedMutexGuard};
pub use raw_lock::RawLock;

/// The atomics of every protocol between threads.
pub mod atomic {
    #[cfg(not(alloc_loom))]
    pub use core::sync::atomic::*;
    #[cfg(alloc_loom)]
    pub use loom::sync::atomic::*;
}

/// Atomics that stay `core`'s in model builds, for statics, which loom's cannot be. Only for values that are no
/// protocol: every thread that finds them unset would store the same.
pub mod static_atomic {
    pub use core::sync::atomic::*;
}

/// What a thread does while it waits without the kernel.
pub mod hint {
    #[cfg(not(alloc_loom))]
    pub use core::hint::spin_loop;
    #[cfg(alloc_loom)]
    pub use loom::hint::spin_loop;
}
