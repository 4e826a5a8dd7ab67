//! Counts by stack, kept in the process and written when the trace ends: of every event (aggregate), or estimated from
//! samples (sampled).
//!
//! In the sampled mode an allocation that is no sample costs a subtraction and a branch, and a free a look at a table of
//! 64 KiB that says whether a sample may be at the address. The mathematics are in `maths`.

use core::ffi::c_int;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::Sink;
use super::file::{File, Payload};
use super::live::Live;
use super::tally::{Figures, Row, Share};
use crate::clock;
use crate::event::{Event, Moment, Place};
use crate::format::varint::LONGEST;
use crate::format::{Kind, Mode};
use crate::key::key;
use crate::maths;
use crate::out::Refused;
use crate::own::{Mapped, Zeroed};
use crate::slot::{self, Left};
use crate::stack::{self, NODES, StackId};
use crate::switch::{self, Word};
use crate::thread::{self, Thread};

/// Counts are kept in units of this part of a block, since a sample stands for no whole number of blocks.
const PART: f64 = 1024.0;
const FILTER: usize = 1 << 16;

/// What is large, and mapped when it is needed. Valid when all bytes are zero.
struct Tables {
    rows: [Row; NODES],
    filter: Filter,
}

/// How many samples are live at addresses of each hash; 255 stays.
type Filter = [AtomicU8; FILTER];

/// The filter of the time before the first trace: there are no samples. Nothing is written to it, so that it takes no memory.
static NO_SAMPLES: Filter = [const { AtomicU8::new(0) }; FILTER];

// SAFETY: atomics, valid as zeros, without destructors.
unsafe impl Zeroed for Tables {}

/// The sink of the aggregate and the sampled mode: [`COUNTS`] is the only one, since each thread has one countdown.
#[derive(Debug)]
pub struct Counts {
    /// The number of the trace that is on, from 1, twice, and [`SAMPLED`]; 0 for none.
    session: Word,
    given: AtomicU32,
    /// Mean bytes between samples; 0 for every event.
    rate: AtomicU64,
    tables: AtomicPtr<Tables>,
    /// That of the tables; never null, as each free looks at it.
    filter: AtomicPtr<Filter>,
    live: Live,
    figures: Figures,
    refused: AtomicU64,
    began: Began,
    file: File,
}

/// Set in the number of a trace that counts samples.
const SAMPLED: u32 = 1;

/// The counts of this process.
pub static COUNTS: Counts = Counts {
    session: Word::new(),
    given: AtomicU32::new(0),
    rate: AtomicU64::new(0),
    tables: AtomicPtr::new(core::ptr::null_mut()),
    filter: AtomicPtr::new((&raw const NO_SAMPLES).cast_mut()),
    live: Live::new(),
    figures: Figures::new(),
    refused: AtomicU64::new(0),
    began: Began { nanos: AtomicU64::new(0), ticks: AtomicU64::new(0) },
    file: File::new(),
};

/// What one stack has live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) stack: StackId,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

impl Held {
    /// Whether it comes after another, the most bytes first.
    pub(crate) fn comes_after(&self, other: &Self) -> bool {
        (other.bytes, self.stack) > (self.bytes, other.stack)
    }
}

/// When counting began. Peaks are noted in ticks, which cost less than the kernel's clock.
#[derive(Debug)]
struct Began {
    nanos: AtomicU64,
    ticks: AtomicU64,
}

impl Began {
    fn now(&self) {
        self.nanos.store(clock::monotonic(), Ordering::Relaxed);
        self.ticks.store(clock::ticks(), Ordering::Relaxed);
    }

    /// Nanoseconds from the beginning until now, and until the processor's clock said `ticks`.
    fn since(&self, ticks: u64) -> (u64, u64) {
        let nanos = clock::monotonic().saturating_sub(self.nanos.load(Ordering::Relaxed));
        let began = self.ticks.load(Ordering::Relaxed);
        let all = clock::ticks().saturating_sub(began).max(1);
        let part = u128::from(ticks.saturating_sub(began).min(all));
        (nanos, (u128::from(nanos) * part / u128::from(all)) as u64)
    }
}

