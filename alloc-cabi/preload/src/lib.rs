//! Whether a preloaded allocator will serve a program.
//!
//! The loader preloads libraries into programs that have one, and ignores the wish for programs with more rights than
//! their user. Some programs bring an allocator of their own, which a preloaded one does not replace. [`examine`] tells
//! all of these apart by looking at the program's file, without running it. [`allocator_library`] does the same for the
//! library that is to be preloaded.
//!
//! ```
//! use strata_preload::{Verdict, examine};
//!
//! match examine("/bin/true".as_ref()) {
//!     Ok(Verdict::Served) => println!("a preloaded allocator serves it"),
//!     Ok(Verdict::Refused(reason)) => println!("not served: {reason}"),
//!     Err(error) => println!("cannot be read: {error}"),
//! }
//! ```

mod elf;
mod library;
mod marks;
mod reason;
mod rights;
mod search;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

pub use library::{Unusable, allocator_library};
pub use reason::Reason;
pub use search::find_program;

use elf::Elf;

/// What a preloaded allocator can do for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It serves every request that the program makes of the C library's allocator.
    Served,
    /// It does not, or not all of them.
    Refused(Reason),
}

/// Scripts may name scripts as their interpreters; Linux follows as many.
const INTERPRETERS: usize = 4;

/// Examines a program: an executable, or a script, for which its interpreter is examined.
///
/// # Errors
/// When a file cannot be read.
pub fn examine(program: &Path) -> io::Result<Verdict> {
    let mut program = program.to_path_buf();
    for _ in 0..INTERPRETERS {
        let Some(interpreter) = interpreter_of(&program)? else { break };
        program = interpreter;
    }
    let mut bytes = Vec::new();
    File::open(&program)?.read_to_end(&mut bytes)?;
    let reason = Elf::parse(&bytes).and_then(|elf| {
        if !elf.has_loader() {
            return Err(Reason::Static);
        }
        if rights::gains_rights(&program) {
            return Err(Reason::Secure);
        }
        if let Some(loader) = elf.foreign_loader() {
            return Err(Reason::ForeignLoader(loader));
        }
        marks::embedded(&elf, &bytes).map_or(Ok(()), |allocator| Err(Reason::Embeds(allocator)))
    });
    Ok(match reason {
        Ok(()) => Verdict::Served,
        Err(reason) => Verdict::Refused(reason),
    })
}

/// The program that the first line of a script names.
fn interpreter_of(program: &Path) -> io::Result<Option<PathBuf>> {
    let mut line = Vec::new();
    // As much of the line as Linux looks at.
    BufReader::new(File::open(program)?.take(256)).read_until(b'\n', &mut line)?;
    let Some(rest) = line.strip_prefix(b"#!") else { return Ok(None) };
    let text = String::from_utf8_lossy(rest);
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return Ok(None) };
    if !first.ends_with("/env") {
        return Ok(Some(first.into()));
    }
    let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
    Ok(named.and_then(|name| find_program(name.as_ref())))
}
