//! A backend that fails on demand, for tests of what stands on it.

use core::ptr::NonNull;

use super::{Backend, Span};
use crate::error::AllocError;
use crate::os::schedule::Schedule;
use crate::sync::{Mutex, const_unless_loom};

/// Answers `Err` to the requests that a [`Schedule`] names, and knows what of `B` is in use.
///
/// Requests are calls for a span and calls to resize one, counted together from 1.
#[derive(Debug)]
pub struct Failing<B> {
    inner: B,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    requests: u64,
    refused: u64,
    spans: usize,
    bytes: usize,
}

impl<B: Backend> Failing<B> {
    const_unless_loom! {
        /// Wraps a backend whose requests fail as `schedule` says.
        #[must_use]
        pub const fn new(inner: B, schedule: Schedule) -> Self {
            Self { inner, state: Mutex::new(State { schedule, requests: 0, refused: 0, spans: 0, bytes: 0 }) }
        }
    }

    /// The wrapped backend.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// From now on, fails as `schedule` says, counting requests from 1 again.
    pub fn fail(&self, schedule: Schedule) {
        let mut state = self.state.lock();
        state.schedule = schedule;
        state.requests = 0;
    }

    /// Requests since the schedule was set.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.state.lock().requests
    }

    /// Requests that the schedule has failed, in total.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.state.lock().refused
    }

    /// Spans in use: 0 when all that was handed out has come back.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.state.lock().spans
    }

    /// Bytes in the spans in use.
    #[must_use]
    pub fn outstanding_bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Counts the bytes of a span that is now another one.
    fn resized(&self, before: Span, after: Span) {
        let mut state = self.state.lock();
        state.bytes = state.bytes - before.size + after.size;
    }

    fn enter(&self) -> Result<(), AllocError> {
        let mut state = self.state.lock();
        state.requests += 1;
        if state.schedule.fails(state.requests) {
            state.refused += 1;
            return Err(AllocError);
        }
        Ok(())
    }
}

// SAFETY: spans are those of `B`, as they are.
unsafe impl<B: Backend> Backend for Failing<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.enter()?;
        let span = self.inner.allocate_span(size, align)?;
        let mut state = self.state.lock();
        state.spans += 1;
        state.bytes += span.size;
        Ok(span)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.release_span(span) };
        let mut state = self.state.lock();
        state.spans -= 1;
        state.bytes -= span.size;
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.enter()?;
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { self.inner.grow_span(span, size) }?;
        self.resized(span, grown);
        Ok(grown)
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.enter()?;
        // SAFETY: the caller's promises are the callee's.
        let moved = unsafe { self.inner.move_span(span, size) }?;
        self.resized(span, moved);
        Ok(moved)
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.enter()?;
        // SAFETY: the caller's promises are the callee's.
        let shrunk = unsafe { self.inner.shrink_span(span, size) }?;
        self.resized(span, shrunk);
        Ok(shrunk)
    }

    forward_hints!(inner);
}
