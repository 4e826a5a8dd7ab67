//! What all instances of a process share: the list of them, the hook at the end of a thread, and the handlers around a
//! fork.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use alloc_core::backend::Backend;
use alloc_core::sync::RankedMutex;
use alloc_core::sync::static_atomic::{AtomicBool, AtomicU64, Ordering};

use crate::forker;
use crate::instance::Instance;
use crate::ranks;
#[cfg(feature = "std")]
use crate::tcache::slot::ProcessSlot;
use crate::tcache::slot::{LibrarySlot, SharedSlot, Slot, token};

/// An instance in the list: what the hooks call, whatever its backend.
#[derive(Debug)]
pub(crate) struct Member {
    instance: *const (),
    thread_exit: unsafe fn(*const (), usize),
    hold: unsafe fn(*const ()),
    release: unsafe fn(*const ()),
    reset: unsafe fn(*const ()),
    /// Behind the list's lock.
    next: UnsafeCell<*const Member>,
}

#[derive(Debug)]
struct List(*const Member);

// SAFETY: members are entered only while they stay where they are, and reached through the list's lock.
unsafe impl Send for List {}

static INSTANCES: RankedMutex<{ ranks::INSTANCES }, List> = RankedMutex::new(List(ptr::null()));

impl Member {
    /// The entry of the instance that will lie at `place`.
    pub(crate) fn of<B: Backend>(place: NonNull<Instance<B>>) -> Self {
        Self {
            instance: place.as_ptr().cast_const().cast(),
            thread_exit: thread_exit::<B>,
            hold: hold::<B>,
            release: release::<B>,
            reset: reset::<B>,
            next: UnsafeCell::new(ptr::null()),
        }
    }
}

/// What a member stands for.
///
/// # Safety
/// `instance` is that of a member of `Instance<B>` that is in the list.
unsafe fn instance_of<'a, B: Backend>(instance: *const ()) -> &'a Instance<B> {
    // SAFETY: the instance is there while its member is in the list.
    unsafe { &*instance.cast() }
}

/// # Safety
/// As for [`instance_of`].
unsafe fn thread_exit<B: Backend>(instance: *const (), token: usize) {
    // SAFETY: the caller's promise.
    unsafe { instance_of::<B>(instance) }.thread_exit(token);
}

/// # Safety
/// As for [`instance_of`].
unsafe fn hold<B: Backend>(instance: *const ()) {
    // SAFETY: the caller's promise.
    unsafe { instance_of::<B>(instance) }.hold_all();
}

/// # Safety
/// As for [`instance_of`], and [`Instance::release_all`].
unsafe fn release<B: Backend>(instance: *const ()) {
    // SAFETY: the caller's promise.
    let instance = unsafe { instance_of::<B>(instance) };
    // SAFETY: as above.
    unsafe { instance.release_all() };
}

/// # Safety
/// As for [`instance_of`], and [`Instance::reset_all`].
unsafe fn reset<B: Backend>(instance: *const ()) {
    // SAFETY: the caller's promise.
    let instance = unsafe { instance_of::<B>(instance) };
    // SAFETY: as above.
    unsafe { instance.reset_all() };
}

impl List {
    fn each(&self, mut visit: impl FnMut(&Member)) {
        let mut next = self.0;
        while !next.is_null() {
            // SAFETY: members stay where they are while they are in the list, whose lock is held.
            let member = unsafe { &*next };
            visit(member);
            // SAFETY: behind the list's lock.
            next = unsafe { *member.next.get() };
        }
    }
}

/// Enters an instance.
///
/// # Safety
/// The member stays where it is until [`leave`].
pub(crate) unsafe fn enter(member: &Member) {
    let mut list = INSTANCES.lock();
    // SAFETY: behind the list's lock.
    unsafe { *member.next.get() = list.0 };
    list.0 = member;
}

/// Takes an instance off the list.
pub(crate) fn leave(member: &Member) {
    let mut list = INSTANCES.lock();
    let mut place: *mut *const Member = &raw mut list.0;
    // SAFETY: `place` is the list's head or a member's link, both behind the lock.
    while let Some(entered) = NonNull::new(unsafe { *place }.cast_mut()) {
        // SAFETY: as for `each`.
        let next = unsafe { entered.as_ref() }.next.get();
        if ptr::eq(entered.as_ptr(), member) {
            // SAFETY: as above.
            let following = unsafe { *next };
            // SAFETY: as above.
            unsafe { *place = following };
            return;
        }
        place = next;
    }
}

