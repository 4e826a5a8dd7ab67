//! The environment, as the library reads it in a process. What is read is tested where it is read.

use crate::support::{STRATEGIES, clean, library, run, under};
use std::path::Path;
use std::process::Command;

fn stderr(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stderr).unwrap()
}

fn truth() -> &'static Path {
    Path::new("/bin/true")
}

#[test]
fn nothing_is_said_unasked() {
    for strategy in STRATEGIES {
        assert_eq!(stderr(&mut under(strategy, truth())), "", "{strategy}");
    }
    assert_eq!(stderr(clean(truth()).env("LD_PRELOAD", library())), "");
    assert_eq!(stderr(clean(truth()).env_clear().env("LD_PRELOAD", library())), "");
}

#[test]
fn an_impossible_configuration_is_one_line_and_the_program_runs() {
    let said = stderr(&mut under("freelst", truth()));
    assert_eq!(
        said,
        "strata: no strategy 'freelst'; did you mean 'freelist'? The program goes on with its own allocator\n"
    );
    let said = stderr(under("freelist", truth()).env("STRATA_CONF", "arena_maxx:3"));
    assert_eq!(said, "strata: STRATA_CONF: no key 'arena_maxx'; did you mean 'arena_max'?\n");
    let said = stderr(under("freelist", truth()).env("STRATA_STAT", "1"));
    assert_eq!(said, "strata: STRATA_STAT: no such variable; did you mean STRATA_STATS?\n");
}

#[test]
fn verbose_shows_what_holds_and_where_it_is_from() {
    let mut command = under("mem_io", truth());
    command.env("STRATA_VERBOSE", "1").env("MALLOC_ARENA_MAX", "3").env("STRATA_CONF", "check:2");
    assert_eq!(
        stderr(&mut command),
        "strata: strategy = mem_io (its variable)\n\
         strata: check = 2 (STRATA_CONF)\n\
         strata: perturb = 0 (default)\n\
         strata: arena_max = 3 (glibc's variable), not used by mem_io\n"
    );
}

#[test]
fn verbose_shows_the_tuning_of_ptmalloc() {
    let mut command = clean(truth());
    command.env("LD_PRELOAD", library()).env("STRATA_VERBOSE", "1");
    command
        .env("STRATA_CONF", "era:modern,mmap_threshold:1M")
        .env("GLIBC_TUNABLES", "glibc.malloc.arena_max=0x2");
    assert_eq!(
        stderr(&mut command),
        "strata: strategy = ptmalloc (default)\n\
         strata: check = 1 (default)\n\
         strata: perturb = 0 (default)\n\
         strata: era = modern (STRATA_CONF)\n\
         strata: arena_max = 2 (GLIBC_TUNABLES)\n\
         strata: mmap_threshold = 1048576 (STRATA_CONF)\n"
    );
}

#[test]
fn figures_when_the_program_ends() {
    for strategy in STRATEGIES {
        let table = stderr(under(strategy, truth()).env("STRATA_STATS", "1"));
        assert!(table.starts_with(&format!("strata: {strategy}, when the program ended:\n")), "{table}");
        assert_eq!(table.lines().count(), 14, "{table}");

        let json = stderr(under(strategy, truth()).env("STRATA_STATS", "json"));
        assert!(json.starts_with("{\"pid\":") && json.ends_with("}\n"), "{json}");
        assert!(json.contains(&format!("\"strategy\":\"{strategy}\",\"reserved\":")), "{json}");

        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stats-{}", std::process::id()));
        for _ in 0..2 {
            assert_eq!(stderr(under(strategy, truth()).env("STRATA_STATS", &file)), "");
        }
        let lines = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(lines.lines().filter(|line| line.contains(strategy)).count(), 2, "{lines}");
    }
    let said = stderr(under("bump", truth()).env("STRATA_STATS", "/nonexistent/file"));
    assert_eq!(said, "strata: STRATA_STATS: the file cannot be opened for writing\n");
}

#[test]
fn a_missing_library_is_the_loaders_one_line() {
    let said = stderr(clean(truth()).env("LD_PRELOAD", "/nonexistent/libstrata.so"));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("/nonexistent/libstrata.so") && said.contains("ignored"), "{said}");
}

/// Mappings of `cat` for which huge pages were asked, as the kernel says.
fn huge(conf: &str) -> usize {
    let mut command = under("ptmalloc", Path::new("/bin/cat"));
    let output = run(command.arg("/proc/self/smaps").env("STRATA_CONF", conf));
    assert!(output.status.success() && output.stderr.is_empty(), "{conf}: {}", output.status);
    let smaps = String::from_utf8(output.stdout).unwrap();
    smaps.lines().filter(|line| line.starts_with("VmFlags:") && line.contains(" hg")).count()
}

#[test]
fn huge_pages_are_asked_for_as_the_key_says() {
    if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        eprintln!("not run: this kernel has no huge pages");
        return;
    }
    assert_eq!(["huge_pages:0", "huge_pages:1", ""].map(huge), [0, 0, 0], "`cat` needs little");
    assert!(huge("huge_pages:2") > 0);
}
