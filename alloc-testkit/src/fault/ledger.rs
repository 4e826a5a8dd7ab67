//! Which span of the wrapped backend each span handed out lies in.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use alloc_core::backend::Span;

#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<usize, Entry>>);

#[derive(Clone, Copy, Debug)]
struct Entry(Span);

// SAFETY: a span is an address and a size; who may use the memory is up to the holder of the span handed out.
unsafe impl Send for Entry {}

impl Ledger {
    /// Notes that the span handed out at `start` lies in `inner`.
    pub(super) fn note(&self, start: usize, inner: Span) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(start, Entry(inner));
    }

    /// The span that the one handed out at `start` lies in, which is forgotten.
    pub(super) fn settle(&self, start: usize) -> Option<Span> {
        let entry = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&start);
        entry.map(|Entry(span)| span)
    }
}