/// The key whose destructor runs at the end of a thread: 0 until there is one, then the key plus 1; `NO_KEY` when the
/// system had none left.
static EXIT_KEY: AtomicU64 = AtomicU64::new(0);
const NO_KEY: u64 = u64::MAX;

/// Makes sure that the calling thread's caches are emptied when it ends. Whether that can be done. The thread's cache is in
/// its slot already: some of what is called here allocates.
pub(crate) fn watch_thread() -> bool {
    let mut key = EXIT_KEY.load(Ordering::Acquire);
    if key == 0 {
        key = make_key();
    }
    let Ok(key) = libc::pthread_key_t::try_from(key.wrapping_sub(1)) else { return false };
    let errno = alloc_core::errno::KeepErrno::new();
    // Any value but null: the destructor is called for it.
    // SAFETY: the key was made and is never deleted.
    let set = unsafe { libc::pthread_setspecific(key, ptr::without_provenance(1)) };
    drop(errno);
    set == 0
}

#[cold]
fn make_key() -> u64 {
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: `key` is a place for the answer; the destructor may run on any thread at its end.
    let made = if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } == 0 {
        u64::from(key) + 1
    } else {
        NO_KEY
    };
    match EXIT_KEY.compare_exchange(0, made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made,
        Err(other) => {
            // Another thread was first.
            if made != NO_KEY {
                // SAFETY: made here, and nobody has seen it.
                unsafe { libc::pthread_key_delete(key) };
            }
            other
        }
    }
}

/// The C library calls this at the end of every thread that had a cache. Other destructors may allocate and free after
/// it: they do so without a cache.
unsafe extern "C" fn thread_ends(_: *mut c_void) {
    let token = token();
    #[cfg(feature = "std")]
    ProcessSlot::close();
    LibrarySlot::close();
    SharedSlot::close();
    forker::marked(|| {
        INSTANCES.lock().each(|member| {
            // SAFETY: the member is in the list.
            unsafe { (member.thread_exit)(member.instance, token) };
        });
    });
}

/// Registers the handlers around a fork, once. Registering may allocate: whoever comes second, or again, goes on.
pub(crate) fn prepare_forks() {
    static DONE: AtomicBool = AtomicBool::new(false);
    // Relaxed: nothing is read on the strength of it.
    if DONE.load(Ordering::Relaxed) || DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    // A refusal leaves forks of programs with several threads unprepared; there is nobody to tell.
    // SAFETY: the handlers may run around any fork.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
}

unsafe extern "C" fn before_fork() {
    forker::begin(|| {
        INSTANCES.hold();
        // SAFETY: the lock is held until the handlers after the fork.
        let list = unsafe { held() };
        // SAFETY: the members are in the list.
        list.each(|member| unsafe { (member.hold)(member.instance) });
    });
}

unsafe extern "C" fn after_fork_in_parent() {
    forker::end(|| {
        // SAFETY: held since `before_fork`.
        let list = unsafe { held() };
        // SAFETY: the members are in the list, and this thread called `hold` on them.
        list.each(|member| unsafe { (member.release)(member.instance) });
        // SAFETY: as above.
        unsafe { INSTANCES.release() };
    });
}

unsafe extern "C" fn after_fork_in_child() {
    forker::end(|| {
        // SAFETY: held since `before_fork`, by the thread that this one continues.
        let list = unsafe { held() };
        // SAFETY: the members are in the list; the thread that held them is this one.
        list.each(|member| unsafe { (member.reset)(member.instance) });
        // SAFETY: as above.
        unsafe { INSTANCES.reset_after_fork() };
    });
}

/// The list, by whoever holds its lock without a guard.
///
/// # Safety
/// The calling thread, or the one that it continues after a fork, holds the lock by way of `hold`.
unsafe fn held() -> List {
    // SAFETY: the caller holds the lock.
    List(unsafe { (*INSTANCES.value()).0 })
}
