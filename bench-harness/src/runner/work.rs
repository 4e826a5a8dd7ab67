//! What the rows of a group are compared on: a workload of the catalogue at a thread count, or a program.

#![forbid(unsafe_code)]

use std::fmt;

use crate::programs::Program;
use crate::workload::Workload;

/// Work that every row does.
#[derive(Clone)]
pub(crate) enum Work {
    Listed(&'static dyn Workload),
    Program(Program),
}

/// The strategies in it are compared with each other.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) work: Work,
    /// 0 for a program.
    pub(crate) threads: usize,
}

impl Group {
    pub(crate) fn program(program: &Program) -> Self {
        Self { work: Work::Program(program.clone()), threads: 0 }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.work {
            Work::Listed(workload) => workload.name(),
            Work::Program(program) => &program.name,
        }
    }

    pub(crate) fn is_program(&self) -> bool {
        matches!(self.work, Work::Program(_))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.name(), self.threads)
    }
}
