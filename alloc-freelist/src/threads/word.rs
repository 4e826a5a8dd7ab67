//! One word of thread-local storage: the cache that the thread used last.
//!
//! On x86-64 Linux the word is addressed as *initial exec*, by its offset from the thread pointer, in libraries as well as
//! in programs: `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate. Elsewhere it is a
//! thread-local of `std`, initialised at compile time and without a destructor; and without `std` no thread has caches.
//! Either can be used from a thread's first instruction to its last.

use core::ptr;

use super::cache::{Cache, ENDED};

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod place {
    use core::arch::{asm, global_asm};

    use super::Cache;

    global_asm!(
        ".pushsection .tbss.strata_freelist_word_0_1,\"awT\",@nobits",
        ".p2align 3",
        ".globl strata_freelist_word_0_1",
        ".hidden strata_freelist_word_0_1",
        ".type strata_freelist_word_0_1, @object",
        ".size strata_freelist_word_0_1, 8",
        "strata_freelist_word_0_1:",
        ".zero 8",
        ".popsection",
    );

    #[inline(always)]
    pub(super) fn read() -> *const Cache {
        let word;
        // SAFETY: the word lies at a constant offset from the thread pointer in every thread, and is the thread's own.
        unsafe {
            asm!(
                "mov {word}, qword ptr [rip + strata_freelist_word_0_1@GOTTPOFF]",
                "mov {word}, qword ptr fs:[{word}]",
                word = out(reg) word,
                options(readonly, nostack, preserves_flags),
            );
        }
        word
    }

    #[inline]
    pub(super) fn write(word: *const Cache) {
        // SAFETY: as for `read`; nobody else knows the word.
        unsafe {
            asm!(
                "mov {place}, qword ptr [rip + strata_freelist_word_0_1@GOTTPOFF]",
                "mov qword ptr fs:[{place}], {word}",
                place = out(reg) _,
                word = in(reg) word,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(all(feature = "std", not(all(target_arch = "x86_64", target_os = "linux", not(miri)))))]
mod place {
    use core::cell::Cell;

    use super::Cache;

    std::thread_local! {
        static WORD: Cell<*const Cache> = const { Cell::new(core::ptr::null()) };
    }

    #[inline(always)]
    pub(super) fn read() -> *const Cache {
        WORD.get()
    }

    #[inline]
    pub(super) fn write(word: *const Cache) {
        WORD.set(word);
    }
}

#[cfg(not(any(feature = "std", all(target_arch = "x86_64", target_os = "linux", not(miri)))))]
mod place {
    use super::Cache;

    #[inline(always)]
    pub(super) fn read() -> *const Cache {
        &raw const super::ENDED
    }

    #[inline]
    pub(super) fn write(_word: *const Cache) {}
}

/// The cache that the calling thread used last, the first on the list of its caches.
#[inline(always)]
pub(super) fn front() -> Option<&'static Cache> {
    // SAFETY: null, or what `set` was given: caches are never unmapped.
    unsafe { place::read().as_ref() }
}

/// Whether the calling thread has no caches now, and must not get any: it is ending, or about to get one.
pub(super) fn is_closed() -> bool {
    ptr::eq(place::read(), &raw const ENDED)
}

/// Makes a cache the first one of the calling thread.
pub(super) fn set(front: Option<&'static Cache>) {
    place::write(front.map_or(ptr::null(), ptr::from_ref));
}

/// Requests of the calling thread go without caches from now on.
pub(super) fn close() {
    place::write(&raw const ENDED);
}
