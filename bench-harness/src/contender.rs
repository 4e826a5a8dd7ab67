//! Who serves a row of the matrix: a strategy that is linked into the harness, or a library that is preloaded.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use crate::registry::Entry;

/// One row of every group, under the name that the report shows.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The name in the report.
    pub label: String,
    /// Who serves it.
    pub server: Server,
}

/// Who serves a row.
#[derive(Clone, Debug)]
pub enum Server {
    /// A strategy or peer of this build, as the global allocator of the cell's process.
    Linked(&'static Entry),
    /// A library that takes the C library's place.
    Preloaded(Preload),
}

/// A library to be preloaded, and what to tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preload {
    /// Its full path.
    pub library: PathBuf,
    /// For our own library: which of its strategies is to serve.
    pub strategy: Option<&'static Ours>,
}

/// A strategy of `libstrata.so`, as users name it here and as the library is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Ours {
    /// The name users type, the same as that of the strategy that is linked in.
    pub name: &'static str,
    /// The value of `STRATA_STRATEGY`.
    pub strategy: &'static str,
    /// What is added to `STRATA_CONF`.
    pub settings: &'static str,
    /// Whether freed memory is used again.
    pub reuses: bool,
}

const fn ours(name: &'static str, strategy: &'static str, settings: &'static str) -> Ours {
    Ours { name, strategy, settings, reuses: true }
}

/// The strategies of `libstrata.so`.
pub static OURS: [Ours; 7] = [
    ours("libc", "libc", ""),
    ours("ptmalloc", "ptmalloc", ""),
    ours("ptmalloc_modern", "ptmalloc", "era:modern"),
    ours("ptmalloc_classic", "ptmalloc", "era:classic"),
    ours("freelist", "freelist", ""),
    ours("mem_io", "mem_io", ""),
    Ours { name: "bump", strategy: "bump", settings: "", reuses: false },
];

impl Contender {
    /// A row for a strategy of this build.
    #[must_use]
    pub fn linked(entry: &'static Entry) -> Self {
        Self { label: entry.name.to_owned(), server: Server::Linked(entry) }
    }

    /// Whether freed memory is used again, as far as is known.
    #[must_use]
    pub fn reuses(&self) -> bool {
        match &self.server {
            Server::Linked(entry) => entry.reuses,
            Server::Preloaded(preload) => preload.strategy.is_none_or(|ours| ours.reuses),
        }
    }
}

impl Ours {
    /// The strategy of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        OURS.iter().find(|ours| ours.name == name)
    }

    /// The names of all, in the order shown.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        OURS.iter().map(|ours| ours.name).collect()
    }
}

impl Preload {
    /// What the environment of a process must hold, beside what the user has there.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("LD_PRELOAD", self.library.to_string_lossy().into_owned())];
        if let Some(ours) = self.strategy {
            variables.push(("STRATA_STRATEGY", ours.strategy.to_owned()));
            if !ours.settings.is_empty() {
                let users = std::env::var("STRATA_CONF").unwrap_or_default();
                let divider = if users.is_empty() { "" } else { "," };
                variables.push(("STRATA_CONF", format!("{users}{divider}{}", ours.settings)));
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn the_library_has_every_strategy_that_is_linked_in() {
        let linked = registry::names().into_iter().filter(|name| !registry::PEERS.contains(name));
        for name in linked.filter(|&name| name != registry::BASELINE) {
            let ours = Ours::find(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(registry::find(name.as_bytes()).unwrap().reuses, ours.reuses, "{name}");
        }
        assert!(Ours::find("tcmalloc").is_none());
    }

    #[test]
    fn a_library_of_others_gets_its_path_alone() {
        let mut preload = Preload { library: "/lib/other.so".into(), strategy: None };
        assert_eq!(preload.environment(), [("LD_PRELOAD", "/lib/other.so".to_owned())]);
        preload.strategy = Ours::find("ptmalloc_modern");
        let variables = preload.environment();
        assert_eq!(variables[1], ("STRATA_STRATEGY", "ptmalloc".to_owned()));
        assert!(variables[2].0 == "STRATA_CONF" && variables[2].1.ends_with("era:modern"), "{variables:?}");
    }
}
