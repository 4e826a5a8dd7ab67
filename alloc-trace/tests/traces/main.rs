//! Traces of whole processes: this binary's global allocator is traced in the children that the tests start.

mod budget;
mod child;
mod counts;
mod exports;
mod totals;

use alloc_core::Libc;
use alloc_core::compat::Global;
use alloc_trace::{Counting, TRACER, Traced, Tracer};

#[global_allocator]
static GLOBAL: Global<Traced<Counting<Libc>, &Tracer>> =
    Global::new(Traced::new(Counting::new(Libc), &TRACER));
