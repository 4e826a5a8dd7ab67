//! Programs that the library cannot serve: they run on their own allocator, and what would refuse them is known before.

use crate::support::{clean, compile, library, output, under};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use strata_preload::{Reason, Verdict, examine};

/// Nobody's number.
const NOBODY: u32 = 65534;

#[test]
fn a_static_program_runs_on_its_own_allocator() {
    let program = compile("static.c", "static", &["-static"]);
    assert_eq!(output(&mut under("freelist", &program)), "ok\n");
    assert_eq!(examine(&program).unwrap(), Verdict::Refused(Reason::Static));
}

#[test]
fn the_programs_of_these_tests_are_served() {
    assert_eq!(examine(&compile("exhaust.c", "exhaust", &["-fno-builtin"])).unwrap(), Verdict::Served);
}

/// A copy of a program that everybody may run with nobody's rights; `None` where files cannot be given away.
fn for_nobody(program: &Path, folder: &Path, name: &str) -> Option<PathBuf> {
    let copy = folder.join(name);
    fs::copy(program, &copy).unwrap();
    chown(&copy, Some(NOBODY), None).ok()?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    Some(copy)
}

/// A folder that everybody may read, which is gone in the end.
struct Shared(PathBuf);

impl Shared {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("strata-secure-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_program_with_more_rights_is_not_preloaded_and_reads_no_settings() {
    let folder = Shared::new();
    let copy = folder.0.join("libstrata.so");
    fs::copy(library(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();

    // Preloaded, and with the library as one that it needs, which the loader takes then too.
    let preloaded = compile("secure.c", "secure", &["-fno-builtin"]);
    let search = format!("-L{}", folder.0.display());
    let path = format!("-Wl,-rpath,{}", folder.0.display());
    let linked = compile(
        "secure.c",
        "secure-linked",
        &["-fno-builtin", &search, &path, "-Wl,--no-as-needed", "-lstrata"],
    );
    let run = |program: &Path| {
        output(
            clean(program)
                .env("LD_PRELOAD", &copy)
                .env("STRATA_STRATEGY", "bump")
                .env("STRATA_CONF", "nonsense"),
        )
    };
    let mut said = under("bump", &linked);
    assert_eq!(output(&mut said), "secure 0 bump\n", "without more rights it reads its settings");

    let Some(preloaded) = for_nobody(&preloaded, &folder.0, "preloaded") else { return };
    let linked = for_nobody(&linked, &folder.0, "linked").unwrap();
    assert_eq!(examine(&preloaded).unwrap(), Verdict::Refused(Reason::Secure));
    let preloaded = run(&preloaded);
    // A file system may be mounted so that nobody gains rights there.
    if preloaded.starts_with("secure 1 ") {
        assert_eq!(preloaded, "secure 1 none\n");
        assert_eq!(run(&linked), "secure 1 ptmalloc\n");
    }
}