/// What an allocation counts for.
fn share_of(size: usize, rate: u64) -> Share {
    if rate == 0 {
        return Share { blocks: PART as u64, bytes: size as u64 };
    }
    let weight = maths::weight(size.max(1), rate);
    Share { blocks: (weight * PART) as u64, bytes: (weight * size as f64 + 0.5) as u64 }
}

impl Counts {
    /// Begins to count; the counts will be written to an empty file, whose descriptor becomes the tracer's. `rate` 0 counts
    /// every event, else one in about `rate` bytes is a sample (512 KiB is usual). Counts of an earlier trace are dropped.
    ///
    /// # Errors
    /// When the descriptor does not take the header, or there is no memory.
    pub fn start(&self, fd: c_int, rate: u64) -> Result<(), Refused> {
        self.start_with(rate, || {
            self.file.open(fd, if rate == 0 { Mode::Aggregate } else { Mode::Sampled }, rate)
        })
    }

    /// Begins to count, likewise, for [`look::leaks`](crate::look::leaks) alone: nothing is written.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn start_unwritten(&self, rate: u64) -> Result<(), Refused> {
        self.start_with(rate, || Ok(()))
    }

    fn start_with(&self, rate: u64, open: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
        let _guard = thread::enter();
        self.session.set(0);
        let Some(_) = stack::tables() else { return Err(Refused(libc::ENOMEM)) };
        // Fresh tables: threads of the last trace may still hold the old ones, which therefore stay mapped.
        let Some(tables) = Mapped::<Tables>::new(1) else { return Err(Refused(libc::ENOMEM)) };
        open()?;
        if let Some(tables) = tables.leak().first() {
            self.filter.store((&raw const tables.filter).cast_mut(), Ordering::Release);
            self.tables.store((&raw const *tables).cast_mut(), Ordering::Release);
        }
        self.live.clear();
        self.figures.clear();
        self.refused.store(0, Ordering::Relaxed);
        self.rate.store(rate, Ordering::Relaxed);
        self.began.now();
        let session = (self.given.fetch_add(1, Ordering::Relaxed).wrapping_add(1) << 1).max(2);
        slot::begin_samples(session >> 1);
        // Who finds the session finds what was set above.
        self.session.set(session | if rate == 0 { 0 } else { SAMPLED });
        Ok(())
    }

    /// Ends counting, and writes the counts.
    pub fn stop(&self) {
        let _guard = thread::enter();
        if self.session.set(0) == 0 {
            return;
        }
        self.file.write(|writer| {
            writer.names();
            let mut next = 0;
            let last = stack::tables().map_or(0, |tables| tables.tree.last() as usize);
            while next <= last {
                writer.compose(Kind::Counts, |payload| {
                    while next <= last && payload.has_room(7 * LONGEST) {
                        self.write_row(next, payload);
                        next += 1;
                    }
                });
            }
            writer.compose(Kind::End, |payload| {
                payload.number(stack::tables().map_or(0, |tables| tables.tree.refused()).into());
                let whole = self.figures.whole();
                let (nanos, peak_at) = self.began.since(whole.most_at);
                payload.number(whole.most.bytes);
                payload.number(rounded(whole.most.blocks));
                payload.number(peak_at);
                payload.number(nanos);
                payload.number(self.refused.load(Ordering::Relaxed));
            });
        });
        self.file.close();
    }

    /// Whether the figures are estimates.
    pub(crate) fn estimates(&self) -> bool {
        self.rate.load(Ordering::Relaxed) != 0
    }

    /// Shows what each stack has live, where it has anything.
    pub(crate) fn held(&self, show: &mut dyn FnMut(Held)) {
        self.each_row(&mut |stack, row| {
            let live = row.figures().live;
            let blocks = rounded(live.blocks);
            if blocks > 0 {
                show(Held { stack, blocks, bytes: live.bytes });
            }
        });
    }

    /// Blocks and bytes that were allocated so far.
    pub(crate) fn allocated(&self) -> (u64, u64) {
        let (mut parts, mut bytes) = (0, 0);
        self.each_row(&mut |_, row| {
            let allocated = row.figures().allocated;
            parts += allocated.blocks;
            bytes += allocated.bytes;
        });
        (rounded(parts), bytes)
    }

    fn each_row(&self, show: &mut dyn FnMut(StackId, &Row)) {
        let (Some(counted), Some(stacks)) = (self.tables(), stack::tables()) else { return };
        for (row, stack) in counted.rows.iter().zip(0..=stacks.tree.last()) {
            show(StackId(stack), row);
        }
    }

    fn write_row(&self, number: usize, payload: &mut Payload<'_>) {
        let Some(row) = self.tables().and_then(|tables| tables.rows.get(number)) else { return };
        let figures = row.figures();
        if figures.allocated.blocks == 0 {
            return;
        }
        payload.number(number as u64);
        payload.number(rounded(figures.allocated.blocks));
        payload.number(figures.allocated.bytes);
        payload.number(rounded(figures.live.blocks));
        payload.number(figures.live.bytes);
        payload.number(figures.most.bytes);
        payload.number(rounded(figures.most.blocks));
    }

    /// In the child after `fork`: the counts stay the parent's.
    pub fn after_fork(&self) {
        self.session.set(0);
        self.live.after_fork();
        self.figures.after_fork();
        self.file.after_fork();
    }

    fn tables(&self) -> Option<&'static Tables> {
        // SAFETY: null, or tables that are never given back.
        unsafe { self.tables.load(Ordering::Acquire).as_ref() }
    }

    /// Whether a sample may be live at the address.
    #[inline]
    pub(crate) fn may_hold(&self, address: usize) -> bool {
        // SAFETY: the filter of tables that are never given back, or the one for none. Acquire: as it was mapped.
        let filter = unsafe { &*self.filter.load(Ordering::Acquire) };
        slot_of(filter, address).is_some_and(|count| count.load(Ordering::Relaxed) != 0)
    }

    fn came(&self, tables: &Tables, thread: &Thread, place: Place, rate: u64) {
        let stack = stack::of(thread);
        if rate > 0 {
            mark(tables, place.address, 1);
        }
        if let Some((size, stack)) = self.live.insert(place.address, place.size, stack) {
            // Its free was not told.
            self.left(tables, size, stack, rate);
        }
        if let Some(row) = tables.rows.get(stack.0 as usize) {
            self.figures.came(row, share_of(place.size, rate), clock::ticks);
        }
    }

    fn gone(&self, tables: &Tables, address: usize, rate: u64) {
        if let Some((size, stack)) = self.live.remove(address) {
            if rate > 0 {
                mark(tables, address, -1);
            }
            self.left(tables, size, stack, rate);
        }
    }

    fn left(&self, tables: &Tables, size: usize, stack: StackId, rate: u64) {
        if let Some(row) = tables.rows.get(stack.0 as usize) {
            self.figures.left(row, share_of(size, rate));
        }
    }
}

