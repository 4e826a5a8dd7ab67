//! An operating system in memory, for tests.
//!
//! [`FakeOs`] keeps the state of every page and panics when a caller breaks a condition of [`Pages`](super::Pages),
//! where a kernel would go on in silence. Memory that its caller has no right to (reserved, decommitted, cut off) is
//! filled with [`POISON`] where that is affordable, and must still be when it is committed or released: a stray write
//! is told at the next call. It fails on [demand](FakeOs::fail) and counts its calls.
//!
//! It must not serve the process's global allocator: its books are ordinary collections behind a `std` mutex.

mod calls;
mod pages;
mod region;
mod sbrk;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

pub use calls::Call;
use calls::Calls;
use region::Region;
use sbrk::Program;

use super::schedule::Schedule;

/// What bytes hold that nobody has a right to read.
pub const POISON: u8 = 0xA5;

/// Pages in memory. Ranges still held when it is dropped stay allocated, since their holders may use them.
#[derive(Debug)]
pub struct FakeOs {
    page: usize,
    room: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    regions: Vec<Region>,
    calls: Calls,
    program: Program,
}

impl FakeOs {
    /// A fresh one with pages of `page` bytes, a power of two from 16 on. Mappings cannot grow in place, and there is
    /// no program break to move.
    #[must_use]
    pub fn new(page: usize) -> Self {
        assert!(page.is_power_of_two() && page >= 16, "a page of {page} bytes is no power of two from 16 on");
        let state = State { regions: Vec::new(), calls: Calls::default(), program: Program::default() };
        Self { page, room: 0, state: Mutex::new(state) }
    }

    /// Gives every later mapping free address space of `bytes` behind it, so that it can grow in place so far.
    #[must_use]
    pub fn with_room(mut self, bytes: usize) -> Self {
        self.room = bytes.next_multiple_of(self.page);
        self
    }

    /// Gives the program break `bytes` to move over.
    #[must_use]
    pub fn with_break(self, bytes: usize) -> Self {
        self.state().program = Program::new(bytes, self.page);
        self
    }

    /// From now on, fails the calls that `schedule` names, counting calls of every kind from 1. Replaces whatever was
    /// to fail before.
    pub fn fail(&self, schedule: Schedule) {
        self.state().calls.fail(None, schedule);
    }

    /// As [`fail`](Self::fail), for one kind of call alone and counting only those.
    pub fn fail_kind(&self, kind: Call, schedule: Schedule) {
        self.state().calls.fail(Some(kind), schedule);
    }

    /// Calls of one kind so far, failed ones included.
    #[must_use]
    pub fn calls(&self, kind: Call) -> u64 {
        self.state().calls.of(kind)
    }

    /// Calls of all kinds so far, failed ones included.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        Call::ALL.into_iter().map(|kind| self.calls(kind)).sum()
    }

    /// Bytes reserved or mapped and not released.
    #[must_use]
    pub fn held(&self) -> usize {
        self.page * self.count(region::Page::is_held)
    }

    /// Bytes readable and writable.
    #[must_use]
    pub fn committed(&self) -> usize {
        self.page * self.count(region::Page::is_committed)
    }

    /// Bytes that were populated ahead and not given back since.
    #[must_use]
    pub fn populated(&self) -> usize {
        self.page * self.count(region::Page::is_populated)
    }

    /// Bytes under [`Advice::Huge`](super::Advice::Huge).
    #[must_use]
    pub fn huge(&self) -> usize {
        self.page * self.count(region::Page::is_huge)
    }

    /// Panics if anything is still reserved or mapped.
    #[track_caller]
    pub fn assert_all_released(&self) {
        let state = self.state();
        let held: Vec<_> = state.regions.iter().map(Region::summary).collect();
        drop(state);
        assert!(held.is_empty(), "never released: {}", held.join(", "));
    }

    fn count(&self, which: impl Fn(&region::Page) -> bool) -> usize {
        self.state().regions.iter().flat_map(Region::pages).filter(|page| which(page)).count()
    }

    /// A panic on a broken condition leaves the books whole: conditions are checked before anything is changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
