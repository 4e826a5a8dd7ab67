//! Rules that were looked up before, by instruction.
//!
//! A table of pairs, one for the process. A pair is written without a lock: its first word is the address combined with
//! the second, so that a pair of which one half is another's does not match (Hyatt and Mann's lockless hashing for
//! transposition tables). Were two halves ever to match by chance, one stack would be wrong; reads stay within bounds.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use super::cfi;
use super::module::{self, Modules};
use super::rule::Rule;

const PAIRS: usize = 8192;

/// The table. Valid when all bytes are zero.
pub(crate) struct Rules {
    pairs: [[AtomicU64; 2]; PAIRS],
}

/// Set in the second word for a signal handler's frame.
const SIGNAL: u64 = 1 << 31;

impl Rules {
    /// The rule at `pc`, an address within an instruction, and whether the frame is a signal handler's.
    #[inline]
    pub(crate) fn at(&self, modules: &Modules, pc: usize) -> (Rule, bool) {
        let Some([first, second]) = self.pairs.get((pc ^ pc >> 13) % PAIRS) else {
            return (Rule::Unknown, false);
        };
        // Relaxed: the combination of both words proves that they belong together.
        let word = second.load(Ordering::Relaxed);
        if word != 0 && first.load(Ordering::Relaxed) ^ word == pc as u64 {
            return (Rule::unpack(word & !SIGNAL), word & SIGNAL != 0);
        }
        self.look_up(modules, pc)
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self, modules: &Modules, pc: usize) -> (Rule, bool) {
        let module = module::find(pc);
        if let Some(module) = &module
            && modules.note(module)
        {
            // Another module was there before: what was known of its instructions is wrong now.
            self.clear();
        }
        let found = module.and_then(|module| cfi::find(module.unwind?, pc));
        let found = found.unwrap_or(cfi::Found { rule: Rule::Unknown, signal: false });
        let word = found.rule.pack() | if found.signal { SIGNAL } else { 0 };
        if let Some([first, second]) = self.pairs.get((pc ^ pc >> 13) % PAIRS) {
            first.store(pc as u64 ^ word, Ordering::Relaxed);
            second.store(word, Ordering::Relaxed);
        }
        (found.rule, found.signal)
    }

    fn clear(&self) {
        for [_, second] in &self.pairs {
            second.store(0, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}
