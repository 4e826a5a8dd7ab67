//! Dead mappings that are kept for a moment, with their pages, since the next block of their size is likely to come soon.

#![forbid(unsafe_code)]

use alloc_core::backend::Span;

/// Mappings kept at most. A search looks at all of them, which costs less than a hundredth of the call that it saves: 17 µs to
/// map, touch and unmap 64 KiB, 16.6 ms for 16 MiB, against 0.3 ms to clear 16 MiB that are there (measured).
const MOST: usize = 16;

/// Bytes kept at most, however little is mapped: as much as the dynamic threshold lets an arena keep of one block.
const LEAST_BYTES: usize = 32 << 20;

/// Beyond that, this part of what is mapped: an eighth.
const PART: usize = 8;

/// The mappings, oldest first.
#[derive(Debug)]
pub(super) struct Cache {
    dead: [Option<Dead>; MOST],
    len: usize,
    bytes: usize,
    /// Bytes that may be kept.
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Dead {
    span: Span,
    since_ms: u64,
}

impl Cache {
    pub(super) const fn new() -> Self {
        Self { dead: [None; MOST], len: 0, bytes: 0, limit: LEAST_BYTES }
    }

    /// The smallest mapping of at least `need` bytes that wastes a quarter of them or less; of equal ones the youngest, whose
    /// pages are the likeliest in the processor's caches. It holds what its last holder left.
    pub(super) fn take(&mut self, need: usize) -> Option<Span> {
        let fits = need..=need + need / 4;
        let size = |dead: &Option<Dead>| dead.map_or(0, |dead| dead.span.size);
        let best = (0..self.len)
            .rev()
            .filter(|&at| self.dead.get(at).is_some_and(|dead| fits.contains(&size(dead))))
            .min_by_key(|&at| self.dead.get(at).map_or(0, size))?;
        self.remove(best)
    }

    /// Keeps a mapping, while `mapped` bytes are in live ones. Returns one that is too many, if any: perhaps the same, else the
    /// oldest. See [`surplus`](Self::surplus) for more.
    pub(super) fn put(&mut self, span: Span, now_ms: u64, mapped: usize) -> Option<Span> {
        self.limit = LEAST_BYTES.max(mapped / PART);
        if span.size > self.limit {
            return Some(span);
        }
        let displaced = if self.len == MOST { self.oldest() } else { None };
        if let Some(place) = self.dead.get_mut(self.len) {
            *place = Some(Dead { span, since_ms: now_ms });
            self.len += 1;
            self.bytes += span.size;
        }
        displaced.or_else(|| self.surplus())
    }

    /// The oldest, while more than the limit is kept.
    pub(super) fn surplus(&mut self) -> Option<Span> {
        if self.bytes > self.limit { self.oldest() } else { None }
    }

    /// The oldest, if it has been here for `delay` milliseconds.
    pub(super) fn expired(&mut self, now_ms: u64, delay: u32) -> Option<Span> {
        let oldest = (*self.dead.first()?)?;
        if now_ms.saturating_sub(oldest.since_ms) >= u64::from(delay) { self.oldest() } else { None }
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Span> {
        self.dead.iter().flatten().map(|dead| dead.span)
    }

    /// The oldest.
    pub(super) fn oldest(&mut self) -> Option<Span> {
        self.remove(0)
    }

    fn remove(&mut self, at: usize) -> Option<Span> {
        let removed = self.dead.get(at).copied().flatten()?;
        if let Some(rest) = self.dead.get_mut(at..self.len) {
            rest.rotate_left(1);
        }
        self.len -= 1;
        if let Some(last) = self.dead.get_mut(self.len) {
            *last = None;
        }
        self.bytes -= removed.span.size;
        Some(removed.span)
    }
}
