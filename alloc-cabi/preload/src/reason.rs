//! Why a program is not served.

use std::fmt;

/// Why a preloaded allocator does not serve a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is no ELF file.
    NotElf,
    /// It is made for another kind of processor than this one.
    OtherMachine,
    /// It was linked statically: there is no loader that could preload anything.
    Static,
    /// It runs with more rights than its user, so that the loader ignores what users preload.
    Secure,
    /// Its loader is not glibc's; the parameter is its path.
    ForeignLoader(String),
    /// It brings an allocator of its own; the parameter is that one's name.
    Embeds(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => f.write_str("it is no ELF executable"),
            Self::OtherMachine => f.write_str("it is made for another kind of processor"),
            Self::Static => f.write_str("it is linked statically, so that nothing can be preloaded"),
            Self::Secure => {
                f.write_str("it runs with more rights than you have, so that the loader preloads nothing")
            }
            Self::ForeignLoader(path) => write!(f, "its C library is not glibc (its loader is {path})"),
            Self::Embeds(allocator) => write!(f, "it brings an allocator of its own: {allocator}"),
        }
    }
}

impl std::error::Error for Reason {}
