//! A thread's events on their way to the file.
//!
//! The thread appends bytes and then publishes the new length; nobody else writes. When the trace ends, another thread
//! copies what is there: bytes below the length it read stay as they are, until the owner writes the block out and begins
//! anew, which a count that is odd meanwhile tells.
//!
//! Each block is written by one of the two. Both write under the file's lock: the owner what nobody has taken, the other what it
//! takes. Where the other finds the owner about to write the block, it lets go of the lock and asks again, so that the owner can.

use core::cell::Cell;
use core::fmt;

use super::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use crate::format::event::{LONGEST, Last, Record};
use crate::format::{BLOCK_HEADER, TIME_SHIFT};

/// Bytes of a block at most, with its header.
pub(crate) const CAPACITY: usize = if cfg!(alloc_loom) { BLOCK_HEADER + LONGEST + 8 } else { 64 << 10 };

/// Bytes of events, one after the other, behind which none has the time of the one before them any more. No event takes less than
/// two: so many are 48 events at most.
const SHARING: u32 = 96;

/// What the coarse clock says.
type Coarse = u64;

/// What each free counts for that goes by behind a free without the coarse clock's being asked, beside its block's bytes.
const EACH: usize = 1024;
/// What they may count for together: they are three at most, of less than 3 KiB together.
const UNASKED: usize = 4 * EACH - 1;

/// The buffer. Valid when all bytes are zero. What each event needs comes first.
#[repr(C)]
pub(crate) struct Pending {
    /// The trace that the bytes belong to; 0 for none.
    session: AtomicU32,
    /// Bytes so far, the header's room included.
    length: AtomicU32,
    /// How many bytes there may be before the next event, if that is to have the last one's time; 0 where it may not. There is
    /// room for it then.
    limit: Cell<u32>,
    // What differences are counted from, each by itself: an event does not change all of them.
    stack: Cell<u32>,
    address: Cell<u64>,
    time: Cell<u64>,
    /// What the coarse clock said before that time.
    coarse: Cell<Coarse>,
    /// What is left of [`UNASKED`]; 0 where the last event was no free.
    unasked: Cell<usize>,
    /// Odd while the owner writes the block out or begins a new one.
    turns: AtomicU32,
    /// The trace whose end has taken what was there. Used under the file's lock.
    taken: AtomicU32,
    /// Blocks of this thread and trace so far.
    number: AtomicU32,
    base: AtomicU64,
    bytes: [AtomicU8; CAPACITY],
}

/// A block's place among others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) number: u32,
    pub(crate) base: u64,
    pub(crate) length: usize,
}

/// What the end of a trace finds of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    /// This block, which was copied.
    Events(Label),
    Nothing,
    /// The owner is writing a block out, or began to.
    Turning,
}

