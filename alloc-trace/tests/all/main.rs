//! The tests of alloc-trace.

mod budget;
mod conformance;
mod deaths;
mod decorators;
mod forwarding;
mod history;
mod log;
mod look;
mod sinks;
mod support;
