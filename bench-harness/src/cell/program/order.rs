//! What the harness asks of the process that runs a program.

#![forbid(unsafe_code)]

use clap::Args;

use crate::cell::Preloaded;
use crate::contender::Server;
use crate::programs::Program;

/// Variables that would preload something else, or make `libstrata.so` write something: not passed on to programs.
pub(super) const CLEARED: [&str; 5] =
    ["LD_PRELOAD", "STRATA_STRATEGY", "STRATA_STATS", "STRATA_TRACE", "STRATA_VERBOSE"];

/// One run of a program, as the arguments of the hidden verb `program`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ProgramOrder {
    /// The library that must serve it, if any.
    #[command(flatten)]
    pub preloaded: Option<Preloaded>,
    /// Have `libstrata.so` say at the program's end which strategy served: not for a run that is timed.
    #[arg(long, requires = "library")]
    pub figures: bool,
    /// Bytes of data that the program may have.
    #[arg(long)]
    pub memory_limit: Option<u64>,
    /// `NAME=VALUE` for the program's environment.
    #[arg(long = "variable")]
    pub variables: Vec<String>,
    /// The program's file and its arguments.
    #[arg(last = true, required = true)]
    pub words: Vec<String>,
}

impl ProgramOrder {
    /// One run of a program on what serves a row; `None` where that cannot be put under a program.
    #[must_use]
    pub fn new(program: &Program, server: &Server) -> Self {
        let variables = match server {
            Server::Linked(_) => Vec::new(),
            Server::Preloaded(preload) => preload.environment(),
        };
        Self {
            preloaded: Preloaded::of(server),
            figures: false,
            memory_limit: None,
            variables: variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            words: program.words.clone(),
        }
    }

    /// The arguments that give this order to the binary.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["program".to_owned()];
        if let Some(preloaded) = &self.preloaded {
            arguments.extend(preloaded.arguments());
        }
        if self.figures {
            arguments.push("--figures".to_owned());
        }
        if let Some(limit) = self.memory_limit {
            arguments.extend(["--memory-limit".to_owned(), limit.to_string()]);
        }
        for variable in &self.variables {
            arguments.extend(["--variable".to_owned(), variable.clone()]);
        }
        arguments.push("--".to_owned());
        arguments.extend(self.words.iter().cloned());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Verb {
        #[command(flatten)]
        order: ProgramOrder,
    }

    #[test]
    fn an_order_survives_the_command_line() {
        let preloaded =
            Preloaded { library: "/lib/libstrata.so".to_owned(), strategy: Some("freelist".to_owned()) };
        let order = ProgramOrder {
            preloaded: Some(preloaded),
            figures: true,
            memory_limit: Some(1 << 40),
            variables: vec!["LD_PRELOAD=/lib/libstrata.so".to_owned(), "STRATA_CONF=a:1,b:2".to_owned()],
            words: ["/bin/sh", "-c", "echo -- \"$0\"", "--figures"].map(str::to_owned).to_vec(),
        };
        let plain = ProgramOrder {
            preloaded: None,
            figures: false,
            memory_limit: None,
            variables: Vec::new(),
            words: vec!["/bin/true".to_owned()],
        };
        for order in [order, plain] {
            assert_eq!(Verb::try_parse_from(order.arguments()).unwrap().order, order);
        }
    }
}
