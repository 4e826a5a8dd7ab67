//! The sink that wants nothing.

use super::Sink;
use crate::event::Event;
use crate::thread::Thread;

/// Never on. With it, [`Traced`](crate::Traced) compiles to the strategy itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

// SAFETY: it does nothing.
unsafe impl Sink for Null {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        false
    }

    #[inline(always)]
    fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    fn record(&self, _thread: &Thread, _event: Event) {}
}
