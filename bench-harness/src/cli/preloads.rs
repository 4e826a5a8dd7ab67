//! The flag `--preload`: from `NAME=PATH` to rows of the matrix.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use strata_preload::allocator_library;

use super::Refusal;
use crate::contender::{Contender, Ours, Preload, Server};
use crate::names;
use crate::registry;

/// What stands for our own library, with the strategy after it.
const OWN: &str = "strata:";

/// The rows that these flags ask for. `library` gives the path of `libstrata.so` where one of them names it.
pub(super) fn rows(
    flags: &[String],
    library: &mut dyn FnMut() -> Result<PathBuf, Refusal>,
) -> Result<Vec<Contender>, Refusal> {
    if !flags.is_empty() {
        can_preload(cfg!(target_feature = "crt-static"))?;
    }
    let mut rows: Vec<Contender> = Vec::new();
    for flag in flags {
        let (label, wanted) = match flag.split_once('=') {
            Some((label, wanted)) => (label, wanted),
            None if flag.starts_with(OWN) => (flag.as_str(), flag.as_str()),
            None => {
                return Err(format!(
                    "`--preload {flag}` has no name for its row; write --preload NAME={flag}"
                ));
            }
        };
        free(label, &rows).map_err(|reason| format!("`--preload {flag}`: {reason}"))?;
        let preload = match wanted.strip_prefix(OWN) {
            Some(name) => {
                let Some(ours) = Ours::find(name) else {
                    return Err(names::unknown("strategy of libstrata.so", name, &Ours::names()));
                };
                Preload { library: library()?, strategy: Some(ours) }
            }
            None => {
                let library = allocator_library(Path::new(wanted))
                    .map_err(|reason| format!("cannot preload {wanted}: {reason}"))?;
                Preload { library, strategy: None }
            }
        };
        rows.push(Contender { label: label.to_owned(), server: Server::Preloaded(preload) });
    }
    Ok(rows)
}

/// The loader preloads nothing into programs that it does not load, and cells are this program.
fn can_preload(is_static: bool) -> Result<(), Refusal> {
    if is_static {
        return Err("this harness is linked statically, so that nothing can be preloaded into its cells; build it without \
                    crt-static"
            .to_owned());
    }
    Ok(())
}

/// Whether a row can have that name.
fn free(label: &str, rows: &[Contender]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:+".contains(c);
    if label.is_empty() || !label.chars().all(plain) {
        return Err("the name of a row has letters, digits and _-.:+ in it, and nothing else".to_owned());
    }
    if registry::names().contains(&label) || registry::PEERS.contains(&label) {
        return Err(format!("`{label}` is the name of a strategy; choose another"));
    }
    if label.ends_with("-again") {
        return Err(
            "names that end in -again are for the second row of the baseline; choose another".to_owned()
        );
    }
    if rows.iter().any(|row| row.label == label) {
        return Err(format!("there are two rows `{label}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Vec<Contender>, Refusal> {
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        rows(&flags, &mut || Ok("/lib/libstrata.so".into()))
    }

    #[test]
    fn our_own_library_is_named_by_strategy() {
        let rows = parse(&["strata:freelist", "old=strata:ptmalloc_classic"]).unwrap();
        assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["strata:freelist", "old"]);
        let Server::Preloaded(preload) = &rows[1].server else { panic!("not preloaded") };
        assert_eq!(preload.library, Path::new("/lib/libstrata.so"));
        assert_eq!(preload.strategy, Ours::find("ptmalloc_classic"));
    }

    #[test]
    fn a_static_harness_preloads_nothing() {
        assert_eq!(can_preload(false), Ok(()));
        assert_eq!(
            can_preload(true).unwrap_err(),
            "this harness is linked statically, so that nothing can be preloaded into its cells; build it without \
             crt-static"
        );
    }

    #[test]
    fn names_that_would_be_confused_are_refused() {
        let refused = |flags: &[&str]| parse(flags).unwrap_err();
        assert!(refused(&["bump=strata:bump"]).ends_with("`bump` is the name of a strategy; choose another"));
        assert!(
            refused(&["jemalloc=/x.so"]).ends_with("`jemalloc` is the name of a strategy; choose another")
        );
        assert!(refused(&["a-again=/x.so"]).contains("-again"));
        assert!(refused(&["=/x.so"]).contains("letters, digits"));
        assert!(refused(&["a b=/x.so"]).contains("letters, digits"));
        assert!(refused(&["a=strata:bump", "a=strata:libc"]).ends_with("there are two rows `a`"));
        assert_eq!(
            refused(&["/lib/x.so"]),
            "`--preload /lib/x.so` has no name for its row; write --preload NAME=/lib/x.so"
        );
        assert_eq!(
            refused(&["a=strata:freelst"]),
            "unknown strategy of libstrata.so `freelst`; did you mean `freelist`? `--list` shows all"
        );
    }
}
