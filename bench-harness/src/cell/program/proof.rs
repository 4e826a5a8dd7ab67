//! Did the preloaded library serve the program?
//!
//! What is looked at is what the program had mapped when it ended. A program that defines no `malloc` of its own (others
//! are refused before anything is measured) gets that of the first library which the loader finds one in, and preloaded
//! libraries come first: hence a library that defines `malloc` and is mapped with rights to execute serves it.
//! `libstrata.so` is asked, in one run that is not timed, for the name of its strategy as well: it says that at the end of a
//! program, and, for programs that leave by `_exit` or are killed, on standard error when it begins to serve.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cell::Preloaded;

/// Says in one line how it was shown that the library, or without one the C library itself, served; or why it was not.
pub(super) fn mapped(preloaded: Option<&Preloaded>, maps: Option<&str>) -> Result<String, String> {
    let maps = maps.ok_or("the program ended without a last look at its memory")?;
    match preloaded {
        Some(preloaded) if executes(maps, &preloaded.library) => {
            Ok("the library was mapped at the program's end, and the loader looks for malloc there first"
                .to_owned())
        }
        Some(preloaded) => Err(format!("{} was not mapped when the program ended", preloaded.library)),
        None => {
            let is_libc =
                |line: &str| line.rsplit('/').next().is_some_and(|name| name.starts_with("libc.so.6"));
            if maps.lines().any(is_libc) {
                Ok("nothing was preloaded, and the C library was mapped at the program's end".to_owned())
            } else {
                Err("no libc.so.6 was mapped when the program ended".to_owned())
            }
        }
    }
}

/// Whether a file is mapped with rights to execute, in the form of `/proc/PID/maps`.
fn executes(maps: &str, file: &str) -> bool {
    maps.lines().any(|line| {
        let mut words = line.splitn(6, ' ');
        let rights = words.nth(1).unwrap_or_default();
        rights.contains('x') && words.nth(3).map(str::trim_start) == Some(file)
    })
}

/// A file that `libstrata.so` writes a line to when a program ends.
pub(super) struct Figures(PathBuf);

impl Figures {
    pub(super) fn asked() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("strata-figures-{}", std::process::id()));
        // Lines are added at the end: what another process with this number left must not be there.
        fs::write(&path, "").map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Says how the file shows that the strategy served the process, or why it does not.
    /// `begun` is the first line that came on the program's standard error.
    pub(super) fn prove(
        &self,
        process: u32,
        strategy: &str,
        begun: Option<String>,
    ) -> Result<String, String> {
        let text = fs::read_to_string(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))?;
        judge(&text, process, strategy, begun.as_deref().unwrap_or_default())
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        // A file that stays behind does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

fn judge(text: &str, process: u32, strategy: &str, begun: &str) -> Result<String, String> {
    let begin = format!("{{\"pid\":{process},\"strategy\":\"");
    let said = text.lines().find_map(|line| line.strip_prefix(&begin)?.split('"').next());
    let end = said.map(|name| (name, "at the program's end that", "had served it"));
    let begun = begun.strip_prefix("strata: strategy = ").and_then(|rest| rest.split(' ').next());
    let begun = begun.map(|name| (name, "when the program began that", "would serve it"));
    match end.or(begun) {
        Some((name, when, what)) => {
            let line = format!("libstrata.so said {when} {name} {what}");
            if name == strategy { Ok(line) } else { Err(line) }
        }
        None => Err("libstrata.so said nothing, neither when the program began nor at its end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
7f00-7f01 r--p 00000000 08:01 11                         /usr/lib/libx.so\n\
7f01-7f02 r-xp 00001000 08:01 11                         /usr/lib/libx.so\n\
7f02-7f03 r-xp 00000000 08:01 12                         /usr/lib/x86_64-linux-gnu/libc.so.6\n\
7f03-7f04 r--p 00000000 08:01 13                         /usr/lib/data only.so\n\
7f04-7f05 rw-p 00000000 00:00 0 \n";

    fn preloaded(library: &str) -> Preloaded {
        Preloaded { library: library.to_owned(), strategy: None }
    }

    #[test]
    fn the_map_tells_what_was_there() {
        assert!(mapped(Some(&preloaded("/usr/lib/libx.so")), Some(MAPS)).is_ok());
        for other in ["/usr/lib/data only.so", "/usr/lib/liby.so", "/lib/libx.so", ""] {
            let reason = mapped(Some(&preloaded(other)), Some(MAPS)).unwrap_err();
            assert_eq!(reason, format!("{other} was not mapped when the program ended"));
        }
        assert!(mapped(None, Some(MAPS)).is_ok());
        assert!(mapped(None, Some("")).is_err());
        assert!(mapped(None, None).is_err());
    }

    #[test]
    fn the_figures_tell_the_strategy_of_the_process_itself() {
        let text = "{\"pid\":7,\"strategy\":\"libc\",\"reserved\":1}\n{\"pid\":70,\"strategy\":\"bump\"}\n";
        assert!(judge(text, 70, "bump", "").is_ok());
        assert_eq!(
            judge(text, 7, "bump", "strata: strategy = bump (STRATA_STRATEGY)").unwrap_err(),
            "libstrata.so said at the program's end that libc had served it"
        );
        assert!(judge(text, 8, "bump", "strata: strategy = bump (STRATA_STRATEGY)").is_ok());
        assert_eq!(
            judge(text, 8, "bump", "strata: strategy = libc (the default)").unwrap_err(),
            "libstrata.so said when the program began that libc would serve it"
        );
        assert!(judge(text, 8, "bump", "another line").unwrap_err().starts_with("libstrata.so said nothing"));
    }
}
