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
mod tests {
    extern crate std;
    use super::*;
    use crate::format::event::Last;
    use crate::format::{BLOCK_HEADER, BlockHeader, FILE_HEADER, TIME_SHIFT};
    use core::sync::atomic::{AtomicBool, AtomicPtr};
    use std::sync::Mutex;
    use std::vec;
    use std::vec::Vec;

    /// What a test has threads do where they pass.
    type Act = Mutex<Option<fn()>>;
    /// Places that threads pass, where a test has them do something: in an event, with the trace known to be on, before the
    /// thread's block is written; while it is, under the file's lock; under the lock, before the trace's end takes what a
    /// thread has.
    static PLACES: [Act; 3] = [const { Mutex::new(None) }; 3];
    pub(super) const TURNING: usize = 0;
    pub(super) const WRITING: usize = 1;
    pub(super) const TAKING: usize = 2;

    pub(super) fn pass(place: usize) {
        let act = *PLACES[place].lock().unwrap();
        if let Some(act) = act {
            act();
        }
    }

    /// The thread is at its place; it may go on.
    static THERE: AtomicBool = AtomicBool::new(false);
    static GO: AtomicBool = AtomicBool::new(false);
    static RECORD: AtomicPtr<Thread> = AtomicPtr::new(core::ptr::null_mut());

    fn wait(until: impl Fn() -> bool) {
        while !until() {
            std::thread::yield_now();
        }
    }

    /// Waits in the first event that comes here, not in those of others.
    fn stop_here() {
        if !THERE.swap(true, Ordering::AcqRel) {
            wait(|| GO.load(Ordering::Acquire));
        }
    }

    fn let_it_begin() {
        // SAFETY: null, or a record, which lives as long as the process.
        let thread = unsafe { RECORD.load(Ordering::Acquire).as_ref() }.unwrap();
        if !GO.swap(true, Ordering::AcqRel) {
            wait(|| thread.pending.is_turning());
        }
    }

    /// In a child process: a thread fills its buffer and is stopped at `place` in one event more, while the trace ends;
    /// `end` ends it, and has the thread go on at some time. How many events the thread told whole, and how many the trace has;
    /// which are all, and each once, whoever wrote them.
    fn events_of_a_trace_that_ends_beside(place: usize, end: fn(), at_taking: Option<fn()>) {
        let work = move || {
            // SAFETY: a name that ends with a zero byte.
            let fd = unsafe { libc::memfd_create(c"trace".as_ptr(), 0) };
            // SAFETY: a descriptor.
            let mine = unsafe { libc::dup(fd) };
            EXACT.start(fd).unwrap();
            let worker = std::thread::spawn(move || {
                let thread = thread::enter().unwrap();
                let record: &Thread = &thread;
                RECORD.store(core::ptr::from_ref(record).cast_mut(), Ordering::Release);
                let mut told = 0_u64;
                let mut tell = || {
                    told += 1;
                    EXACT.record(record, Event::Free(Place::bare(told as usize * 16)));
                };
                // The first event begins the buffer; two blocks, the second full.
                tell();
                for block in 0..2 {
                    while record.pending.has_room() {
                        tell();
                    }
                    if block == 0 {
                        tell();
                    }
                }
                *PLACES[place].lock().unwrap() = Some(stop_here);
                tell();
                told - 1
            });
            wait(|| THERE.load(Ordering::Acquire));
            *PLACES[TAKING].lock().unwrap() = at_taking;
            end();
            GO.store(true, Ordering::Release);
            let told = worker.join().unwrap();
            let mut bytes = vec![0; 1 << 20];
            // SAFETY: a descriptor, and a place of that many bytes.
            let length = unsafe { libc::pread(mine, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
            let read = frees(&bytes[..length as usize]);
            // The event that was stopped is in it or not.
            let whole: Vec<u64> = (1..=told).map(|number| number * 16).collect();
            assert!(read.starts_with(&whole) && read.len() <= whole.len() + 1, "{} of {told}", read.len());
        };
        // SAFETY: the child has a copy of nothing that its threads wait for, and ends at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let answer = std::panic::catch_unwind(work);
            // SAFETY: ends the process.
            unsafe { libc::_exit(i32::from(answer.is_err())) };
        }
        let mut status = 0;
        // SAFETY: a child, and a place for its state.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    }

    /// The addresses of a trace's frees, which ends with its end.
    fn frees(bytes: &[u8]) -> Vec<u64> {
        let (mut read, mut rest, mut kind) = (Vec::new(), &bytes[FILE_HEADER..], Kind::Events);
        while !rest.is_empty() {
            let header = BlockHeader::from_bytes(rest).unwrap();
            let (block, behind) = rest.split_at(BLOCK_HEADER + header.length as usize);
            (rest, kind) = (behind, header.kind);
            let mut payload = &block[BLOCK_HEADER..];
            let mut last = Last { time: header.base >> TIME_SHIFT, ..Last::default() };
            while kind == Kind::Events && !payload.is_empty() {
                if let (_, Record::Free { address }) = last.decode(&mut payload).unwrap() {
                    read.push(address);
                }
            }
        }
        assert_eq!(kind, Kind::End);
        read
    }

    /// Its end waits until the block is written.
    #[test]
    fn a_trace_that_ends_beside_a_thread_that_writes_has_all_its_events() {
        events_of_a_trace_that_ends_beside(
            WRITING,
            || {
                let end = std::thread::spawn(|| EXACT.stop());
                wait(|| !EXACT.is_on());
                assert!(!end.is_finished(), "nobody was waited for");
                GO.store(true, Ordering::Release);
                end.join().unwrap();
            },
            None,
        );
    }

    /// The thread knew the trace to be on, and begins to write when its block is being taken.
    #[test]
    fn a_trace_that_ends_beside_a_thread_that_begins_to_write_has_all_its_events() {
        events_of_a_trace_that_ends_beside(TURNING, || EXACT.stop(), Some(let_it_begin));
    }

    /// The thread knew the trace to be on, and comes to write its block when the end has written it, and when another trace has begun.
    #[test]
    fn a_thread_that_comes_late_writes_nothing_twice() {
        events_of_a_trace_that_ends_beside(TURNING, || EXACT.stop(), None);
        events_of_a_trace_that_ends_beside(
            TURNING,
            || {
                EXACT.stop();
                // SAFETY: a name that ends with a zero byte.
                let fd = unsafe { libc::memfd_create(c"another".as_ptr(), 0) };
                // SAFETY: a descriptor.
                let mine = unsafe { libc::dup(fd) };
                EXACT.start(fd).unwrap();
                let length = || {
                    // SAFETY: a descriptor.
                    unsafe { libc::lseek(mine, 0, libc::SEEK_END) }
                };
                let before = length();
                GO.store(true, Ordering::Release);
                // SAFETY: a record, which lives as long as the process.
                let thread = unsafe { RECORD.load(Ordering::Acquire).as_ref() }.unwrap();
                wait(|| thread.pending.has_room());
                assert_eq!(length(), before, "a block of the other trace");
            },
            None,
        );
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod writes {
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
