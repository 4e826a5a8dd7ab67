//! Where events go.

pub mod counts;
pub mod exact;
mod file;
pub mod history;
#[cfg(test)]
mod in_child;
mod live;
pub mod log;
pub mod null;
mod tally;

pub use history::{Entry, History};
pub use log::Log;
pub use null::Null;

use alloc_core::sync;

use crate::event::{Event, Moment};
use crate::thread::Thread;

/// A receiver of events.
///
/// # Safety
///
/// Implementors promise that no method allocates from the traced heap except behind the re-entrancy guard that is held
/// during [`record`](Self::record), that none unwinds, and that none takes a lock of the standard library.
pub unsafe trait Sink {
    /// Whether the sink may be on: asked first of all, at every call of a [`Traced`](crate::Traced). The sinks of this crate all
    /// ask one switch of the process, which is on while any of them is.
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        self.is_on()
    }

    /// Whether events are wanted now.
    fn is_on(&self) -> bool;

    /// The block at `address` is about to be resized, and may leave its place to others before the resize is told. The
    /// answer comes back with that event, or with the refusal. Asked while the sink is on and wants the block's free, and
    /// the thread is not inside a sink.
    #[inline]
    fn leaving(&self, address: usize) -> Moment {
        let _ = address;
        Moment(0)
    }

    /// Whether the sink is on, and wants an allocation of `size` bytes. Asked once for each, before the strategy is, so that
    /// a sink that samples can decide without the thread's record being entered, and one that is off costs no more than
    /// [`is_on`](Self::is_on).
    #[inline]
    fn wants_alloc(&self, size: usize) -> bool {
        let _ = size;
        self.is_on()
    }

    /// Whether the sink is on, and wants the free of the block at `address`, likewise.
    #[inline]
    fn wants_free(&self, address: usize) -> bool {
        let _ = address;
        self.is_on()
    }

    /// Takes an event. `thread` is the calling thread's record, guarded against re-entry.
    fn record(&self, thread: &Thread, event: Event);
}

// SAFETY: every method forwards to the same method of `K` with the same arguments, so `K`'s promises are ours.
unsafe impl<K: Sink + ?Sized> Sink for &K {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        (**self).may_be_on()
    }

    #[inline]
    fn is_on(&self) -> bool {
        (**self).is_on()
    }

    #[inline]
    fn leaving(&self, address: usize) -> Moment {
        (**self).leaving(address)
    }

    #[inline]
    fn wants_alloc(&self, size: usize) -> bool {
        (**self).wants_alloc(size)
    }

    #[inline]
    fn wants_free(&self, address: usize) -> bool {
        (**self).wants_free(address)
    }

    #[inline(always)]
    fn record(&self, thread: &Thread, event: Event) {
        (**self).record(thread, event);
    }
}
