//! A number that other processes and the program's data do not know.

use core::sync::atomic::{AtomicU64, Ordering};

/// 0 until it is known. Relaxed: whoever finds 0 derives the same number.
static KEY: AtomicU64 = AtomicU64::new(0);

/// The key of this process: derived from what the loader and the kernel place at random.
#[inline]
pub(crate) fn key() -> u64 {
    match KEY.load(Ordering::Relaxed) {
        0 => derive(),
        key => key,
    }
}

#[cold]
fn derive() -> u64 {
    // SAFETY: a query without effect.
    let given = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
    let mut mixed = (&raw const KEY).addr() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    if given != 0 {
        let bytes = core::ptr::with_exposed_provenance::<u64>(given);
        // SAFETY: where the kernel gives an address here, 16 readable bytes are there for the life of the process. They
        // need not be aligned.
        mixed ^= mix(unsafe { bytes.read_unaligned() });
    }
    let key = mix(mixed) | 1;
    KEY.store(key, Ordering::Relaxed);
    key
}

/// Spreads every bit of a word over all of it (the finaliser of Vigna's SplitMix64).
#[inline]
pub(crate) const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