impl Pending {
    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self {
            session: AtomicU32::new(0),
            turns: AtomicU32::new(0),
            length: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            number: AtomicU32::new(0),
            base: AtomicU64::new(0),
            time: Cell::default(),
            address: Cell::default(),
            stack: Cell::default(),
            limit: Cell::default(),
            coarse: Cell::default(),
            unasked: Cell::default(),
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
        self.keep(Last { time: base >> TIME_SHIFT, ..Last::default() });
        self.limit.set(0);
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

    fn last(&self) -> Last {
        Last { time: self.time.get(), address: self.address.get(), stack: self.stack.get() }
    }

    fn keep(&self, last: Last) {
        self.time.set(last.time);
        self.address.set(last.address);
        self.stack.set(last.stack);
    }

    /// Whether a free of `size` bytes may go by as if the coarse clock stood where it stood when it was last asked: right behind
    /// a free that asked it, with no more between than [`UNASKED`] says.
    #[inline(always)]
    pub(crate) fn goes_unasked(&self, size: usize) -> bool {
        // No block is so large that this overflows.
        let Some(left) = self.unasked.get().checked_sub(size.wrapping_add(EACH)) else { return false };
        self.unasked.set(left);
        true
    }

    /// A free has asked the clock: those behind it need not.
    #[inline(always)]
    pub(crate) fn may_go_unasked(&self) {
        self.unasked.set(UNASKED);
    }

    /// Another event has: a free behind it asks again.
    #[inline(always)]
    pub(crate) fn goes_unasked_no_more(&self) {
        self.unasked.set(0);
    }

    /// Whether the coarse clock, which says `coarse`, stands where it stood at the last event with a time of its own.
    #[inline(always)]
    pub(crate) fn stands(&self, coarse: Option<Coarse>) -> bool {
        coarse == Some(self.coarse.get())
    }

    /// Whether the next event of `session` may have the last one's time, while the coarse clock stands.
    #[inline(always)]
    pub(crate) fn may_share(&self, session: u32) -> bool {
        self.belongs_to(session) && self.length.load(Ordering::Relaxed) < self.limit.get()
    }

    /// Appends an event with the last one's time: [`may_share`](Self::may_share) said so.
    #[inline(always)]
    pub(crate) fn append_sharing(&self, record: &Record) {
        let last = self.put(self.time.get(), record);
        self.address.set(last.address);
        // Known where the record is made, as this is inlined there.
        if !matches!(record, Record::Free { .. }) {
            self.stack.set(last.stack);
        }
        // Its block was left at a time of its own.
        if matches!(record, Record::Resize { .. }) {
            self.time.set(last.time);
        }
    }

    /// Appends an event at this many ticks; 0 is the last event's time, as any earlier one. The owner asked
    /// [`has_room`](Self::has_room) before. Where the coarse clock was asked before the ticks were read, events behind this one may
    /// share its time while the clock stands.
    #[inline]
    pub(crate) fn append(&self, ticks: u64, coarse: Option<Coarse>, record: &Record) {
        self.keep(self.put(ticks >> TIME_SHIFT, record));
        let length = self.length.load(Ordering::Relaxed);
        match coarse {
            Some(coarse) => {
                self.coarse.set(coarse);
                self.limit.set((length + SHARING).min((CAPACITY - LONGEST) as u32 + 1));
            }
            None => self.limit.set(0),
        }
    }

    #[inline(always)]
    fn put(&self, time: u64, record: &Record) -> Last {
        let at = self.length.load(Ordering::Relaxed) as usize;
        let mut last = self.last();
        let Some(room) = self.bytes.get(at..).and_then(<[_]>::first_chunk::<LONGEST>) else { return last };
        let mut count = 0;
        last.encode(time, record, |byte| {
            if let Some(place) = room.get(count) {
                place.store(byte, Ordering::Relaxed);
            }
            count += 1;
        });
        // Release: the bytes are seen by whoever sees the length.
        self.length.store((at + count) as u32, Ordering::Release);
        last
    }

    /// The next event has a time of its own.
    pub(crate) fn share_no_more(&self) {
        self.limit.set(0);
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

    /// Takes what is there of `session`, under the file's lock, from another thread: copies it into `copy`, behind the header's
    /// room. From then on, the owner writes none of it.
    pub(crate) fn take(&self, session: u32, copy: &[AtomicU8]) -> Taken {
        let taken = self.copy(session, copy);
        if !matches!(taken, Taken::Turning) {
            // Relaxed: the lock puts it in order.
            self.taken.store(session, Ordering::Relaxed);
        }
        taken
    }

    fn copy(&self, session: u32, copy: &[AtomicU8]) -> Taken {
        // Acquire: what is read below is at least as new.
        let turns = self.turns.load(Ordering::Acquire);
        if turns % 2 == 1 {
            return Taken::Turning;
        }
        let label = self.label();
        let of_session = self.belongs_to(session);
        let bytes = self.bytes.get(BLOCK_HEADER..label.length).unwrap_or(&[]);
        for (to, from) in copy.iter().skip(BLOCK_HEADER).zip(bytes) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Acquire fence: had anything that was read been written in a later turn, the count would show it.
        fence(Ordering::Acquire);
        if self.turns.load(Ordering::Relaxed) != turns {
            return Taken::Turning;
        }
        if of_session && !bytes.is_empty() { Taken::Events(label) } else { Taken::Nothing }
    }

    /// Whether the owner is to write what is there out, as events of `session`. Asked by the owner, under the file's lock.
    pub(crate) fn is_wanted(&self, session: u32) -> bool {
        self.belongs_to(session) && self.taken.load(Ordering::Relaxed) != session
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

#[cfg(all(test, not(alloc_loom)))]
mod tests {
    use super::*;
    use crate::thread;

    const HERE: Record = Record::Free { address: 0x1000 };
    const THEN: Coarse = 5;

    #[test]
    fn events_share_a_time_while_they_may() {
        let thread = thread::enter().unwrap();
        let pending = &thread.pending;
        let may_share = |session, coarse| pending.stands(coarse) && pending.may_share(session);
        pending.begin(7, 1000);
        assert!(!may_share(7, Some(THEN)), "nothing has a time yet");
        pending.append(2000, Some(THEN), &HERE);
        assert!(!may_share(8, Some(THEN)), "another trace");
        assert!(!may_share(7, Some(THEN + 1)), "the clock has moved");
        assert!(!may_share(7, None), "there is no clock");
        let mut shared = 0;
        while may_share(7, Some(THEN)) {
            pending.append_sharing(&HERE);
            shared += 1;
        }
        assert_eq!(shared, 48);
        pending.append(3000, None, &HERE);
        assert!(!may_share(7, Some(THEN)), "the clock was not asked");
        pending.append(4000, Some(THEN), &HERE);
        assert!(may_share(7, Some(THEN)));
        pending.share_no_more();
        assert!(!may_share(7, Some(THEN)), "another thread was there in between");
        pending.append(5000, Some(THEN), &HERE);
        pending.discard();
        assert!(!may_share(7, Some(THEN)), "thrown away");
    }

    /// What is told of frees' times: how many may go by unasked, and of how many bytes.
    #[test]
    fn frees_go_unasked_in_small_numbers() {
        let thread = thread::enter().unwrap();
        let pending = &thread.pending;
        let unasked = |sizes: &[usize]| {
            pending.may_go_unasked();
            sizes.iter().take_while(|&&size| pending.goes_unasked(size)).count()
        };
        for (sizes, count) in [
            (&[0; 9][..], 3),
            (&[1; 9], 3),
            (&[48; 9], 3),
            (&[341; 9], 3),
            (&[342; 9], 2),
            (&[1023; 9], 2),
            (&[1024; 9], 1),
            (&[3071; 9], 1),
            (&[3072; 9], 0),
            (&[isize::MAX as usize; 9], 0),
            (&[48, 3000, 48], 1),
            (&[2000, 48, 48], 1),
        ] {
            assert_eq!(unasked(sizes), count, "{sizes:?}");
        }
        // A large one in between does not make room for others: it asks, as those behind it may go by again.
        pending.may_go_unasked();
        assert!(pending.goes_unasked(48) && !pending.goes_unasked(5000));
        pending.goes_unasked_no_more();
        assert!(!pending.goes_unasked(48), "right behind another event");
    }

    #[test]
    fn who_shares_finds_room() {
        let thread = thread::enter().unwrap();
        let pending = &thread.pending;
        pending.begin(9, 1000);
        let mut written = 0;
        while pending.has_room() {
            pending.append(2000, Some(THEN), &HERE);
            while pending.may_share(9) {
                assert!(pending.has_room());
                let before = pending.label().length;
                pending.append_sharing(&HERE);
                assert_eq!(pending.label().length, before + 2);
                written += 1;
            }
        }
        assert!(written > 30_000, "{written}");
        pending.discard();
    }

    /// A resize carries the time at which its block was left, which comes after the one that is shared.
    #[test]
    fn a_resize_that_shares_a_time_moves_it() {
        let thread = thread::enter().unwrap();
        let pending = &thread.pending;
        pending.begin(10, 0);
        pending.append(32 * 100, Some(THEN), &HERE);
        let resize = |before| Record::Resize {
            old: 0x1000,
            before,
            address: 0x2000,
            size: 1,
            log2_align: 4,
            stack: 3,
        };
        for record in [resize(105), HERE, resize(107)] {
            assert!(pending.may_share(10));
            pending.append_sharing(&record);
        }
        extern crate std;
        let label = pending.label();
        let bytes: std::vec::Vec<u8> = pending.bytes[BLOCK_HEADER..label.length]
            .iter()
            .map(|byte| byte.load(Ordering::Relaxed))
            .collect();
        let (mut rest, mut last) = (bytes.as_slice(), Last::default());
        let read: std::vec::Vec<_> = core::iter::from_fn(|| last.decode(&mut rest)).collect();
        assert_eq!(read, [(100, HERE), (105, resize(105)), (105, HERE), (107, resize(107))]);
        pending.discard();
    }
}
