//! Real input: shipped with the harness, or the user's own.
//!
//! Shipped input is part of the binary and the user's is a mapped file, so that neither lies in memory of the strategy
//! under test.

mod check;
mod map;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::workload::Inputs;

/// The inputs in this crate's `inputs/`, where a README tells their origins.
pub const fn shipped() -> Inputs {
    Inputs {
        json: include_bytes!("../../inputs/document.json"),
        text: include_bytes!("../../inputs/text.txt"),
        patterns: include_bytes!("../../inputs/patterns.txt"),
        lines: include_bytes!("../../inputs/lines.txt"),
    }
}

/// The shipped inputs, with the user's files in their place: a JSON document for the document, any other file for the
/// text and the lines. Of several files of one kind the last counts. A file counts as JSON when it is named `.json`,
/// or when it starts with a bracket or brace and all of it is valid.
///
/// The files stay mapped until the process ends. They must not be cut short meanwhile: the workload that reads beyond
/// the new end would be ended by a signal.
///
/// # Errors
///
/// For a file that cannot be read, is empty or is no regular file, and for one named `.json` that is not valid.
pub fn load(paths: &[PathBuf]) -> Result<Inputs, InputError> {
    let mut inputs = shipped();
    for path in paths {
        let bytes = map::map(path).map_err(|reason| InputError { path: path.clone(), reason })?;
        match check::json(bytes) {
            Ok(()) if named_json(path) || check::is_structured(bytes) => inputs.json = bytes,
            Err(error) if named_json(path) => {
                return Err(InputError { path: path.clone(), reason: Reason::Json(error) });
            }
            _ => (inputs.text, inputs.lines) = (bytes, bytes),
        }
    }
    Ok(inputs)
}

fn named_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// A file given as input that cannot be used. Shown as one line that names the file and says why.
#[derive(Debug)]
pub struct InputError {
    path: PathBuf,
    reason: Reason,
}

/// Why a file cannot be used.
#[derive(Debug)]
enum Reason {
    Unreadable(std::io::Error),
    Directory,
    NotAFile,
    Empty,
    Json(serde_json::Error),
}

impl fmt::Display for InputError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Unreadable(error) => write!(out, "cannot read input '{path}': {error}"),
            Reason::Directory => write!(out, "input '{path}' is a directory; give a file"),
            Reason::NotAFile => write!(out, "input '{path}' is a pipe or a device; give a regular file"),
            Reason::Empty => write!(out, "input '{path}' is empty"),
            // The error ends with its line and column.
            Reason::Json(error) => write!(out, "input '{path}' is not valid JSON: {error}"),
        }
    }
}

impl std::error::Error for InputError {}
