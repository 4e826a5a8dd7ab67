//! The verb `doctor` with a program: one line, and a status that tells.

use serde_json::Value;

use crate::made::compiled;
use crate::program::{Folder, strata};

const MAIN: &str = "int main(void) { return 0; }";

#[test]
fn a_program_that_would_be_served() {
    let run = strata(&["doctor", "/bin/true"], &[]);
    assert_eq!((run.status, run.errors.as_str()), (0, ""));
    assert_eq!(run.output, "/bin/true: libstrata.so would serve everything that it asks of malloc\n");
    let run = strata(&["doctor", "sh", "--json"], &[]);
    let json: Value = serde_json::from_str(&run.output).unwrap();
    assert_eq!((&json["served"], &json["reason"]), (&Value::from(true), &Value::from("")));
    assert!(json["program"].as_str().unwrap().ends_with("/sh"), "{json}");
}

#[test]
fn programs_that_would_not() {
    let folder = Folder::new();
    let embeds = format!("void *_rjem_malloc(unsigned long n) {{ return (void *)n; }} {MAIN}");
    for (name, source, flags, reason) in [
        ("static", MAIN, &["-static"][..], "it is linked statically, so that nothing can be preloaded"),
        ("embeds", embeds.as_str(), &[][..], "it brings an allocator of its own: jemalloc"),
        (
            "foreign",
            MAIN,
            &["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"][..],
            "its C library is not glibc (its loader is /lib/ld-musl-x86_64.so.1)",
        ),
    ] {
        let program = compiled(&folder, name, source, flags);
        let path = program.to_str().unwrap();
        let run = strata(&["doctor", path], &[]);
        assert_eq!((run.status, run.errors.as_str()), (1, ""), "{name}");
        assert_eq!(
            run.output,
            format!("{path}: would run on its own allocator under libstrata.so: {reason}\n")
        );
        let run = strata(&["doctor", "--json", path], &[]);
        let json: Value = serde_json::from_str(&run.output).unwrap();
        assert_eq!(
            (run.status, &json["served"], &json["reason"]),
            (1, &Value::from(false), &Value::from(reason))
        );
    }
}

#[test]
fn programs_that_gain_rights() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let folder = Folder::new();
    let program = compiled(&folder, "secure", MAIN, &[]);
    // Only who may give files away can make a program of somebody else's.
    if chown(&program, Some(12345), None).is_err() {
        return;
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let run = strata(&["doctor", program.to_str().unwrap()], &[]);
    assert_eq!(run.status, 1);
    assert!(run.output.ends_with("so that the loader preloads nothing\n"), "{}", run.output);
}

#[test]
fn what_cannot_be_examined() {
    let folder = Folder::new();
    let text = folder.path().join("text");
    std::fs::write(&text, "no program").unwrap();
    let text = text.to_str().unwrap();
    let refused = |name: &str| strata(&["doctor", name], &[]).refusal().to_owned();
    assert_eq!(refused("no-such-program-here"), "there is no program `no-such-program-here` in PATH");
    assert_eq!(
        refused("/no/such/file"),
        "cannot examine /no/such/file: No such file or directory (os error 2)"
    );
    assert_eq!(refused(text), format!("cannot examine {text}: it is no ELF executable"));
}
