//! Programs of the user's as workloads: from the command that was typed to a program that can be run.

#![forbid(unsafe_code)]

mod split;

use std::path::PathBuf;

use strata_preload::{Verdict, examine, find_program};

/// A program that is run as a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name in the report, unlike that of any other workload of the run.
    pub name: String,
    /// The command as the user typed it.
    pub command: String,
    /// The command's words; the first is the program's file.
    pub words: Vec<String>,
}

/// The programs that these commands name, each of which a preloaded allocator would serve.
///
/// # Errors
/// One line on the first command that cannot be run so.
pub fn find(commands: &[String], taken: &[&str]) -> Result<Vec<Program>, String> {
    let mut found: Vec<Program> = Vec::new();
    for command in commands {
        let (words, file) =
            resolve(command).map_err(|reason| format!("cannot run the program `{command}`: {reason}"))?;
        let own =
            file.file_name().map_or_else(|| command.clone(), |name| name.to_string_lossy().into_owned());
        let is_free = |name: &str| !taken.contains(&name) && found.iter().all(|program| program.name != name);
        let numbered = (2..).map(|number| format!("{own}-{number}"));
        let name =
            std::iter::once(own.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or_default();
        found.push(Program { name, command: command.clone(), words });
    }
    Ok(found)
}

/// The words of a command, the first of them the path of its program.
fn resolve(command: &str) -> Result<(Vec<String>, PathBuf), String> {
    let mut words = split::words(command)?;
    let first = words.first_mut().ok_or("it is empty")?;
    let file =
        find_program(first.as_ref()).ok_or_else(|| format!("there is no program `{first}` in PATH"))?;
    match examine(&file) {
        Ok(Verdict::Served) => {}
        Ok(Verdict::Refused(reason)) => {
            return Err(format!("a preloaded allocator would not serve it: {reason}"));
        }
        Err(error) => return Err(format!("{}: {error}", file.display())),
    }
    *first = file.to_string_lossy().into_owned();
    Ok((words, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(commands: &[&str]) -> Vec<String> {
        commands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn programs_are_found_and_named() {
        let found = find(&list(&["/bin/echo 'a b'", "echo c", "/bin/echo d"]), &["echo"]).unwrap();
        let names: Vec<&str> = found.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["echo-2", "echo-3", "echo-4"]);
        assert_eq!(found[0].words, ["/bin/echo", "a b"]);
        assert!(found[1].words[0].ends_with("/echo"), "{:?}", found[1].words);
        assert_eq!(found[0].command, "/bin/echo 'a b'");
    }

    #[test]
    fn what_cannot_be_run_is_told() {
        let refused = |command: &str| find(&list(&[command]), &[]).unwrap_err();
        assert_eq!(refused(" "), "cannot run the program ` `: it is empty");
        assert_eq!(
            refused("no-such-program-here x"),
            "cannot run the program `no-such-program-here x`: there is no program `no-such-program-here` in PATH"
        );
        assert!(
            refused("/no/such/file").starts_with("cannot run the program `/no/such/file`: /no/such/file: ")
        );
        assert_eq!(refused("echo 'a"), "cannot run the program `echo 'a`: a quote is not closed");
    }
}
