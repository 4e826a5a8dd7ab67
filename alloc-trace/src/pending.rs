//! A thread's events on their way to the file.
//!
//! The thread appends bytes and then publishes the new length; nobody else writes. When the trace ends, another thread
//! copies what is there: bytes below the length it read stay as they are, until the owner writes the block out and begins
//! anew, which a count that is odd meanwhile tells.

use core::cell::Cell;
use core::fmt;

use super::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use crate::format::event::{LONGEST, Last, Record};
use crate::format::{BLOCK_HEADER, TIME_SHIFT};

/// Bytes of a block at most, with its header.
pub(crate) const CAPACITY: usize = if cfg!(alloc_loom) { BLOCK_HEADER + LONGEST + 8 } else { 64 << 10 };

/// Events at most, one after the other, that have the time of the first.
const SHARING: u32 = 32;
/// A coarse time that is none.
const UNKNOWN: u64 = u64::MAX;

/// The buffer. Valid when all bytes are zero.
pub(crate) struct Pending {
    /// The trace that the bytes belong to; 0 for none.
    session: AtomicU32,
    /// Odd while the owner writes the block out or begins a new one.
    turns: AtomicU32,
    /// Bytes so far, the header's room included.
    length: AtomicU32,
    /// Blocks of this thread and trace so far.
    number: AtomicU32,
    base: AtomicU64,
    last: Cell<Last>,
    /// Events at the end of what is there that have one time, and the coarse clock's then.
    sharing: Cell<u32>,
    coarse: Cell<u64>,
    bytes: [AtomicU8; CAPACITY],
}

/// A block's place among others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) number: u32,
    pub(crate) base: u64,
    pub(crate) length: usize,
}

impl Pending {
    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self {
            session: AtomicU32::new(0),
            turns: AtomicU32::new(0),
            length: AtomicU32::new(0),
            number: AtomicU32::new(0),
            base: AtomicU64::new(0),
            last: Cell::default(),
            sharing: Cell::default(),
            coarse: Cell::default(),
            bytes: core::array::from_fn(|_| AtomicU8::new(0)),
        }
    }

    /// Whether the buffer is in use for `session`.
    #[inline]
    pub(crate) fn belongs_to(&self, session: u32) -> bool {
        self.session.load(Ordering::Relaxed) == session
    }

    /// Whether another event fits.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.length.load(Ordering::Relaxed) as usize + LONGEST <= CAPACITY
    }

    /// Throws away what is there and begins the first block of a session, at this many ticks.
    pub(crate) fn begin(&self, session: u32, ticks: u64) {
        self.turn(|| {
            self.number.store(0, Ordering::Relaxed);
            self.reset(ticks);
            self.session.store(session, Ordering::Relaxed);
        });
    }

    fn reset(&self, ticks: u64) {
        let base = ticks >> TIME_SHIFT << TIME_SHIFT;
        self.base.store(base, Ordering::Relaxed);
        self.last.set(Last { time: base >> TIME_SHIFT, ..Last::default() });
        self.coarse.set(UNKNOWN);
        self.length.store(BLOCK_HEADER as u32, Ordering::Relaxed);
    }

    fn turn(&self, act: impl FnOnce()) {
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns.wrapping_add(1), Ordering::Relaxed);
        // Release fence: whoever sees one of the writes to come sees the odd count.
        fence(Ordering::Release);
        act();
        // Release: the even count comes after them.
        self.turns.store(turns.wrapping_add(2), Ordering::Release);
    }

    /// Whether another event may have the last one's time, when the coarse clock says `coarse`; it is counted as if it had.
    #[inline]
    pub(crate) fn share(&self, coarse: u64) -> bool {
        let sharing = self.sharing.get();
        let may = sharing < SHARING && self.coarse.get() == coarse;
        self.sharing.set(sharing + u32::from(may));
        may
    }

    /// The next event has a time of its own, which others may share while the coarse clock stands, if it was asked.
    #[inline]
    pub(crate) fn stamp(&self, coarse: Option<u64>) {
        self.sharing.set(1);
        self.coarse.set(coarse.unwrap_or(UNKNOWN));
    }

    /// Appends an event at this many ticks; 0 is the last event's time, as any earlier one. The owner asked
    /// [`has_room`](Self::has_room) before.
    #[inline(always)]
    pub(crate) fn append(&self, ticks: u64, record: &Record) {
        let mut at = self.length.load(Ordering::Relaxed) as usize;
        let mut last = self.last.get();
        last.encode(ticks >> TIME_SHIFT, record, |byte| {
            if let Some(place) = self.bytes.get(at) {
                place.store(byte, Ordering::Relaxed);
            }
            at += 1;
        });
        self.last.set(last);
        // Release: the bytes are seen by whoever sees the length.
        self.length.store(at as u32, Ordering::Release);
    }

    /// Lets the owner write the block out, header's room first, and begins the next one.
    pub(crate) fn write_out(&self, ticks: u64, write: impl FnOnce(Label, &[AtomicU8])) {
        self.turn(|| {
            let label = self.label();
            if label.length > BLOCK_HEADER {
                write(label, self.bytes.get(..label.length).unwrap_or(&[]));
                self.number.store(label.number.wrapping_add(1), Ordering::Relaxed);
            }
            self.reset(ticks);
        });
    }

    fn label(&self) -> Label {
        Label {
            number: self.number.load(Ordering::Relaxed),
            base: self.base.load(Ordering::Relaxed),
            length: self.length.load(Ordering::Acquire) as usize,
        }
    }

    /// Whether the owner is writing the block out at this moment.
    pub(crate) fn is_turning(&self) -> bool {
        self.turns.load(Ordering::Acquire) % 2 == 1
    }

    /// Copies what is there of `session` into `copy`, behind the header's room, from another thread. `None` where there is
    /// nothing, or the owner is writing it out itself.
    pub(crate) fn copy(&self, session: u32, copy: &[AtomicU8]) -> Option<Label> {
        // Acquire: what is read below is at least as new.
        let turns = self.turns.load(Ordering::Acquire);
        if turns % 2 == 1 || !self.belongs_to(session) {
            return None;
        }
        let label = self.label();
        if label.length <= BLOCK_HEADER {
            return None;
        }
        for (to, from) in copy.iter().zip(self.bytes.get(..label.length)?).skip(BLOCK_HEADER) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Acquire fence: had one of the bytes been written in a later turn, the count would show it.
        fence(Ordering::Acquire);
        (self.turns.load(Ordering::Relaxed) == turns).then_some(label)
    }

    /// Forgets everything: in the child after `fork`, whose parent writes these events.
    pub(crate) fn discard(&self) {
        self.turn(|| self.session.store(0, Ordering::Relaxed));
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("length", &self.length).finish_non_exhaustive()
    }
}
