//! What the methods without `try_` do when there is no memory.

/// The value, or [`exhausted`].
#[inline(always)]
pub(crate) fn expect<T>(result: Result<T, alloc_core::AllocError>) -> T {
    match result {
        Ok(value) => value,
        Err(alloc_core::AllocError) => exhausted(),
    }
}

/// A panic, as for every other broken expectation: `alloc::alloc::handle_alloc_error` needs the crate `alloc`, which this
/// one does without, and aborts where the caller may well have a smaller request to fall back on.
#[cold]
#[inline(never)]
#[track_caller]
fn exhausted() -> ! {
    panic!("arena exhausted: its memory source, buffer or limit has no room for the request")
}
