//! The tests of alloc-freelist.

mod combinations;
mod conformance;
mod deaths;
mod fits;
mod growing;
mod hostile;
mod mem_io;
mod regions;
mod steps;
mod support;
mod threads;
