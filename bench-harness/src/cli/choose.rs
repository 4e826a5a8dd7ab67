//! From names that users type to the things they name.

#![forbid(unsafe_code)]

use super::Refusal;
use crate::contender::{Contender, Server};
use crate::names;
use crate::registry::{self, Entry};
use crate::workload::{self, Workload};

/// The workloads of those names in the catalogue's order; all of them for no names.
pub(super) fn workloads(wanted: &[String]) -> Result<Vec<&'static dyn Workload>, Refusal> {
    let catalogue = workload::catalogue();
    let valid: Vec<&str> = catalogue.iter().map(|work| work.name()).collect();
    let wanted = known("workload", wanted, &valid)?;
    Ok(catalogue.iter().copied().filter(|work| wanted.is_empty() || wanted.contains(&work.name())).collect())
}

/// The strategies of those names in the registry's order; all of this build for no names.
pub(super) fn strategies(wanted: &[String]) -> Result<Vec<&'static Entry>, Refusal> {
    for name in wanted {
        compiled_in(name)?;
    }
    let wanted = known("strategy", wanted, &registry::names())?;
    Ok(registry::all().filter(|entry| wanted.is_empty() || wanted.contains(&entry.name)).collect())
}

/// The row of that name: a strategy of this build or one of `preloads`.
pub(super) fn baseline(name: &str, preloads: &[Contender]) -> Result<Contender, Refusal> {
    if let Some(contender) = preloads.iter().find(|contender| contender.label == name) {
        return Ok(contender.clone());
    }
    compiled_in(name)?;
    match registry::find(name.as_bytes()) {
        Some(entry) => Ok(Contender::linked(entry)),
        None => {
            let preloads = preloads.iter().map(|contender| contender.label.as_str());
            let valid: Vec<&str> = registry::names().into_iter().chain(preloads).collect();
            Err(names::unknown("baseline", name, &valid))
        }
    }
}

/// Refuses a baseline that programs cannot be run on.
pub(super) fn under_programs(baseline: &Contender) -> Result<(), Refusal> {
    match &baseline.server {
        Server::Linked(entry) if registry::PEERS.contains(&entry.name) => Err(format!(
            "the baseline {0} is linked into the harness and cannot serve a program; give its library as --preload NAME=PATH and NAME as the baseline",
            entry.name
        )),
        _ => Ok(()),
    }
}

/// Refuses peers that exist but are not in this build, with the way to get them.
fn compiled_in(name: &str) -> Result<(), Refusal> {
    if registry::PEERS.contains(&name) && registry::find(name.as_bytes()).is_none() {
        return Err(format!(
            "`{name}` is not in this build; add `--features {name}`, or `--features peers` for all"
        ));
    }
    Ok(())
}

/// The names without surrounding space, each of them valid.
fn known<'a>(kind: &str, wanted: &'a [String], valid: &[&str]) -> Result<Vec<&'a str>, Refusal> {
    let wanted = wanted.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    wanted
        .map(|name| if valid.contains(&name) { Ok(name) } else { Err(names::unknown(kind, name, valid)) })
        .collect()
}

/// Thread counts without repetition, in the order given.
pub(super) fn threads(wanted: &[u16]) -> Vec<usize> {
    let mut threads = Vec::new();
    for &count in wanted {
        if !threads.contains(&usize::from(count)) {
            threads.push(usize::from(count));
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_choose_and_no_names_choose_all() {
        assert_eq!(workloads(&[]).unwrap().len(), workload::catalogue().len());
        let two = workloads(&list(&["json", " churn "])).unwrap();
        assert_eq!(two.iter().map(|work| work.name()).collect::<Vec<_>>(), ["churn", "json"]);
        assert_eq!(strategies(&list(&["bump"])).unwrap().len(), 1);
        assert_eq!(strategies(&[]).unwrap().len(), registry::names().len());
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(workloads(&list(&["chrun"])).err().unwrap().contains("did you mean `churn`?"));
        assert!(strategies(&list(&["bmup"])).err().unwrap().contains("did you mean `bump`?"));
        assert!(baseline("sistem", &[]).err().unwrap().contains("did you mean `system`?"));
    }

    #[test]
    fn a_baseline_may_be_preloaded() {
        let mut contender = baseline("bump", &[]).unwrap();
        contender.label = "mine".to_owned();
        assert_eq!(baseline("mine", &[contender]).unwrap().label, "mine");
    }

    #[test]
    fn thread_counts_are_not_repeated() {
        assert_eq!(threads(&[8, 1, 8, 2]), [8, 1, 2]);
    }
}
