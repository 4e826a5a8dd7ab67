//! How an exact trace ends beside threads that are within an event.

extern crate std;
use super::*;
use crate::format::event::Last;
use crate::format::{BLOCK_HEADER, BlockHeader, FILE_HEADER, TIME_SHIFT};
use crate::sink::in_child::in_child;
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
    in_child(work);
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
