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
        self.file.open(fd, Mode::Exact, 0)?;
        thread::on_leaving(leave);
        let session = self.given.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
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
        // Threads that are writing a block out finish it, without the lock held here. The trace is off: each does so at
        // most once. Bounded, since one may have been stopped for good in the middle.
        for thread in thread::all() {
            for turn in 0..2000 {
                if !thread.pending.is_turning() {
                    break;
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
        let unasked = place.align != 0 && thread.pending.goes_unasked(place.size, clock::second);
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
        thread.pending.write_out(ticks, |label, bytes| {
            self.file.write(|writer: &Writer<'_>| {
                writer.names();
                writer.block(Kind::Events, thread.id(), label.number, label.base, bytes);
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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    extern crate std;
    use super::*;
    use core::ops::Range;
    use std::vec::Vec;

    /// All memory that may be written to but for `mine`, in whole pages. The kernel shows mappings side by side as one.
    fn writable(mine: &[Range<usize>]) -> Vec<Range<usize>> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        let mut ranges: Vec<Range<usize>> = maps
            .lines()
            .filter_map(|line| {
                let (range, rest) = line.split_once(' ')?;
                let (low, high) = range.split_once('-')?;
                rest.starts_with("rw").then_some(number(low)..number(high))
            })
            .collect();
        for mine in mine {
            let (low, high) = (mine.start & !0xfff, (mine.end | 0xfff) + 1);
            ranges = ranges
                .into_iter()
                .flat_map(|range| [range.start..range.end.min(low), range.start.max(high)..range.end])
                .filter(|range| !range.is_empty())
                .collect();
        }
        ranges
    }

    #[inline(never)]
    fn events(thread: &Thread, count: usize) {
        let place = |index: usize| Place { address: 0x7f00_0000_0000 + index % 64 * 64, size: 48, align: 16 };
        for index in 0..count {
            EXACT.record(thread, Event::Alloc(place(index)));
            EXACT.record(thread, Event::Free(place(index)));
        }
    }

    /// With hot stacks, in parts of the address space that are the thread's own, events write to the thread's own record and stack
    /// alone: in a child process all other memory is taken from under them.
    #[test]
    fn events_write_to_no_memory_that_threads_share() {
        // SAFETY: the child calls nothing that another thread's lock could stop, and ends at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let answer = std::panic::catch_unwind(|| {
                // SAFETY: a path that ends with a zero byte.
                let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY) };
                EXACT.start(fd).unwrap();
                let thread = thread::enter().unwrap();
                let record: &Thread = &thread;
                let (stack, record_at) = ((&raw const fd).addr(), (&raw const *record).addr());
                // The thread's storage lies around its pointer, above its stack; the main thread's elsewhere.
                let mine = [
                    stack - (64 << 10)..stack + (16 << 10),
                    thread_pointer() - 4096..thread_pointer() + 4096,
                    record_at..record_at + size_of::<Thread>(),
                ];
                let tables = stack::tables().map(|tables| (&raw const *tables).addr()).unwrap();
                // From one place, so that the stacks are the same.
                for is_protected in [false, true] {
                    let others = if is_protected { writable(&mine) } else { Vec::new() };
                    for shared in [(&raw const OWNERS).addr(), (&raw const EXACT).addr(), tables] {
                        assert!(!is_protected || others.iter().any(|range| range.contains(&shared)));
                    }
                    for range in &others {
                        let start = core::ptr::with_exposed_provenance_mut(range.start);
                        #[expect(
                            clippy::disallowed_methods,
                            reason = "not memory of a heap: the test's own process"
                        )]
                        // SAFETY: whole mappings. From here on the child writes to none of them.
                        unsafe {
                            libc::mprotect(start, range.len(), libc::PROT_READ)
                        };
                    }
                    events(record, 1000);
                    core::mem::forget(others);
                }
                // SAFETY: ends the process, whose memory is as it may be.
                unsafe { libc::_exit(7) };
            });
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(answer.is_err())) };
        }
        let mut status = 0;
        // SAFETY: a child, and a place for its state.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
    }

    fn thread_pointer() -> usize {
        let pointer;
        // SAFETY: the psABI puts the thread pointer's own value at offset 0.
        unsafe {
            core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack));
        };
        pointer
    }
}
