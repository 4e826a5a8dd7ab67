//! A program is run twice on the C library's own allocator before anything is measured: what ends differently by itself
//! could not be compared.

#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use super::launch::Launch;
use super::process;
use crate::cell::program::ProgramOrder;
use crate::contender::Server;
use crate::programs::Program;
use crate::registry;

/// What the user should know about the program, if anything.
///
/// # Errors
/// One line on why it cannot be a workload.
pub fn rehearse(program: &Program, timeout: Duration) -> Result<Option<String>, String> {
    let refuse = |reason: String| format!("cannot measure the program `{}`: {reason}", program.command);
    let system = registry::find(registry::BASELINE.as_bytes()).ok_or("this build has no system")?;
    let launch = Launch::program(&ProgramOrder::new(program, &Server::Linked(system)));
    let run = || process::run(Path::new(super::ITSELF), &launch, timeout, None).answer;
    let first = run().map_err(refuse)?;
    let second = run().map_err(refuse)?;
    if first.ended.starts_with("killed") {
        return Err(refuse(format!("on the system's own allocator it is {}", first.ended)));
    }
    if first.checksum != second.checksum {
        return Err(refuse(format!(
            "two runs on the system's own allocator differ ({}, then {}, digests {:016x} and {:016x}); only a repeatable output can be compared",
            first.ended, second.ended, first.checksum, second.checksum
        )));
    }
    let failed = !first.ended.starts_with("exit status 0 ");
    Ok(failed
        .then(|| format!("`{}` ends with {} on the system's own allocator.", program.command, first.ended)))
}
