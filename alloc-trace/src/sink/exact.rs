//! Every event, as bytes in a file.
//!
//! Each thread appends to a buffer of its own; a full one is written out as a block. There is one exact trace in a
//! process at a time, since there is one such buffer for each thread.

use core::ffi::c_int;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::Sink;
use super::file::{File, Writer};
use super::owners::Owners;
use crate::clock;
use crate::event::{Event, Moment};
use crate::format::event::Record;
use crate::format::{Kind, Mode};
use crate::out::Refused;
use crate::own::{Mapped, Zeroed};
use crate::stack;
use crate::thread::{self, Thread};

/// The sink of the exact mode: [`EXACT`] is the only one.
#[derive(Debug)]
pub struct Exact {
    /// The number of the trace that is on, from 1; 0 for none.
    session: AtomicU32,
    /// The last number that was given.
    given: AtomicU32,
    /// Null before the first trace.
    owners: AtomicPtr<Owners>,
    file: File,
}

// SAFETY: atomics, valid as zeros, without destructors.
unsafe impl Zeroed for Owners {}

/// The exact trace of this process.
pub static EXACT: Exact = Exact {
    session: AtomicU32::new(0),
    given: AtomicU32::new(0),
    owners: AtomicPtr::new(core::ptr::null_mut()),
    file: File::new(),
};

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
        if self.owners().is_none() {
            let Some(owners) = Mapped::<Owners>::new(1) else { return Err(Refused(libc::ENOMEM)) };
            self.owners.store(owners.leak().as_ptr().cast_mut(), Ordering::Release);
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

    fn owners(&self) -> Option<&'static Owners> {
        // SAFETY: null, or a table that is never given back.
        unsafe { self.owners.load(Ordering::Acquire).as_ref() }
    }

    /// A time of its own for the next event, and room for it where there was none.
    fn stamp(&self, thread: &Thread, session: u32, coarse: Option<u64>, has_room: bool) -> u64 {
        let ticks = clock::ticks();
        if !has_room {
            if thread.pending.belongs_to(session) {
                self.write_out(thread, ticks);
            } else {
                thread.pending.begin(session, ticks);
            }
        }
        thread.pending.stamp(coarse);
        ticks
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
        if let Some(owners) = self.owners() {
            // Before the strategy gives the place to others. No thread has the number 0.
            owners.touch(address, thread::current().map_or(0, Thread::id));
        }
        Moment(clock::ticks())
    }

    #[inline(always)]
    fn record(&self, thread: &Thread, event: Event) {
        // Acquire: pairs with the Release of `start`.
        let session = self.session.load(Ordering::Acquire);
        let (Some(owners), 1..) = (self.owners(), session) else { return };
        // One by one, so that each kind's bytes are put together in registers.
        let note = (self, owners, thread, session);
        match event {
            Event::Free(place) => {
                append(note, Some(place.address), &Record::Free { address: place.address as u64 });
            }
            Event::Alloc(place) => {
                let record = Record::Alloc {
                    address: place.address as u64,
                    size: place.size as u64,
                    log2_align: log2(place.align),
                    stack: stack::of(thread).0,
                };
                append(note, Some(place.address), &record);
            }
            Event::Resize { old, new, before } => {
                let record = Record::Resize {
                    old: old.address as u64,
                    before: before.0 >> crate::format::TIME_SHIFT,
                    address: new.address as u64,
                    size: new.size as u64,
                    log2_align: log2(new.align),
                    stack: stack::of(thread).0,
                };
                append(note, Some(new.address), &record);
            }
            // At no address: in any order with others' events.
            Event::Refused { size, align, .. } => {
                append(note, None, &Record::Refused { size: size as u64, log2_align: log2(align) });
            }
        }
    }
}

/// Appends an event at an address, or at none, with the last one's time where that will do.
#[inline(always)]
fn append(
    (exact, owners, thread, session): (&Exact, &Owners, &Thread, u32),
    address: Option<usize>,
    record: &Record,
) {
    let pending = &thread.pending;
    let own = address.is_none_or(|address| owners.touch(address, thread.id()));
    let coarse = if own { clock::coarse() } else { None };
    let has_room = pending.belongs_to(session) && pending.has_room();
    let shares = has_room && coarse.is_some_and(|coarse| pending.share(coarse));
    let ticks = if shares { 0 } else { exact.stamp(thread, session, coarse, has_room) };
    pending.append(ticks, record);
}
