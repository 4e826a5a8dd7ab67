//! The mark of a cached block.
//!
//! A block that sits in a magazine holds this number in its second word: so that a double free is seen before anything is
//! written, and a walk can tell cached blocks from blocks in use without asking any thread. A live block may hold the
//! same number by chance or malice; so it only ever starts a closer look.

use core::sync::atomic::AtomicUsize;

use alloc_core::sync::static_atomic::Ordering;

/// 0 until it is known. Relaxed: whoever finds 0 derives the same number.
static KEY: AtomicUsize = AtomicUsize::new(0);

/// The key of this process: derived from what the loader and the kernel place at random.
#[inline]
pub(crate) fn key() -> usize {
    match KEY.load(Ordering::Relaxed) {
        0 => derive(),
        key => key,
    }
}

#[cold]
fn derive() -> usize {
    // The 16 bytes that the kernel gives every program, and where the program and its stack lie.
    // SAFETY: a query without effect.
    let given = unsafe { libc::getauxval(libc::AT_RANDOM) };
    let mut mixed = (&raw const KEY).addr() ^ 0x9e37_79b9_7f4a_7c15;
    if let Some(bytes) =
        core::ptr::NonNull::new(core::ptr::with_exposed_provenance_mut::<u64>(given as usize))
    {
        // SAFETY: where the kernel gives an address here, 16 readable bytes are there for the life of the process. They
        // need not be aligned.
        let word = unsafe { bytes.read_unaligned() };
        // Multiplied, so that the loader's own canary, which is these bytes, cannot be read off the key.
        mixed ^= (word as usize).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }
    // Odd: never 0, and no address of a block.
    let key = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) | 1;
    KEY.store(key, Ordering::Relaxed);
    key
}
