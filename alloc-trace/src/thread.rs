//! A record for each thread that was ever traced: its re-entrancy guard, its counts, and its sinks' memory.
//!
//! Records lie in mappings of their own and live as long as the process; those of ended threads are handed to new ones.
//! A thread finds its record through one word of thread-local storage. A thread that frees after its record was given
//! back borrows one for the length of the event.

use core::cell::Cell;
use core::ffi::c_void;
use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use alloc_core::arith::align_up;
use alloc_core::os::Pages;
use alloc_core::os::unix::Os;

use crate::budget::Counts;
use crate::countdown::Countdown;
use crate::errno::KeepErrno;
use crate::owners::Mark;
use crate::pending::Pending;
use crate::slot::{self, Word};
use crate::stack::Walker;

/// The record of one thread.
///
/// Fields in `Cell`s belong to the thread that has taken the record; `Pending` says itself what others may read of it.
//
// What each event needs comes first, and together.
#[repr(C)]
pub struct Thread {
    busy: Cell<u32>,
    /// Given with the record's memory, and never changed.
    mark: Cell<Mark>,
    late: Cell<bool>,
    taken: AtomicU32,
    pub(crate) pending: Pending,
    pub(crate) walker: Walker,
    pub(crate) countdown: Countdown,
    pub(crate) counts: Counts,
    id: AtomicU32,
    /// The next in the list of all records. Set before the record is in the list.
    next: AtomicPtr<Self>,
}

// SAFETY: a record is taken by one thread at a time, by an exchange with acquire and release order; only that thread
// uses the cells, and all other fields are atomics.
unsafe impl Sync for Thread {}

/// All records. Grows at its head.
static RECORDS: AtomicPtr<Thread> = AtomicPtr::new(ptr::null_mut());

/// Records that were made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The pthread key whose destructor gives records back, plus 1; 0 until it was made.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Called with the record of a thread that ends.
static LEAVING: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

impl Thread {
    /// The kernel's number of the thread.
    #[must_use]
    pub fn id(&self) -> u32 {
        // Relaxed: written by the thread itself when it took the record; others only show it.
        self.id.load(Ordering::Relaxed)
    }

    /// What the record's owners are known by in the table of owners. They come one after the other: of their events too, each
    /// comes after those before it, so that they may have one mark.
    #[inline(always)]
    pub(crate) fn mark(&self) -> Mark {
        self.mark.get()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A thread's record, held for the length of one event: until it is dropped, the thread cannot enter again.
#[derive(Debug)]
pub struct Entered(&'static Thread);

impl core::ops::Deref for Entered {
    type Target = Thread;

    #[inline]
    fn deref(&self) -> &Thread {
        self.0
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.0.late.get() {
            return give_back(self.0);
        }
        self.0.busy.set(0);
    }
}

/// A record that was entered by [`enter_again`], which never borrows one. Likewise held.
#[derive(Debug)]
pub(crate) struct Again(&'static Thread);

impl core::ops::Deref for Again {
    type Target = Thread;

    #[inline]
    fn deref(&self) -> &Thread {
        self.0
    }
}

impl Drop for Again {
    #[inline]
    fn drop(&mut self) {
        self.0.busy.set(0);
    }
}

/// The calling thread's record, where it has one and is not inside a sink: what [`enter`] finds for nearly all events.
#[inline(always)]
pub(crate) fn enter_again() -> Option<Again> {
    let thread = slot::here()?;
    if thread.busy.get() != 0 {
        return None;
    }
    thread.busy.set(1);
    Some(Again(thread))
}

/// The calling thread's record, unless the thread is inside a sink already, or the system has no memory for a record.
#[inline]
#[must_use]
pub fn enter() -> Option<Entered> {
    match slot::get() {
        Word::Here(thread) => {
            if thread.busy.get() != 0 {
                return None;
            }
            thread.busy.set(1);
            Some(Entered(thread))
        }
        Word::Fresh => enter_first(),
        Word::Ending => enter_late(),
    }
}

/// Whether the calling thread is inside a sink.
#[inline]
pub(crate) fn is_inside() -> bool {
    matches!(slot::get(), Word::Here(thread) if thread.busy.get() != 0)
}

/// The calling thread's record, whether it is inside a sink or not, for what needs no guard.
#[inline]
pub(crate) fn current() -> Option<&'static Thread> {
    match slot::get() {
        Word::Here(thread) => Some(thread),
        Word::Fresh => {
            drop(enter_first()?);
            match slot::get() {
                Word::Here(thread) => Some(thread),
                _ => None,
            }
        }
        Word::Ending => None,
    }
}

#[cold]
#[inline(never)]
fn enter_first() -> Option<Entered> {
    let thread = take()?;
    // Busy before the word is set: `pthread_setspecific` may allocate for keys beyond the first 32.
    thread.busy.set(1);
    thread.late.set(false);
    slot::set(thread);
    arm(thread);
    Some(Entered(thread))
}

#[cold]
#[inline(never)]
fn enter_late() -> Option<Entered> {
    let thread = take()?;
    thread.busy.set(1);
    thread.late.set(true);
    // Signal handlers that interrupt the event find the thread inside, as at any other time.
    slot::set(thread);
    Some(Entered(thread))
}

/// Takes a record that nobody has, or makes one.
fn take() -> Option<&'static Thread> {
    let _errno = KeepErrno::new();
    // SAFETY: `gettid` has no conditions.
    let id = unsafe { libc::gettid() }.unsigned_abs();
    let free = all().find(|thread| {
        // Acquire: what the last owner left in the cells is seen.
        thread.taken.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    });
    let thread = match free {
        Some(thread) => thread,
        None => make()?,
    };
    thread.id.store(id, Ordering::Relaxed);
    thread.walker.forget();
    thread.countdown.forget();
    Some(thread)
}

fn make() -> Option<&'static Thread> {
    let bytes = align_up(size_of::<Thread>(), Os.page_size())?;
    let place: NonNull<Thread> = Os.map(bytes, align_of::<Thread>()).ok()?.cast();
    // SAFETY: a fresh mapping as large and aligned as a record, never given back; zero bytes are valid for all fields:
    // integers, null pointers, and arrays of them.
    let thread: &'static Thread = unsafe { place.as_ref() };
    thread.taken.store(1, Ordering::Relaxed);
    // Relaxed: only the number's uniqueness matters.
    thread.mark.set(Mark::of(MADE.fetch_add(1, Ordering::Relaxed).saturating_add(1)));
    let mut head = RECORDS.load(Ordering::Relaxed);
    loop {
        thread.next.store(head, Ordering::Relaxed);
        // Release: who finds the record through the list sees its `next`.
        match RECORDS.compare_exchange_weak(head, place.as_ptr(), Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Some(thread),
            Err(now) => head = now,
        }
    }
}

/// Every record there is, taken or not.
pub(crate) fn all() -> impl Iterator<Item = &'static Thread> {
    // Acquire, here and below: pairs with the Release that put the record into the list.
    let mut next = RECORDS.load(Ordering::Acquire);
    core::iter::from_fn(move || {
        // SAFETY: the list holds null or records, which live as long as the process.
        let thread = unsafe { next.as_ref() }?;
        next = thread.next.load(Ordering::Acquire);
        Some(thread)
    })
}

