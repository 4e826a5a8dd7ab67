//! How the process of a cell is started.

#![forbid(unsafe_code)]

use super::plan::Settings;
use super::work::{Group, Work};
use crate::cell::program::ProgramOrder;
use crate::cell::{Order, Preloaded};
use crate::contender::{Contender, Ours, Preload, Server};
use crate::registry::{self, Entry};
use crate::switch;
use crate::workload::Workload;

/// Variables of the user's that would have `libstrata.so` write something while it is measured.
pub(super) const CLEARED: [&str; 3] = ["STRATA_STATS", "STRATA_TRACE", "STRATA_VERBOSE"];

/// The share of the memory available that a row may take which never reuses any.
const SHARE: u64 = 4;

/// What one run of a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its figures.
    Timing,
    /// To see who serves a program, which may take the time to say so.
    Proof,
    /// Its memory over time, idle times included.
    Drawing,
}

/// The arguments and variables that make the harness's own binary run a cell.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Whether the memory to be looked at is that of the process's child.
    pub(super) by_child: bool,
}

impl Settings {
    /// Why a row cannot do a group's work with `available` bytes of memory; `None` when it can.
    pub(super) fn unsupported(&self, contender: &Contender, group: &Group, available: u64) -> Option<String> {
        let workload = match &group.work {
            Work::Program(_) => return self.under_program(&contender.server).err(),
            Work::Listed(workload) => workload,
        };
        if contender.reuses() {
            return None;
        }
        let order = self.order(contender, *workload, group.threads);
        let traffic = workload.traffic(&order.job(&self.inputs));
        (traffic > available / SHARE).then(|| {
            format!(
                "{} never reuses memory and would need {} MiB, more than a quarter of the {} MiB available",
                contender.label,
                traffic >> 20,
                available >> 20
            )
        })
    }

    /// How one run of a cell is started, and what for.
    pub(super) fn launch(
        &self,
        contender: &Contender,
        group: &Group,
        available: u64,
        purpose: Purpose,
    ) -> Result<Launch, String> {
        match &group.work {
            Work::Listed(workload) => {
                let mut order = self.order(contender, *workload, group.threads);
                order.idle = purpose == Purpose::Drawing;
                let arguments = order.arguments();
                let mut launch = Launch { arguments, environment: Vec::new(), by_child: false };
                match &contender.server {
                    Server::Linked(entry) => {
                        let variable =
                            (switch::VARIABLE.to_string_lossy().into_owned(), entry.name.to_owned());
                        launch.environment.push(variable);
                    }
                    Server::Preloaded(preload) => launch.preload(preload),
                }
                Ok(launch)
            }
            Work::Program(program) => {
                let server = self.under_program(&contender.server)?;
                let mut order = ProgramOrder::new(program, &server);
                let knows_strategy =
                    order.preloaded.as_ref().is_some_and(|library| library.strategy.is_some());
                order.figures = purpose == Purpose::Proof && knows_strategy;
                order.memory_limit = (!contender.reuses()).then_some(available / SHARE);
                Ok(Launch::program(&order))
            }
        }
    }

    fn order(&self, contender: &Contender, workload: &dyn Workload, threads: usize) -> Order {
        let strategy = match &contender.server {
            Server::Linked(entry) => entry.name,
            Server::Preloaded(_) => &contender.label,
        };
        Order {
            strategy: strategy.to_owned(),
            workload: workload.name().to_owned(),
            threads,
            scale: self.mode.scale(),
            seed: self.seed,
            idle: false,
            inputs: self.input_files.clone(),
            preloaded: Preloaded::of(&contender.server),
        }
    }

    /// What serves a row's programs: a strategy of ours does it out of `libstrata.so`.
    fn under_program(&self, server: &Server) -> Result<Server, String> {
        match server {
            Server::Preloaded(_) => Ok(server.clone()),
            Server::Linked(entry) if entry.name == registry::BASELINE => Ok(server.clone()),
            Server::Linked(entry) => self.library_for(entry),
        }
    }

    fn library_for(&self, entry: &Entry) -> Result<Server, String> {
        match (Ours::find(entry.name), &self.library) {
            (Some(ours), Some(library)) => {
                Ok(Server::Preloaded(Preload { library: library.clone(), strategy: Some(ours) }))
            }
            _ => Err(format!(
                "{0} is linked into the harness and cannot serve a program; give its library as --preload {0}=PATH",
                entry.name
            )),
        }
    }
}

impl Launch {
    /// For the proof of a preloaded library, without any work.
    pub(super) fn proof(preload: &Preload) -> Self {
        let mut arguments = vec!["serves".to_owned()];
        arguments.extend(Preloaded::from(preload).arguments());
        let mut launch = Self { arguments, environment: Vec::new(), by_child: false };
        launch.preload(preload);
        launch
    }

    /// Puts the process under a library.
    fn preload(&mut self, preload: &Preload) {
        let mut put = |name: &str, value: &str| self.environment.push((name.to_owned(), value.to_owned()));
        put(&switch::VARIABLE.to_string_lossy(), registry::BASELINE);
        preload.environment().iter().for_each(|(name, value)| put(name, value));
    }

    pub(super) fn program(order: &ProgramOrder) -> Self {
        Self { arguments: order.arguments(), environment: Vec::new(), by_child: true }
    }
}
