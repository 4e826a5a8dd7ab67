//! The tests of alloc-trace.

mod conformance;
mod deaths;
mod decorators;
mod forwarding;
mod history;
mod log;
mod look;
mod support;
