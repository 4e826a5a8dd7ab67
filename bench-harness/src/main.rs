//! The program `strata`: the verbs behind `cargo matrix` and `cargo doctor`.

use std::process::ExitCode;

use bench_harness::{cli, switch};

#[global_allocator]
static GLOBAL: switch::Switch = switch::Switch;

/// The loader calls the functions of this table before `main`, when there is one thread and no allocation was made.
#[used]
#[unsafe(link_section = ".init_array")]
static CHOOSE: unsafe extern "C" fn() = switch::choose;

fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
