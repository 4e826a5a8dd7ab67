//! One word of thread-local storage: where a thread finds its record.
//!
//! On x86-64 Linux the word is addressed as *initial exec*, by its offset from the thread pointer, in libraries as well as
//! in programs: `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate. The word is zero at
//! first, needs no set-up and no destructor, and can be used from the first instruction of a thread to its last.

use core::ptr;

use crate::thread::Thread;

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod place {
    use core::arch::{asm, global_asm};

    global_asm!(
        ".pushsection .tbss.strata_trace_thread_0_1,\"awT\",@nobits",
        ".p2align 3",
        ".globl strata_trace_thread_0_1",
        ".hidden strata_trace_thread_0_1",
        ".type strata_trace_thread_0_1, @object",
        ".size strata_trace_thread_0_1, 8",
        "strata_trace_thread_0_1:",
        ".zero 8",
        ".popsection",
    );

    #[inline(always)]
    pub(super) fn read() -> usize {
        let word;
        // SAFETY: the word lies at a constant offset from the thread pointer in every thread, and is the thread's own.
        unsafe {
            asm!(
                "mov {word}, qword ptr [rip + strata_trace_thread_0_1@GOTTPOFF]",
                "mov {word}, qword ptr fs:[{word}]",
                word = out(reg) word,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        word
    }

    pub(super) fn write(word: usize) {
        // SAFETY: as for `read`; nobody else knows the word.
        unsafe {
            asm!(
                "mov {place}, qword ptr [rip + strata_trace_thread_0_1@GOTTPOFF]",
                "mov qword ptr fs:[{place}], {word}",
                place = out(reg) _,
                word = in(reg) word,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
mod place {
    use core::cell::Cell;

    std::thread_local! {
        // Const and without a destructor: no access allocates or registers anything.
        static WORD: Cell<usize> = const { Cell::new(0) };
    }

    #[inline]
    pub(super) fn read() -> usize {
        WORD.get()
    }

    pub(super) fn write(word: usize) {
        WORD.set(word);
    }
}

/// What a thread's word says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// The thread has a record.
    Here(&'static Thread),
    /// It never had one.
    Fresh,
    /// It had one and is ending.
    Ending,
}

const ENDING: usize = 1;

#[inline(always)]
pub(crate) fn get() -> Word {
    match place::read() {
        0 => Word::Fresh,
        ENDING => Word::Ending,
        // SAFETY: `set` exposed the address of a record, which lives as long as the process.
        record => Word::Here(unsafe { &*ptr::with_exposed_provenance::<Thread>(record) }),
    }
}

/// The thread's record, if it has one, by one comparison.
#[inline(always)]
pub(crate) fn here() -> Option<&'static Thread> {
    let word = place::read();
    // SAFETY: as above: neither of the two words that are no records.
    (word > ENDING).then(|| unsafe { &*ptr::with_exposed_provenance::<Thread>(word) })
}

pub(crate) fn set(thread: &'static Thread) {
    place::write(ptr::from_ref(thread).expose_provenance());
}

pub(crate) fn end() {
    place::write(ENDING);
}
