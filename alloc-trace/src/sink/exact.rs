//! Every event, as bytes in a file.
//!
//! Each thread appends to a buffer of its own; a full one is written out as a block. There is one exact trace in a
//! process at a time, since there is one such buffer for each thread.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

use super::Sink;
use super::file::{File, Writer};
use crate::clock;
use crate::event::{Event, Moment};
use crate::format::event::Record;
use crate::format::{Kind, Mode};
use crate::out::Refused;
use crate::owners::{Mark, Owners};
use crate::stack;
use crate::thread::{self, Thread};

/// The sink of the exact mode: [`EXACT`] is the only one.
#[derive(Debug)]
pub struct Exact {
    /// The number of the trace that is on, from 1; 0 for none.
    session: AtomicU32,
    /// The last number that was given.
    given: AtomicU32,
    file: File,
}

/// The exact trace of this process.
pub static EXACT: Exact = Exact { session: AtomicU32::new(0), given: AtomicU32::new(0), file: File::new() };

/// Which thread had the last event at an address. Not a part of the above, so that the program's file has no room for it.
static OWNERS: Owners = Owners::new();

impl Exact {
    /// Begins a trace in an empty file. The descriptor becomes the tracer's, which closes it. A trace that is on is ended.
    ///
    /// # Errors
    /// When the descriptor does not take the header, or there is no memory.
    pub fn start(&self, fd: c_int) -> Result<(), Refused> {
        let _guard = thread::enter();
        self.end();
        if stack::tables().is_none() {
            return Err(Refused(libc::ENOMEM));
        }
        clock::prepare();
        self.file.open(fd, Mode::Exact, 0)?;
        thread::on_leaving(leave);
        let session = self.given.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        // Release: who finds the session finds the open file.
        self.session.store(session, Ordering::Release);
        Ok(())
    }

    /// Ends the trace: writes out what all threads have pending, and closes the file. Events of threads that are being
    /// recorded at this very moment may be lost.
    pub fn stop(&self) {
        let _guard = thread::enter();
        self.end();
    }

    fn end(&self) {
        let session = self.session.swap(0, Ordering::AcqRel);
        if session == 0 {
            return;
        }
        // Threads that are writing a block out finish it, without the lock held here. The trace is off: each does so at
        // most once. Bounded, since one may have been stopped for good in the middle.
        for thread in thread::all() {
            for _ in 0..1000 {
                if !thread.pending.is_turning() {
                    break;
                }
                // SAFETY: may be called at any time.
                unsafe { libc::sched_yield() };
            }
        }
        self.file.write(|writer| {
            for thread in thread::all() {
                let copied = thread.pending.copy(session, writer.scratch());
                if let Some(label) = copied {
                    let bytes = writer.scratch().get(..label.length).unwrap_or(&[]);
                    writer.block(Kind::Events, thread.id(), label.number, label.base, bytes);
                }
            }
            writer.names();
            let cut = stack::tables().map_or(0, |tables| tables.tree.refused());
            writer.compose(Kind::End, |payload| payload.number(cut.into()));
        });
        self.file.close();
    }

    /// In the child after `fork`: the trace stays the parent's.
    pub fn after_fork(&self) {
        self.session.store(0, Ordering::Relaxed);
        self.file.after_fork();
    }

    /// Appends an event at an address, or at none, with the last one's time where that will do. It is put together where it is
    /// used, so that it lies in memory only where it is passed on there.
    #[inline(always)]
    fn append(thread: &Thread, address: Option<usize>, record: impl Fn() -> Record) {
        let own = address.is_none_or(|address| OWNERS.touch(address, thread.mark()));
        // Not a method's `self`, which would have to be kept over the call that asks the clock.
        // Relaxed: the thread's buffer belongs to a session only after the thread has seen it as below.
        let session = EXACT.session.load(Ordering::Relaxed);
        if own && thread.pending.may_share(session, clock::coarse) {
            thread.pending.append_sharing(&record());
        } else {
            EXACT.append_at_its_own(thread, &record());
        }
    }

    /// Appends an event with a time of its own.
    #[inline(never)]
    fn append_at_its_own(&self, thread: &Thread, record: &Record) {
        // Acquire: pairs with the Release of `start`.
        let session = self.session.load(Ordering::Acquire);
        if session == 0 {
            return;
        }
        // Before the ticks: those who find the clock standing where it stood then are no further behind them. Threads without a
        // mark are not told apart, and share nothing.
        let coarse = if thread.mark() == Mark::NONE { None } else { clock::coarse() };
        let ticks = clock::ticks();
        if !thread.pending.belongs_to(session) {
            thread.pending.begin(session, ticks);
        } else if !thread.pending.has_room() {
            self.write_out(thread, ticks);
        }
        thread.pending.append(ticks, coarse, record);
    }

    #[cold]
    #[inline(never)]
    fn write_out(&self, thread: &Thread, ticks: u64) {
        thread.pending.write_out(ticks, |label, bytes| {
            self.file.write(|writer: &Writer<'_>| {
                writer.names();
                writer.block(Kind::Events, thread.id(), label.number, label.base, bytes);
            });
        });
        if self.file.is_broken() {
            self.session.store(0, Ordering::Relaxed);
        }
    }
}

/// Writes out what a thread that ends has pending.
fn leave(thread: &'static Thread) {
    let session = EXACT.session.load(Ordering::Acquire);
    if session != 0 && thread.pending.belongs_to(session) {
        EXACT.write_out(thread, clock::ticks());
        thread.pending.discard();
    }
}

fn log2(align: usize) -> u8 {
    if align == 0 { 0 } else { align.trailing_zeros() as u8 }
}

// SAFETY: it writes to mappings of its own and to its file, allocates nothing, takes a lock of its own once a block, and
// does not unwind.
unsafe impl Sink for Exact {
    #[inline]
    fn is_on(&self) -> bool {
        self.session.load(Ordering::Relaxed) != 0
    }

    #[inline]
    fn leaving(&self, address: usize) -> Moment {
        // Before the strategy gives the place to others.
        OWNERS.touch(address, thread::current().map_or(Mark::NONE, Thread::mark));
        Moment(clock::ticks())
    }

    #[inline(always)]
    fn record(&self, thread: &Thread, event: Event) {
        // One by one, so that each kind's bytes are put together in registers.
        match event {
            Event::Free(place) => {
                Self::append(thread, Some(place.address), || Record::Free { address: place.address as u64 });
            }
            Event::Alloc(place) => {
                let stack = stack::of(thread).0;
                Self::append(thread, Some(place.address), || Record::Alloc {
                    address: place.address as u64,
                    size: place.size as u64,
                    log2_align: log2(place.align),
                    stack,
                });
            }
            Event::Resize { old, new, before } => {
                let stack = stack::of(thread).0;
                Self::append(thread, Some(new.address), || Record::Resize {
                    old: old.address as u64,
                    before: before.0 >> crate::format::TIME_SHIFT,
                    address: new.address as u64,
                    size: new.size as u64,
                    log2_align: log2(new.align),
                    stack,
                });
            }
            // At no address: in any order with others' events.
            Event::Refused { size, align, .. } => {
                Self::append(thread, None, || Record::Refused { size: size as u64, log2_align: log2(align) });
            }
        }
    }
}
