//! The testkit put to the test: sound strategies pass it, and each of many faults is caught.

mod arena;
mod broken;
mod deaths;
mod defect;
mod driving;
mod hostile;
mod kept;
mod sound;
mod spans;
