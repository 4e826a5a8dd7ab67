//! What a thread keeps in thread-local storage: where it finds its caches.
//!
//! On x86-64 Linux the storage is addressed as *initial exec*, by its offset from the thread pointer, in libraries as well as
//! in programs: `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate. Const and without
//! destructors: no access allocates, registers anything, or fails, before and after a thread's own destructors.

use core::cell::Cell;

use super::slot::{CacheRef, NOBODY};

/// The cache of the instance in a `LibrarySlot`.
pub(crate) type Library = CacheRef;
/// A cache and its instance's number.
pub(super) type Entry = (u64, CacheRef);

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod place {
    use core::arch::{asm, global_asm};
    use core::marker::PhantomData;
    use core::mem::offset_of;

    use super::{Cell, Entry, Library, NOBODY};
    use crate::tcache::{FRESH, ThreadCache};

    #[repr(C)]
    struct Locals {
        library: [Cell<Library>; 2],
        recent: Cell<Entry>,
        others: Cell<[Entry; 3]>,
        closed: Cell<bool>,
    }

    const _: () = assert!(size_of::<Locals>() == 88 && NOBODY == u64::MAX);

    // Each thread's copy starts as this image of `Locals`: no cache, and none for nobody four times over.
    global_asm!(
        ".pushsection .tdata.strata_ptmalloc_thread_0_1,\"awT\",@progbits",
        ".p2align 3",
        ".globl strata_ptmalloc_thread_0_1",
        ".hidden strata_ptmalloc_thread_0_1",
        ".type strata_ptmalloc_thread_0_1, @object",
        ".size strata_ptmalloc_thread_0_1, 88",
        "strata_ptmalloc_thread_0_1:",
        ".quad {fresh}, {fresh}",
        ".quad -1, {fresh}",
        ".quad -1, {fresh}, -1, {fresh}, -1, {fresh}",
        ".quad 0",
        ".popsection",
        fresh = sym FRESH,
    );

    /// The calling thread's copy.
    #[inline(always)]
    fn locals() -> *const Locals {
        let locals;
        // SAFETY: the copy lies at a constant offset from the thread pointer, whose first word is itself.
        unsafe {
            asm!(
                "mov {place}, qword ptr fs:[0]",
                "add {place}, qword ptr [rip + strata_ptmalloc_thread_0_1@GOTTPOFF]",
                place = out(reg) locals,
                options(pure, readonly, nostack),
            );
        }
        locals
    }

    /// One of the copy's fields, with the methods of `std::thread::LocalKey`.
    #[derive(Debug)]
    pub(in super::super) struct Key<T>(usize, PhantomData<Cell<T>>);

    impl<T> Key<T> {
        const fn at(offset: usize) -> Self {
            Self(offset, PhantomData)
        }

        #[inline]
        pub(in super::super) fn with<R>(&self, work: impl FnOnce(&Cell<T>) -> R) -> R {
            // SAFETY: the field's offset.
            let field = unsafe { locals().byte_add(self.0) }.cast::<Cell<T>>();
            // SAFETY: the thread's own, there as long as the thread is, and of this type by the constants below.
            work(unsafe { &*field })
        }

        #[inline]
        pub(in super::super) fn set(&self, value: T) {
            self.with(|cell| cell.set(value));
        }

        #[inline]
        pub(in super::super) fn replace(&self, value: T) -> T {
            self.with(|cell| cell.replace(value))
        }
    }

    impl<T: Copy> Key<T> {
        #[inline]
        pub(in super::super) fn get(&self) -> T {
            self.with(Cell::get)
        }
    }

    /// `library(0).get()`, in two instructions.
    #[inline(always)]
    pub(crate) fn at_hand() -> Library {
        let cache: *const ThreadCache;
        // SAFETY: the first field of the copy, as in `locals`.
        unsafe {
            asm!(
                "mov {word}, qword ptr [rip + strata_ptmalloc_thread_0_1@GOTTPOFF]",
                "mov {word}, qword ptr fs:[{word}]",
                word = out(reg) cache,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        // SAFETY: only references to caches are stored.
        super::CacheRef(unsafe { &*cache })
    }

    /// The word at hand, 0, or the one out of reach, 1.
    #[inline(always)]
    pub(in super::super) fn library(word: usize) -> Key<Library> {
        Key::at(offset_of!(Locals, library) + (word & 1) * size_of::<Library>())
    }

    pub(in super::super) const RECENT: Key<Entry> = Key::at(offset_of!(Locals, recent));
    pub(in super::super) const OTHERS: Key<[Entry; 3]> = Key::at(offset_of!(Locals, others));
    pub(in super::super) const CLOSED: Key<bool> = Key::at(offset_of!(Locals, closed));
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
mod place {
    use super::{CacheRef, Cell, Entry, Library, NOBODY};
    use crate::tcache::FRESH;

    std::thread_local! {
        static AT_HAND: Cell<Library> = const { Cell::new(CacheRef(&FRESH)) };
        static OUT_OF_REACH: Cell<Library> = const { Cell::new(CacheRef(&FRESH)) };
        pub(in super::super) static RECENT: Cell<Entry> = const { Cell::new((NOBODY, CacheRef(&FRESH))) };
        pub(in super::super) static OTHERS: Cell<[Entry; 3]> = const { Cell::new([(NOBODY, CacheRef(&FRESH)); 3]) };
        pub(in super::super) static CLOSED: Cell<bool> = const { Cell::new(false) };
    }

    /// The word at hand, 0, or the one out of reach, 1.
    #[inline]
    pub(in super::super) fn library(word: usize) -> &'static std::thread::LocalKey<Cell<Library>> {
        if word == 0 { &AT_HAND } else { &OUT_OF_REACH }
    }

    #[inline]
    pub(crate) fn at_hand() -> Library {
        AT_HAND.get()
    }
}

pub(crate) use place::at_hand;
pub(super) use place::{CLOSED, OTHERS, RECENT, library};
