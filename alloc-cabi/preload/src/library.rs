//! Whether a file is a library that can take the C library's allocator's place by being preloaded.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::reason::Reason;

/// Why a file cannot be preloaded as an allocator.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unusable {
    /// It is not there or cannot be read.
    Unreadable(io::Error),
    /// It is no ELF file, or a program.
    NotLibrary,
    /// It is made for another kind of processor than this one.
    OtherMachine,
    /// It offers no `malloc`.
    NoMalloc,
    /// The loader would take a part of its path for a separator.
    Separator,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::NotLibrary => f.write_str("it is no ELF shared object"),
            Self::OtherMachine => f.write_str("it is made for another kind of processor"),
            Self::NoMalloc => f.write_str("it defines no malloc"),
            Self::Separator => {
                f.write_str("its path has a space or a colon in it, where the loader divides lists")
            }
        }
    }
}

impl std::error::Error for Unusable {}

/// The full path of a library that offers `malloc` to the programs that it is preloaded into.
///
/// # Errors
/// Why the file is none.
pub fn allocator_library(path: &Path) -> Result<PathBuf, Unusable> {
    let path = path.canonicalize().map_err(Unusable::Unreadable)?;
    let mut bytes = Vec::new();
    File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(Unusable::Unreadable)?;
    let elf = Elf::parse(&bytes).map_err(|reason| match reason {
        Reason::OtherMachine => Unusable::OtherMachine,
        _ => Unusable::NotLibrary,
    })?;
    if !elf.is_shared_object() {
        return Err(Unusable::NotLibrary);
    }
    if !elf.exported().any(|name| name == b"malloc") {
        return Err(Unusable::NoMalloc);
    }
    if path.as_os_str().as_encoded_bytes().iter().any(|byte| b" :".contains(byte)) {
        return Err(Unusable::Separator);
    }
    Ok(path)
}
