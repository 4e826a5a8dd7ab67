//! Every event, as bytes in a file.
//!
//! Each thread appends to a buffer of its own; a full one is written out as a block. There is one exact trace in a
//! process at a time, since there is one such buffer for each thread.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

use super::Sink;
use super::file::{File, Writer};
use crate::clock;
use crate::event::{Event, Moment, Place};
use crate::format::event::Record;
use crate::format::{Kind, Mode};
use crate::out::Refused;
use crate::owners::{Mark, Owners, Stamp};
use crate::pending::Taken;
use crate::stack;
use crate::switch::{self, Word};
use crate::thread::{self, Thread};

/// The sink of the exact mode: [`EXACT`] is the only one.
#[derive(Debug)]
pub struct Exact {
    /// The number of the trace that is on, from 1; 0 for none.
    session: Word,
    /// The last number that was given.
    given: AtomicU32,
    file: File,
}

/// The exact trace of this process.
pub static EXACT: Exact = Exact { session: Word::new(), given: AtomicU32::new(0), file: File::new() };

/// Which thread had the last event in which part of the address space. Not a part of the above, so that the program's file has no room for it.
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
        // Before the file is there: threads that come late with a block of the last trace find, under the file's lock, that it
        // is not of this one.
        let session = self.given.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        self.given.store(session, Ordering::Relaxed);
        self.file.open(fd, Mode::Exact, 0)?;
        thread::on_leaving(leave);
        // Who finds the session finds the open file.
        self.session.set(session);
        Ok(())
    }

    /// Ends the trace: writes out what all threads have pending, and closes the file. Events of threads that are being
    /// recorded at this very moment may be lost.
    pub fn stop(&self) {
        let _guard = thread::enter();
        self.end();
    }

    fn end(&self) {
        let session = self.session.set(0);
        if session == 0 {
            return;
        }
        thread::all().for_each(|thread| self.take_last(thread, session));
        self.file.write(|writer| {
            // Nobody's: who was waited for in vain writes nothing behind the end.
            self.given.fetch_add(1, Ordering::Relaxed);
            writer.names();
            let cut = stack::tables().map_or(0, |tables| tables.tree.refused());
            writer.compose(Kind::End, |payload| payload.number(cut.into()));
        });
        self.file.close();
    }

    /// Writes what a thread has pending of a trace that is off. Where the thread is about to write a block out, or does, it
    /// finishes that first, without the lock held here: at most once, as it may have been within an event when the trace
    /// was switched off. Bounded, since it may have been stopped for good in the middle.
    fn take_last(&self, thread: &Thread, session: u32) {
        for turn in 0..2000 {
            let mut is_turning = thread.pending.is_turning();
            if !is_turning {
                self.file.write(|writer| {
                    #[cfg(test)]
                    tests::pass(tests::TAKING);
                    match thread.pending.take(session, writer.scratch()) {
                        Taken::Events(label) => {
                            let bytes = writer.scratch().get(..label.length).unwrap_or(&[]);
                            writer.block(Kind::Events, thread.id(), label.number, label.base, bytes);
                        }
                        Taken::Nothing => {}
                        Taken::Turning => is_turning = true,
                    }
                });
            }
            if !is_turning {
                return;
            }
            if turn < 1000 {
                // SAFETY: may be called at any time.
                unsafe { libc::sched_yield() };
            } else {
                // Where more threads want processors than there are: a second at most.
                let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                // SAFETY: a time, and no place for what is left of it.
                unsafe { libc::nanosleep(&raw const pause, core::ptr::null_mut()) };
            }
        }
    }

    /// In the child after `fork`: the trace stays the parent's.
    pub fn after_fork(&self) {
        self.session.set(0);
        self.file.after_fork();
    }

    /// Appends an event at an address, or at none, with the last one's time where that will do. It is put together where it is
    /// used, so that it lies in memory only where it is passed on there.
    #[inline(always)]
    fn append(thread: &Thread, address: Option<usize>, record: impl Fn() -> Record) {
        thread.pending.goes_unasked_no_more();
        // Before anything else, so that nothing is kept over the call; a method's `self` would be, too.
        let stands = thread.pending.stands(clock::coarse());
        Self::append_while(stands, thread, address, record);
    }

    /// Appends a free, likewise. Right behind others of small blocks, the coarse clock need not be asked for it.
    #[inline(always)]
    fn append_free(thread: &Thread, place: Place) {
        // A block of unknown size may be a large one.
        let unasked = place.align != 0 && thread.pending.goes_unasked(place.size);
        let stands = unasked || {
            thread.pending.may_go_unasked();
            thread.pending.stands(clock::coarse())
        };
        Self::append_while(stands, thread, Some(place.address), || Record::Free {
            address: place.address as u64,
        });
    }

    /// Likewise, for both. `stands`: the coarse clock is taken to stand where it stood at the last event with a time of its own.
    #[inline(always)]
    fn append_while(stands: bool, thread: &Thread, address: Option<usize>, record: impl Fn() -> Record) {
        // Relaxed: the thread's buffer belongs to a session only after the thread has seen it as below.
        let session = EXACT.session.get();
        if stands
            && address.is_none_or(|address| OWNERS.is_own(address, thread.mark()))
            && thread.pending.may_share(session)
        {
            thread.pending.append_sharing(&record());
        } else {
            EXACT.append_at_its_own(thread, address, &record());
        }
    }

    /// Appends an event with a time of its own.
    #[cold]
    #[inline(never)]
    fn append_at_its_own(&self, thread: &Thread, address: Option<usize>, record: &Record) {
        // Pairs with `start`.
        let session = self.session.acquire();
        if session == 0 {
            return;
        }
        // Before the ticks: those who find the clock standing where it stood then are no further behind them. Threads without a
        // mark are not told apart, and share nothing. Where there is no such clock, nobody does.
        let coarse = clock::coarse();
        let stamp = match (coarse, address) {
            (Some(_), Some(address)) => OWNERS.stamp(address, thread.mark(), clock::ticks_in_order),
            _ => Stamp { ticks: clock::ticks(), may_be_shared: thread.mark() != Mark::NONE },
        };
        if !thread.pending.belongs_to(session) {
            thread.pending.begin(session, stamp.ticks);
        } else if !thread.pending.has_room() {
            self.write_out(thread, stamp.ticks);
        }
        thread.pending.append(stamp.ticks, coarse.filter(|_| stamp.may_be_shared), record);
    }

    #[cold]
    #[inline(never)]
    fn write_out(&self, thread: &Thread, ticks: u64) {
        #[cfg(test)]
        tests::pass(tests::TURNING);
        thread.pending.write_out(ticks, |label, bytes| {
            self.file.write(|writer: &Writer<'_>| {
                #[cfg(test)]
                tests::pass(tests::WRITING);
                if thread.pending.is_wanted(self.given.load(Ordering::Relaxed)) {
                    writer.names();
                    writer.block(Kind::Events, thread.id(), label.number, label.base, bytes);
                }
            });
        });
        if self.file.is_broken() {
            self.session.set(0);
        }
    }
}

/// Writes out what a thread that ends has pending.
fn leave(thread: &'static Thread) {
    let session = EXACT.session.acquire();
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
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        switch::is_any_on()
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.session.get() != 0
    }

    #[inline]
    fn leaving(&self, address: usize) -> Moment {
        // Before the strategy gives the place to others.
        let thread = thread::current();
        let stamp = OWNERS.stamp(address, thread.map_or(Mark::NONE, Thread::mark), clock::ticks_in_order);
        if let (Some(thread), false) = (thread, stamp.may_be_shared) {
            thread.pending.share_no_more();
        }
        Moment(stamp.ticks)
    }

    #[inline(always)]
    fn record(&self, thread: &Thread, event: Event) {
        // One by one, so that each kind's bytes are put together in registers.
        match event {
            Event::Free(place) => {
                Self::append_free(thread, place);
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

#[cfg(test)]
mod tests;

#[cfg(all(test, target_arch = "x86_64"))]
mod writes;