/// Ends the calling thread's use of its record, which is marked busy: what signal handlers ask for while the sinks' parts are
/// put away is not heard, and waits for none of their locks.
fn give_back(thread: &'static Thread) {
    let leaving = LEAVING.load(Ordering::Acquire);
    if !leaving.is_null() {
        // SAFETY: the only non-null value ever stored is a `fn(&'static Thread)`.
        let leaving = unsafe { core::mem::transmute::<*mut (), fn(&'static Thread)>(leaving) };
        leaving(thread);
    }
    slot::end();
    thread.late.set(false);
    thread.busy.set(0);
    // Release: the next owner sees the cells as they were left.
    thread.taken.store(0, Ordering::Release);
}

/// Asks for a call with the record of each thread that ends, on that thread.
pub(crate) fn on_leaving(call: fn(&'static Thread)) {
    LEAVING.store(call as *mut (), Ordering::Release);
}

/// In the child after `fork`, where only the calling thread exists: all other records are free.
pub(crate) fn after_fork() {
    let mine = match slot::get() {
        Word::Here(thread) => ptr::from_ref(thread),
        _ => ptr::null(),
    };
    for thread in all() {
        thread.pending.discard();
        if ptr::eq(thread, mine) {
            // SAFETY: `gettid` has no conditions.
            thread.id.store(unsafe { libc::gettid() }.unsigned_abs(), Ordering::Relaxed);
        } else {
            thread.busy.set(0);
            thread.taken.store(0, Ordering::Relaxed);
        }
    }
}

/// Sees to it that the record comes back when the thread ends. Where that cannot be had, it stays taken.
fn arm(thread: &'static Thread) {
    let Some(key) = key() else { return };
    // SAFETY: a key that was made and is never deleted; the value is what its destructor expects.
    unsafe { libc::pthread_setspecific(key, ptr::from_ref(thread).cast::<c_void>()) };
}

fn key() -> Option<libc::pthread_key_t> {
    unsafe extern "C" fn leave(_record: *mut c_void) {
        if let Word::Here(thread) = slot::get() {
            thread.busy.set(1);
            give_back(thread);
        }
    }
    let known = KEY.load(Ordering::Acquire);
    if known != 0 {
        return Some(known - 1);
    }
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: a place for the key, and a destructor that lives as long as the process and does not unwind.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(leave)) } != 0 {
        return None;
    }
    match KEY.compare_exchange(0, key + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(key),
        Err(first) => {
            // SAFETY: a key that was just made, and that nobody else has seen.
            unsafe { libc::pthread_key_delete(key) };
            Some(first - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_enters_once_at_a_time() {
        let entered = enter().unwrap();
        assert!(enter().is_none());
        drop(entered);
        assert!(enter().is_some());
    }

    #[test]
    fn records_of_ended_threads_are_taken_again() {
        extern crate std;
        let run = || std::thread::spawn(|| ptr::from_ref(&*enter().unwrap()).addr()).join().unwrap();
        let first = run();
        // Other tests' threads may take that one in between: of many, some come back.
        assert!((0..100).any(|_| run() == first));
    }

    #[test]
    fn threads_have_records_of_their_own() {
        extern crate std;
        let mine = enter().unwrap();
        let other = std::thread::spawn(|| {
            let entered = enter().unwrap();
            (ptr::from_ref(&*entered).addr(), entered.id())
        });
        let (address, id) = other.join().unwrap();
        assert_ne!(ptr::from_ref(&*mine).addr(), address);
        assert_ne!(mine.id(), id);
    }
}