/// Set in a [`Moment`] that holds what was known of a block that is being resized: its stack, then its size.
const TAKEN_OUT: u64 = 1 << 63;
const SIZE_BITS: u32 = 43;
const _: () = assert!(NODES <= 1 << (63 - SIZE_BITS));

fn taken_out(before: Moment) -> Option<(usize, StackId)> {
    let Moment(word) = before;
    let stack = StackId(((word & !TAKEN_OUT) >> SIZE_BITS) as u32);
    (word & TAKEN_OUT != 0).then_some(((word & ((1 << SIZE_BITS) - 1)) as usize, stack))
}

/// A count of blocks, rounded.
const fn rounded(count: u64) -> u64 {
    count.wrapping_add(PART as u64 / 2) / PART as u64
}

/// Looked at by every free: one multiplication, whose upper bits depend on all of the address.
#[inline]
fn slot_of(filter: &Filter, address: usize) -> Option<&AtomicU8> {
    const BITS: u32 = FILTER.trailing_zeros();
    filter.get((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> (64 - BITS))
}

fn mark(tables: &Tables, address: usize, by: i8) {
    if let Some(slot) = slot_of(&tables.filter, address) {
        // A count that is full stays so: it may say that a sample is there when none is, never the reverse.
        let change = |count: u8| (count < u8::MAX).then(|| count.saturating_add_signed(by));
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

// SAFETY: it writes to mappings of its own, takes locks of its own, allocates nothing and does not unwind.
unsafe impl Sink for Counts {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        switch::is_any_on()
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.session.get() != 0
    }

    #[inline]
    fn wants_alloc(&self, size: usize) -> bool {
        match self.session.get() {
            0 => false,
            session => session & SAMPLED == 0 || slot::passes(size),
        }
    }

    #[inline]
    fn wants_free(&self, address: usize) -> bool {
        match self.session.get() {
            0 => false,
            session => session & SAMPLED == 0 || self.may_hold(address),
        }
    }

    fn leaving(&self, address: usize) -> Moment {
        // A signal handler that interrupts this must not wait for the table's lock.
        let Some(_inside) = thread::enter() else { return Moment(0) };
        match self.live.remove(address) {
            Some((size, stack)) if (size as u64) < 1 << SIZE_BITS => {
                Moment(TAKEN_OUT | u64::from(stack.0) << SIZE_BITS | size as u64)
            }
            Some((size, stack)) => {
                self.live.insert(address, size, stack);
                Moment(0)
            }
            None => Moment(0),
        }
    }

    fn record(&self, thread: &Thread, event: Event) {
        // Pairs with `start`.
        let session = self.session.acquire();
        let (Some(tables), 1..) = (self.tables(), session) else { return };
        let rate = self.rate.load(Ordering::Relaxed);
        let (old, new) = match event {
            Event::Alloc(place) => (None, Some(place)),
            Event::Free(place) => (Some(place.address), None),
            Event::Resize { old, new, before } => match taken_out(before) {
                Some((size, stack)) => {
                    if rate > 0 {
                        mark(tables, old.address, -1);
                    }
                    self.left(tables, size, stack, rate);
                    (None, Some(new))
                }
                None => (Some(old.address), Some(new)),
            },
            Event::Refused { kept, .. } => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                if let Some((address, before)) = kept
                    && let Some((size, stack)) = taken_out(before)
                {
                    self.live.insert(address, size, stack);
                }
                return;
            }
        };
        if let Some(address) = old {
            self.gone(tables, address, rate);
        }
        let Some(place) = new else { return };
        if rate > 0 {
            let seed = key() ^ u64::from(thread.id()) << 32 ^ u64::from(session);
            if !thread.countdown.sample(&Left, session, place.size, rate, seed) {
                return;
            }
        }
        self.came(tables, thread, place, rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::in_child::in_child;

    fn allocate(thread: &Thread, address: usize) -> bool {
        let place = Place { address, size: 100, align: 8 };
        let looked = COUNTS.wants_alloc(place.size);
        if looked {
            COUNTS.record(thread, Event::Alloc(place));
        }
        looked
    }

    /// What a thread has left of a trace that takes few samples is nothing to one that takes many, or to the same again.
    #[test]
    fn each_trace_counts_down_from_its_own_beginning() {
        let work = || {
            let thread = thread::enter().unwrap();
            for trace in 0..20_usize {
                assert!(COUNTS.start_unwritten(1 << 50).is_ok());
                assert!(allocate(&thread, 16), "the first of trace {trace} is looked at");
                assert!(!allocate(&thread, 32), "the second is far from a sample");
                COUNTS.stop();
                assert!(COUNTS.start_unwritten(1).is_ok());
                // Of 100 bytes, each of which is a sample.
                for address in 1..10 {
                    assert!(allocate(&thread, address * 16));
                }
                assert_eq!(COUNTS.allocated().0, 9);
                COUNTS.stop();
            }
        };
        in_child(work);
    }
}
