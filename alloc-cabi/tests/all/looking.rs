//! mallinfo, malloc_info, malloc_stats and show_alloc_mem; and what strata.h has to look in by.

use crate::support::{STRATEGIES, compile, output, run, scratch, under};

#[test]
fn looking_in_is_answered_truthfully() {
    let program = compile("look.c", "look", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        let ran = run(&mut under(strategy, &program));
        let (stdout, stderr) =
            (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
        assert!(ran.status.success(), "{strategy}: {stderr}");
        assert!(stderr.starts_with("Arena 0:\nsystem bytes     = "), "{strategy}: {stderr}");
        assert!(stderr.contains("\nTotal (incl. mmap):\n"), "{strategy}: {stderr}");

        let (first, shown) = stdout.split_once('\n').unwrap();
        let (size, address) = first.split_once(" at ").unwrap();
        assert!(shown.ends_with(" bytes\nok\n"), "{strategy}: {shown}");
        match strategy {
            "libc" => assert!(shown.starts_with("libc: its blocks cannot be listed\nTotal : "), "{shown}"),
            // An arena knows one extent in use.
            "bump" => assert!(shown.starts_with("ZONE : 0x"), "{shown}"),
            _ => {
                let line = format!("{address} - ");
                let shown_size = format!(" : {size} bytes");
                let seen = |tail: &str| {
                    shown
                        .lines()
                        .any(|text| text.starts_with(&line) && text.ends_with(&format!("{shown_size}{tail}")))
                };
                assert!(seen("") && seen(", used"), "{strategy}: {first} is not in\n{shown}");
                let dump = format!("  {address}: 6C 6F 6F 6B 20 61 74 20 6D 65 00");
                assert!(shown.contains(&dump), "{strategy}: {dump} is not in\n{shown}");
            }
        }
    }
}

#[test]
fn addresses_history_leaks_and_maps_are_told_from_c() {
    let program = compile("inspect.c", "inspect", &["-fno-builtin"]);
    let file = scratch().join(format!("inspect-{}", std::process::id()));
    for strategy in STRATEGIES {
        assert_eq!(output(under(strategy, &program).arg(&file)), "ok\n", "{strategy}");
        let mut command = under(strategy, &program);
        command.arg(&file).env("STRATA_TRACE", "leaks:/dev/null").env("STRATA_HISTORY", "1000");
        assert_eq!(output(&mut command), "ok\n", "{strategy}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn leaks_are_told_when_the_program_ends() {
    let program = compile("threads.c", "threads", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        let run = run(under(strategy, &program).env("STRATA_TRACE", "leaks:fd=2"));
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success() && run.stdout == b"ok\n", "{strategy}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("live: ") && last.ends_with(" blocks allocated"), "{strategy}: {said}");
        // Every thread of this program frees what it took, but for what the C library keeps.
        let blocks: u64 = last.split(' ').nth(4).unwrap().parse().unwrap();
        assert!(blocks < 20, "{strategy}: {said}");
    }
}

#[test]
fn the_map_is_drawn_when_the_program_ends() {
    for (name, end) in
        [("map.txt", "every byte is accounted for\n"), ("map.svg", "</svg>\n"), ("map.html", "</html>\n")]
    {
        let place = scratch().join(format!("{}-{name}", std::process::id()));
        for strategy in ["ptmalloc", "freelist", "mem_io", "bump"] {
            assert_eq!(
                output(under(strategy, std::path::Path::new("/bin/true")).env("STRATA_MAP", &place)),
                ""
            );
            let drawn = std::fs::read_to_string(&place).unwrap();
            assert!(drawn.ends_with(end), "{strategy}: {drawn}");
        }
        // What cannot be walked is no empty file.
        output(under("libc", std::path::Path::new("/bin/true")).env("STRATA_MAP", &place));
        let drawn = std::fs::read_to_string(&place).unwrap();
        assert!(drawn.contains("cannot be walked"), "{name}: {drawn}");
        assert!(name == "map.txt" || drawn.ends_with(end), "{name}: {drawn}");
        std::fs::remove_file(place).unwrap();
    }
}
