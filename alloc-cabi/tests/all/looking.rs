//! mallinfo, malloc_info, malloc_stats and show_alloc_mem.

use crate::support::{STRATEGIES, compile, run, under};

#[test]
fn looking_in_is_answered_truthfully() {
    let program = compile("look.c", "look", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        let output = run(&mut under(strategy, &program));
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{strategy}: {stderr}");
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
