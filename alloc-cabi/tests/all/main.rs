//! The built library, under C and C++ programs and under the system's own.

mod death;
mod guards;
mod handle;
mod interface;
mod limits;
mod looking;
mod program;
mod settings;
mod support;
mod symbols;
mod tracing;
