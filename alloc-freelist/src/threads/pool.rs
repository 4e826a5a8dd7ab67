//! All caches of the process: who has them, and what becomes of them when a thread ends.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::AtomicPtr;

use alloc_core::arith::align_up;
use alloc_core::backend::Backend;
use alloc_core::sync::RawLock;
use alloc_core::sync::static_atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cache::{Cache, NOBODY, State};
use super::word;
use crate::OsPages;
use crate::lock::Held;

/// Taken last of all locks, and for a few instructions.
static LOCK: RawLock = RawLock::new();

/// Every cache there is, the newest first. None ever leaves.
static ALL: AtomicPtr<Cache> = AtomicPtr::new(ptr::null_mut());

/// Caches that are nobody's, linked by `next`. Written with the lock held.
static POOLED: AtomicPtr<Cache> = AtomicPtr::new(ptr::null_mut());

/// Orphans, by their heap's number, modulo: where this is 0, nobody need look for any.
static ORPHANS: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

static PAGES: OsPages = crate::os_pages();

/// A number that no heap had before.
pub(super) fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Relaxed: only that no two calls get the same number matters.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn orphans(id: u64) -> &'static AtomicUsize {
    &ORPHANS[(id % ORPHANS.len() as u64) as usize]
}

/// Whether threads ended that had a cache of heap `id`. Perhaps not of that one; but if one did, then yes.
#[inline]
pub(super) fn may_have_orphans(id: u64) -> bool {
    // Relaxed: who ended before is seen by who knows that it did; others come later.
    orphans(id).load(Ordering::Relaxed) != 0
}

/// All caches of heap `id`.
pub(super) fn caches_of(id: u64) -> impl Iterator<Item = &'static Cache> {
    let load = |place: &AtomicPtr<Cache>| {
        // Acquire: whoever put a cache on the list had made it before.
        let cache = place.load(Ordering::Acquire);
        // SAFETY: null, or a cache, which is never unmapped.
        unsafe { cache.as_ref() }
    };
    core::iter::successors(load(&ALL), move |cache| load(&cache.next_of_all))
        // Acquire: what a thread did to the cache before it gave it this number is seen.
        .filter(move |cache| cache.id.load(Ordering::Acquire) == id)
}

/// A cache for a new thread of heap `id`, which has `budget` bytes to cache: an orphan of the heap with what is in it, an old
/// one, or a new one. With the heap's `claims` held, so that nobody else looks at orphans.
pub(super) fn obtain(id: u64, budget: usize) -> Option<&'static Cache> {
    let held = Held::acquire(&LOCK);
    if may_have_orphans(id) {
        if let Some(orphan) = caches_of(id).find(|cache| cache.is(State::Orphan)) {
            orphan.set_state(State::Owned);
            orphans(id).fetch_sub(1, Ordering::Relaxed);
            return Some(orphan);
        }
    }
    // Relaxed: written with the lock held.
    let pooled = POOLED.load(Ordering::Relaxed);
    // SAFETY: null, or a cache, which is never unmapped.
    let cache = match unsafe { pooled.as_ref() } {
        Some(cache) => {
            POOLED.store(cache.next.take().map_or(ptr::null_mut(), address), Ordering::Relaxed);
            cache.set_state(State::Owned);
            drop(held);
            cache
        }
        None => {
            drop(held);
            make()?
        }
    };
    cache.start(budget);
    // Release: who finds the number finds the cache in order.
    cache.id.store(id, Ordering::Release);
    Some(cache)
}

fn address(cache: &'static Cache) -> *mut Cache {
    ptr::from_ref(cache).cast_mut()
}

