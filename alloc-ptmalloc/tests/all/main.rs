//! The tests of alloc-ptmalloc, through its front door.

mod conformance;
mod deaths;
mod eras;
mod figures;
mod forks;
mod hostile;
mod huge;
mod perturb;
mod process;
mod sizes;
mod support;
mod threads;
mod tune;
