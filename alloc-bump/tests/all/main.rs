//! The tests of alloc-bump.

mod conformance;