/// A new cache, owned, of no heap.
fn make() -> Option<&'static Cache> {
    let size = align_up(size_of::<Cache>(), PAGES.granule())?;
    let place = PAGES.allocate_span(size, align_of::<Cache>()).ok()?.start.cast::<Cache>();
    // SAFETY: a new span of that size and alignment, which is ours.
    unsafe { place.write(Cache::new()) };
    // SAFETY: written just now, and never unmapped.
    let cache: &'static Cache = unsafe { place.as_ref() };
    cache.choose_fence();
    cache.set_state(State::Owned);
    let _held = Held::acquire(&LOCK);
    // Relaxed: only changed with the lock held.
    cache.next_of_all.store(ALL.load(Ordering::Relaxed), Ordering::Relaxed);
    // Release: see `caches_of`.
    ALL.store(place.as_ptr(), Ordering::Release);
    Some(cache)
}

/// Puts a cache that its owner let go, and that is empty, among those for anybody. With the lock held.
fn put_back(cache: &'static Cache) {
    cache.id.store(NOBODY, Ordering::Relaxed);
    cache.set_state(State::Pooled);
    // SAFETY: null, or a cache, which is never unmapped.
    cache.next.set(unsafe { POOLED.load(Ordering::Relaxed).as_ref() });
    POOLED.store(address(cache), Ordering::Relaxed);
}

/// An orphan of heap `id` was emptied: it is for anybody. With the heap's `claims` held.
pub(super) fn retire_orphan(cache: &'static Cache, id: u64) {
    let _held = Held::acquire(&LOCK);
    if cache.is(State::Orphan) {
        orphans(id).fetch_sub(1, Ordering::Relaxed);
        put_back(cache);
    }
}

/// Heap `id` is gone, and with it what caches hold of it. Nobody uses the heap any more.
pub(super) fn forget(id: u64) {
    // Against threads that end meanwhile: they look at the number with this lock held.
    let _held = Held::acquire(&LOCK);
    for cache in caches_of(id) {
        if cache.is(State::Orphan) {
            orphans(id).fetch_sub(1, Ordering::Relaxed);
            put_back(cache);
        } else {
            // Its thread finds it without a heap, and uses it for another. Relaxed: nobody acts on the number but by
            // comparing it.
            cache.id.store(NOBODY, Ordering::Relaxed);
        }
    }
}

/// The key by which threads say that they end, plus one. 0 until there is one. Relaxed: a number, which orders nothing.
static KEY: AtomicUsize = AtomicUsize::new(0);

fn key() -> Option<libc::pthread_key_t> {
    if KEY.load(Ordering::Relaxed) == 0 {
        let mut key: libc::pthread_key_t = 0;
        // SAFETY: the place is ours, and the function has the signature asked for.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } != 0 {
            return None;
        }
        let answer = key as usize + 1;
        if KEY.compare_exchange(0, answer, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            // SAFETY: no thread has a value under it.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
    Some((KEY.load(Ordering::Relaxed) - 1) as libc::pthread_key_t)
}

/// Has the calling thread's end noticed. Whether that worked. May call the program's `malloc`: the word must be closed.
pub(super) fn notice_end() -> bool {
    // Not null, as null values are passed over.
    let value = ptr::from_ref(&KEY).cast::<c_void>();
    // SAFETY: a key of ours; the value is never followed.
    key().is_some_and(|key| unsafe { libc::pthread_setspecific(key, value) } == 0)
}

/// The calling thread ends: its caches become orphans, whose blocks go back to their heaps when these next need any, are
/// looked into, or get another thread. What it frees from here on goes to the heaps at once.
unsafe extern "C" fn thread_ends(_value: *mut c_void) {
    if word::is_closed() {
        return;
    }
    let mut next = word::front();
    word::close();
    while let Some(cache) = next {
        next = cache.next.take();
        let _held = Held::acquire(&LOCK);
        // Relaxed: changed by this thread, or with the lock held.
        let id = cache.id.load(Ordering::Relaxed);
        if id == NOBODY {
            put_back(cache);
        } else {
            cache.set_state(State::Orphan);
            orphans(id).fetch_add(1, Ordering::Relaxed);
        }
    }
}
