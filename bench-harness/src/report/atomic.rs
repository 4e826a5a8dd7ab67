//! Writing a file so that readers see the old one or the new one, whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Puts `content` at `path`: written to a hidden neighbour, made durable, then renamed over the old file. After an
/// error the old file is as it was and the neighbour is gone.
pub(super) fn write(path: &Path, content: &str) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    // In the same folder, because a rename is atomic only within one file system.
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    let written = fill(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell; that the neighbour may not exist is no news.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(path: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
