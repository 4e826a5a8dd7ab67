//! Words of thread-local storage: where a thread finds its record, and how many bytes it may allocate until its next sample
//! (`countdown`), which every allocation looks at while samples are taken.
//!
//! Of the latter there are several, of which each trace uses another: what threads have left of the last trace, at another rate maybe,
//! says nothing in the next one, and nobody can take it from them. Words are zero when their turn comes, as a thread that looks
//! closer clears all others; but that of a thread that has not looked closer in any of the traces between.
//!
//! On x86-64 Linux the words are addressed as *initial exec*, by its offset from the thread pointer, in libraries as well as
//! in programs: `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate. The words are zero at
//! first, need no set-up and no destructor, and can be used from the first instruction of a thread to its last.

use core::ptr;

use crate::thread::Thread;

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod place {
    use core::arch::{asm, global_asm};
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::WORDS;

    /// Where this trace's word lies, from the thread pointer. Set before a trace that takes samples is on, and used by those who find
    /// it on.
    static LEFT: AtomicUsize = AtomicUsize::new(0);

    const _: () = assert!(WORDS * 8 == 64);

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
        ".size strata_trace_left_0_1, 64",
        "strata_trace_left_0_1:",
        ".zero 64",
        ".popsection",
    );

    /// Takes an allocation's bytes off what is left. Whether less than nothing is, by the subtraction's own flag.
    #[inline(always)]
    pub(super) fn take_off(bytes: usize) -> bool {
        // SAFETY: the word lies at a constant offset from the thread pointer in every thread, and is the thread's own.
        unsafe {
            asm!(
                "mov rax, qword ptr [rip + {left}]",
                "sub qword ptr fs:[rax], {bytes}",
                "js {less}",
                left = sym LEFT,
                bytes = in(reg) bytes,
                less = label { return true },
                out("rax") _,
                options(nostack),
            );
        }
        false
    }

    /// Where the words lie, from the thread pointer.
    fn words() -> usize {
        let words;
        // SAFETY: reads the constant offset.
        unsafe {
            asm!(
                "mov {words}, qword ptr [rip + strata_trace_left_0_1@GOTTPOFF]",
                words = out(reg) words,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        words
    }

    pub(super) fn choose(word: usize) {
        LEFT.store(words().wrapping_add(word % WORDS * 8), Ordering::Relaxed);
    }

    pub(super) fn left() -> i64 {
        let left;
        // SAFETY: as above.
        unsafe {
            asm!(
                "mov {left}, qword ptr fs:[{place}]",
                place = in(reg) LEFT.load(Ordering::Relaxed),
                left = out(reg) left,
                options(readonly, nostack, preserves_flags),
            );
        }
        left
    }

    /// Sets this trace's word, and clears the others.
    pub(super) fn set_left(left: i64) {
        let chosen = LEFT.load(Ordering::Relaxed);
        for word in 0..WORDS {
            let place = words().wrapping_add(word * 8);
            let value = if place == chosen { left } else { 0 };
            // SAFETY: as above.
            unsafe {
                asm!(
                    "mov qword ptr fs:[{place}], {value}",
                    place = in(reg) place,
                    value = in(reg) value,
                    options(nostack, preserves_flags),
                );
            }
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
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::WORDS;

    std::thread_local! {
        // Const and without a destructor: no access allocates or registers anything.
        static WORD: Cell<usize> = const { Cell::new(0) };
        static LEFT: [Cell<i64>; WORDS] = const { [const { Cell::new(0) }; WORDS] };
    }

    /// Which is this trace's word.
    static CHOSEN: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn choose(word: usize) {
        CHOSEN.store(word % WORDS, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn take_off(bytes: usize) -> bool {
        LEFT.with(|words| {
            let word = &words[CHOSEN.load(Ordering::Relaxed) % WORDS];
            word.set(word.get().wrapping_sub_unsigned(bytes as u64));
            word.get() < 0
        })
    }

    pub(super) fn left() -> i64 {
        LEFT.with(|words| words[CHOSEN.load(Ordering::Relaxed) % WORDS].get())
    }

    /// Sets this trace's word, and clears the others.
    pub(super) fn set_left(left: i64) {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        LEFT.with(|words| {
            for (word, place) in words.iter().enumerate() {
                place.set(if word == chosen { left } else { 0 });
            }
        });
    }

    #[inline]
    pub(super) fn read() -> usize {
        WORD.get()
    }

    pub(super) fn write(word: usize) {
        WORD.set(word);
    }
}

/// Traces until a word is used again.
const WORDS: usize = 8;

/// A trace that takes samples is about to be on: its number says which word it uses.
pub(crate) fn begin_samples(number: u32) {
    place::choose(number as usize);
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
