//! rpmalloc, through its bindings.
//!
//! The crate `rpmalloc` builds the library in its preload form: that one replaces `pthread_create` for the whole binary
//! (and so would run in every other strategy's cells) and frees its memory at exit under programs that still use it; and
//! its resize copies, because it leaves `realloc` to the trait's default. The adapter below builds on `rpmalloc-sys`
//! without that form, attaches a thread on its first request, and resizes with rpmalloc's own function.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use alloc_core::Handle;
use alloc_core::compat::FromGlobal;
// Links the library; its declaration of `rpmalloc_thread_finalize` lacks the argument.
use rpmalloc_sys as _;

use crate::registry::{Entry, Proof};

// From rpmalloc.h of version 1.4.3.
unsafe extern "C" {
    fn rpmalloc_initialize() -> c_int;
    fn rpmalloc_thread_initialize();
    fn rpmalloc_thread_finalize(release_caches: c_int);
    fn rpaligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn rpaligned_calloc(alignment: usize, count: usize, size: usize) -> *mut c_void;
    fn rpaligned_realloc(
        block: *mut c_void,
        alignment: usize,
        size: usize,
        old_size: usize,
        flags: c_uint,
    ) -> *mut c_void;
    fn rpfree(block: *mut c_void);
    fn rpmalloc_usable_size(block: *mut c_void) -> usize;
}

struct Rpmalloc;

thread_local! {
    /// Whether this thread has a heap. Constant and without a destructor, so that reading it neither allocates nor
    /// registers anything.
    static ATTACHED: Cell<bool> = const { Cell::new(false) };
}

/// The key whose destructor gives a thread's heap back; written once, before there is a second thread.
static KEY: AtomicU32 = AtomicU32::new(0);

#[inline]
fn attached() {
    if !ATTACHED.get() {
        attach();
    }
}

#[cold]
fn attach() {
    ATTACHED.set(true);
    // SAFETY: rpmalloc is initialised (`open` did it), and this thread has no heap yet.
    unsafe { rpmalloc_thread_initialize() };
    let something: *const c_void = (&raw const KEY).cast();
    // SAFETY: `open` made the key. A thread whose value could not be set only keeps its heap.
    let _ = unsafe { libc::pthread_setspecific(KEY.load(Ordering::Relaxed), something) };
}

/// Runs when a thread ends; a later free on it attaches it again, and the destructor runs once more.
unsafe extern "C" fn detach(_value: *mut c_void) {
    // SAFETY: the thread attached itself before it set the key's value.
    unsafe { rpmalloc_thread_finalize(1) };
    ATTACHED.set(false);
}

fn open() -> Handle<'static> {
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: a place for the key, and a destructor that takes any value.
    let failed = unsafe { libc::pthread_key_create(&raw mut key, Some(detach)) };
    // SAFETY: takes no arguments; a second call does nothing.
    let refused = unsafe { rpmalloc_initialize() };
    if failed != 0 || refused != 0 {
        return Handle::null();
    }
    KEY.store(key, Ordering::Relaxed);
    Handle::new(&RPMALLOC)
}

// SAFETY: rpmalloc hands out blocks of the size and alignment asked for or null, keeps contents in a resize, and leaves
// the old block alone when that fails. Every method attaches the thread first, which is what rpmalloc requires.
unsafe impl GlobalAlloc for Rpmalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        attached();
        // SAFETY: the thread is attached, and the alignment is a power of two.
        unsafe { rpaligned_alloc(layout.align(), layout.size()) }.cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        attached();
        // SAFETY: the thread is attached, and the alignment is a power of two.
        unsafe { rpaligned_calloc(layout.align(), 1, layout.size()) }.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        attached();
        // SAFETY: the thread is attached; the caller promises a live block of this allocator.
        unsafe { rpfree(block.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        attached();
        // SAFETY: the thread is attached; the caller promises a live block of this allocator with that layout.
        unsafe { rpaligned_realloc(block.cast(), layout.align(), new_size, layout.size(), 0) }.cast()
    }
}

static RPMALLOC: FromGlobal<Rpmalloc> = FromGlobal::new("rpmalloc", Rpmalloc);

fn version() -> String {
    "1.4.3".to_owned()
}

/// rpmalloc reads the size from the head of the block's span, so it cannot be asked about foreign addresses: those have
/// been ruled out before, by the C library's counters.
fn owns(block: NonNull<u8>, size: usize) -> bool {
    // SAFETY: the block is rpmalloc's, as just said.
    unsafe { rpmalloc_usable_size(block.as_ptr().cast()) >= size }
}

pub(super) const ENTRY: Entry = Entry {
    name: "rpmalloc",
    about: "rpmalloc, the last release of its first line",
    version,
    open,
    reuses: true,
    proof: Proof::Own { asked: "rpmalloc_usable_size", owns },
};
