//! The reports of one synthetic run, read back.

#[path = "report/arithmetic.rs"]
mod arithmetic;
#[path = "report/content.rs"]
mod content;
#[path = "report/files.rs"]
mod files;
#[path = "report/sample.rs"]
mod sample;
