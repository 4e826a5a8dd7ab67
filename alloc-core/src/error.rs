//! The one error of every request for memory.

use core::fmt;

/// The request could not be served: memory is exhausted, a limit was reached, or the layout is beyond what the
/// strategy can serve. Nothing was changed, and a later request may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory allocation failed")
    }
}

impl core::error::Error for AllocError {}
