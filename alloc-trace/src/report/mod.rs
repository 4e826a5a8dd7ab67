//! Reading traces, and telling what is in them.
//!
//! A trace file ([`read_trace`]) or a log ([`read_log`]) becomes one [`Snapshot`], from which all exports are made, so
//! that they cannot disagree. Symbols are looked up here, in the files that the modules were loaded from, not in the
//! traced process.
//!
//! ```no_run
//! use alloc_trace::report::{self, Symbols};
//!
//! let snapshot = report::read_trace(&std::fs::read("trace.strata")?)?;
//! let mut symbols = Symbols::new();
//! print!("{}", report::leaks(&snapshot, &mut symbols));
//! std::fs::write("dhat.json", report::dhat(&snapshot, &mut symbols))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod build;
mod compress;
mod dhat;
mod firefox;
mod folded;
mod heaptrack;
mod html;
mod json;
mod leaks;
mod log;
mod pprof;
mod snapshot;
mod symbols;
mod trace;

pub use compress::{compress, expand};
pub use dhat::dhat;
pub use firefox::firefox;
pub use folded::{Figure, folded};
pub use heaptrack::heaptrack;
pub use html::html;
pub use json::json;
pub use leaks::leaks;
pub use log::read_log;
pub use pprof::pprof;
pub use snapshot::{Change, Frame, Module, Problems, Row, Snapshot, Totals};
pub use symbols::{Name, Symbols};
pub use trace::read_trace;

use std::string::String;

/// Why a file cannot be read, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Unreadable {}
