//! The reports: one [`Matrix`] in, five renderings out, which cannot disagree because none of them measures or decides
//! anything of its own.
//!
//! ```text
//! schema::Matrix ─► grid (who ran what) ─► summary (verdicts, geomeans, noise) ─► words (sentences shared by all)
//!                                                          │
//!                      json · csv · markdown · terminal · html ◄── svg (plots)
//! ```

#![forbid(unsafe_code)]

mod atomic;
mod csv;
mod escape;
mod format;
mod grid;
mod html;
mod json;
mod markdown;
pub mod summary;
mod svg;
pub mod terminal;
mod tips;
mod words;

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::schema::Matrix;

/// The files of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The value itself; every other file can be made from it.
    pub json: PathBuf,
    /// One row a cell, without timelines.
    pub csv: PathBuf,
    /// For pull requests.
    pub markdown: PathBuf,
    /// Plots and tables in one self-contained page.
    pub html: PathBuf,
}

impl Written {
    /// All paths, in the order written.
    #[must_use]
    pub fn paths(&self) -> [&Path; 4] {
        [&self.json, &self.csv, &self.markdown, &self.html]
    }
}

/// A report that could not be written.
#[derive(Debug)]
pub struct ReportError {
    path: PathBuf,
    source: io::Error,
}

impl ReportError {
    /// The file or folder that refused.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write the report file {}: {}", self.path.display(), self.source)
    }
}

impl Error for ReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Writes `matrix.json`, `matrix.csv`, `matrix.md` and `index.html` into `dir`, which is made if it is not there.
///
/// Every file is replaced as a whole or not at all, and nothing is replaced before all four have been rendered.
///
/// # Errors
///
/// The first file or folder that cannot be written; files written before it stay.
pub fn write_all(matrix: &Matrix, dir: &Path) -> Result<Written, ReportError> {
    let data = json::render(matrix);
    let page = html::render(matrix, &data);
    let table = csv::render(matrix);
    let comment = markdown::render(matrix);

    fs::create_dir_all(dir).map_err(|source| ReportError { path: dir.to_path_buf(), source })?;
    let put = |name: &str, content: &str| {
        let path = dir.join(name);
        match atomic::write(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError { path, source }),
        }
    };
    Ok(Written {
        json: put("matrix.json", &data)?,
        csv: put("matrix.csv", &table)?,
        markdown: put("matrix.md", &comment)?,
        html: put("index.html", &page)?,
    })
}
