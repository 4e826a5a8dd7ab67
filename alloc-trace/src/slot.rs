//! Two words of thread-local storage: where a thread finds its record, and how many bytes it may allocate until its next sample
//! (`countdown`), which every allocation looks at while samples are taken.
//!
//! On x86-64 Linux the words are addressed as *initial exec*, by its offset from the thread pointer, in libraries as well as
//! in programs: `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate. The words are zero at
//! first, need no set-up and no destructor, and can be used from the first instruction of a thread to its last.

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
        ".p2align 3",
        ".globl strata_trace_left_0_1",
        ".hidden strata_trace_left_0_1",
        ".type strata_trace_left_0_1, @object",
        ".size strata_trace_left_0_1, 8",
        "strata_trace_left_0_1:",
        ".zero 8",
        ".popsection",
    );

    /// Takes an allocation's bytes off what is left. Whether less than nothing is, by the subtraction's own flag.
    #[inline(always)]
    pub(super) fn take_off(bytes: usize) -> bool {
        // SAFETY: the word lies at a constant offset from the thread pointer in every thread, and is the thread's own.
        unsafe {
            asm!(
                "mov rax, qword ptr [rip + strata_trace_left_0_1@GOTTPOFF]",
                "sub qword ptr fs:[rax], {bytes}",
                "jns {left}",
                bytes = in(reg) bytes,
                left = label { return false },
                out("rax") _,
                options(nostack),
            );
        }
        true
    }

    pub(super) fn left() -> i64 {
        let left;
        // SAFETY: as above.
        unsafe {
            asm!(
                "mov {left}, qword ptr [rip + strata_trace_left_0_1@GOTTPOFF]",
                "mov {left}, qword ptr fs:[{left}]",
                left = out(reg) left,
                options(readonly, nostack, preserves_flags),
            );
        }
        left
    }

    pub(super) fn set_left(left: i64) {
        // SAFETY: as above.
        unsafe {
            asm!(
                "mov {place}, qword ptr [rip + strata_trace_left_0_1@GOTTPOFF]",
                "mov qword ptr fs:[{place}], {left}",
                place = out(reg) _,
                left = in(reg) left,
                options(nostack, preserves_flags),
            );
        }
    }

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
        static LEFT: Cell<i64> = const { Cell::new(0) };
    }

    #[inline]
    pub(super) fn take_off(bytes: usize) -> bool {
        let left = LEFT.get().wrapping_sub_unsigned(bytes as u64);
        LEFT.set(left);
        left < 0
    }

    pub(super) fn left() -> i64 {
        LEFT.get()
    }

    pub(super) fn set_left(left: i64) {
        LEFT.set(left);
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

/// Takes an allocation's bytes off what the thread may allocate until its next sample. Whether the allocation needs a closer look:
/// [`Countdown::sample`](crate::countdown::Countdown::sample).
#[inline(always)]
pub(crate) fn passes(bytes: usize) -> bool {
    place::take_off(bytes)
}

/// What is left until the thread's next sample, as the closer look knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left;

impl crate::countdown::Left for Left {
    fn get(&self) -> i64 {
        place::left()
    }

    fn set(&self, left: i64) {
        place::set_left(left);
    }
}

/// The thread has a record from now on, which knows nothing of a countdown.
pub(crate) fn set(thread: &'static Thread) {
    place::set_left(0);
    place::write(ptr::from_ref(thread).expose_provenance());
}

pub(crate) fn end() {
    // As long as there is no record, each allocation is looked at.
    place::set_left(0);
    place::write(ENDING);
}
