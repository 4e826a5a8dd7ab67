//! What a trace says is what happened.

use alloc_trace::format::event::{Last, Record};
use alloc_trace::format::{BLOCK_HEADER, BlockHeader, FILE_HEADER, Kind, TIME_SHIFT};
use alloc_trace::report::{self, Symbols};

use crate::child::run;

#[test]
fn totals_are_exact_on_many_threads() {
    let run = run("threads");
    let snapshot = run.snapshot();
    let counted = run.counted.as_ref().unwrap();
    let totals = &snapshot.totals;
    // Frees of what was allocated before the trace began are no fault.
    let faults: Vec<_> =
        snapshot.warnings().into_iter().filter(|line| !line.contains("frees are of")).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(totals.allocs, counted.allocs + counted.resizes, "{counted:?}");
    let unknown = snapshot.problems.unknown_frees;
    assert_eq!(totals.frees + unknown, counted.frees + counted.resizes, "{counted:?}");
    assert_eq!(totals.allocs - totals.frees, totals.live);
    assert_eq!(snapshot.problems.missed_frees, 0);
    let sum: u64 = snapshot.rows.values().map(|row| row.alloc_bytes).sum();
    assert_eq!(sum, totals.alloc_bytes);
    let peak: u64 = snapshot.rows.values().map(|row| row.peak_bytes).sum();
    assert_eq!(peak, totals.peak_bytes);
    assert!(snapshot.rows.keys().all(|&stack| snapshot.addresses(stack).len() > 3));
    let events = totals.allocs + totals.frees + unknown;
    let bytes = without_times(&run.bytes());
    assert!(bytes < events * 7, "{bytes} bytes for {events} events");
}

/// Bytes of a trace whose events all have the time of their block: what times take depends on what else the machine does.
fn without_times(bytes: &[u8]) -> u64 {
    let mut count = FILE_HEADER as u64;
    let mut rest = &bytes[FILE_HEADER..];
    while !rest.is_empty() {
        let header = BlockHeader::from_bytes(rest).unwrap();
        let (block, behind) = rest.split_at(BLOCK_HEADER + header.length as usize);
        rest = behind;
        if header.kind != Kind::Events {
            count += block.len() as u64;
            continue;
        }
        count += BLOCK_HEADER as u64;
        let mut payload = &block[BLOCK_HEADER..];
        let mut decoder = Last { time: header.base >> TIME_SHIFT, ..Last::default() };
        let mut encoder = Last::default();
        while !payload.is_empty() {
            let (_, mut record) = decoder.decode(&mut payload).unwrap();
            if let Record::Resize { before, .. } = &mut record {
                *before = 0;
            }
            encoder.encode(0, &record, |_| count += 1);
        }
    }
    count
}

/// Frees of one burst share a time; one of a block that another thread was given since must not.
#[test]
fn frees_that_share_a_time_stay_behind_their_allocations() {
    let run = run("bursts");
    let snapshot = run.snapshot();
    let (totals, problems) = (&snapshot.totals, &snapshot.problems);
    let counted = run.counted.as_ref().unwrap();
    assert_eq!(totals.allocs, counted.allocs + counted.resizes);
    assert_eq!(totals.frees + problems.unknown_frees, counted.frees + counted.resizes);
    assert_eq!(problems.missed_frees, 0);
    assert!(problems.unknown_frees < 100 && totals.live < 100, "{problems:?} {totals:?}");
    let frees: Vec<_> = snapshot.changes.iter().filter(|change| !change.alloc && change.size == 48).collect();
    let shared = frees
        .windows(2)
        .filter(|pair| pair[0].thread == pair[1].thread && pair[0].nanos == pair[1].nanos)
        .count();
    assert!(shared > 900, "{shared} of {} frees share a time: the test proves nothing", frees.len());
}

/// Times between two frees of a size, in milliseconds, as the trace has them.
fn pauses(snapshot: &alloc_trace::report::Snapshot, size: u64) -> Vec<u64> {
    let frees: Vec<u64> = snapshot
        .changes
        .iter()
        .filter(|change| !change.alloc && change.size == size)
        .map(|change| change.nanos)
        .collect();
    frees.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect()
}

/// So early a free may be shown, and no earlier: by three small blocks' frees before it. The thread slept 30 ms at least behind
/// each: the coarse clock has moved.
#[test]
fn frees_behind_pauses_are_shown_there_but_for_a_few() {
    let snapshot = run("pauses").snapshot();
    let large = pauses(&snapshot, 5000);
    assert!(large.len() == 4 && large.iter().all(|&millis| millis >= 29), "{large:?}");
    let small = pauses(&snapshot, 31);
    assert_eq!(small.len(), 39);
    let mut in_a_row = 0;
    for &millis in &small {
        in_a_row = if millis == 0 { in_a_row + 1 } else { 0 };
        assert!(in_a_row <= 3 && (millis == 0 || millis >= 29), "{small:?}");
    }
    // What four frees took is between the first and the fifth.
    assert!(small.iter().sum::<u64>() >= 36 * 29, "{small:?}");
}

#[test]
fn leaks_are_told_with_their_stack() {
    let snapshot = run("leaks").snapshot();
    let mut symbols = Symbols::new();
    let (&number, _) = snapshot.rows.iter().find(|(_, row)| row.live_bytes == 10_000).unwrap();
    let names = symbols.stack(&snapshot, number);
    let [inner, outer] = ["child::inlined", "child::leaky"]
        .map(|name| names.iter().find(|(_, found)| found.function.ends_with(name)).expect(name).0);
    assert_eq!(inner, outer, "the function was not inlined: the test proves nothing");
    let text = report::leaks(&snapshot, &mut symbols);
    let leak =
        text.split("\n").position(|line| line == "10000 bytes in 10 blocks, allocated at").expect(&text);
    let stack: Vec<&str> = text.lines().skip(leak + 1).take_while(|line| line.starts_with("    ")).collect();
    let leaky = stack.iter().position(|line| line.contains("traces::child::leaky (")).expect(&text);
    assert!(stack[leaky].contains("child.rs:"), "{text}");
    assert!(stack[leaky + 1].contains("traces::child::leaks ("), "{text}");
    assert!(stack[leaky - 1].contains("traces::child::inlined ("), "{text}");
    assert!(stack[leaky - 1].contains("child.rs:"), "{text}");
    assert!(
        !text.contains("child::tidy") && !stack.iter().any(|line| line.contains("alloc_trace::")),
        "{text}"
    );
}

#[test]
fn a_killed_process_leaves_a_trace_up_to_its_last_block() {
    let run = run("killed");
    assert!(run.counted.is_none());
    let snapshot = run.snapshot();
    assert!(snapshot.problems.unfinished && snapshot.problems.damaged_blocks == 0);
    assert!(snapshot.totals.allocs > 10_000, "{:?}", snapshot.totals);
    let lines = snapshot.warnings();
    assert!(lines.iter().any(|line| line.starts_with("the trace was not ended")), "{lines:?}");
}

#[test]
fn a_cut_trace_is_read_as_far_as_it_goes() {
    let run = run("threads");
    let bytes = run.bytes();
    let whole = report::read_trace(&bytes).unwrap().totals.allocs;
    let mut before = 0;
    for length in (0..=bytes.len()).step_by(bytes.len() / 40) {
        match report::read_trace(&bytes[..length]) {
            Ok(snapshot) => {
                assert!(snapshot.totals.allocs >= before && snapshot.totals.allocs <= whole);
                before = snapshot.totals.allocs;
            }
            Err(error) => assert!(length < 64, "{length}: {error}"),
        }
    }
    assert!(before > whole / 2);
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 0xff;
    let snapshot = report::read_trace(&damaged).unwrap();
    assert!(snapshot.problems.damaged_blocks > 0 || snapshot.problems.cut_bytes > 0);
}

#[test]
fn a_compressed_trace_says_the_same_and_comes_back() {
    let bytes = run("threads").bytes();
    let small = report::compress(&bytes).unwrap();
    assert!(small.len() * 10 < bytes.len() * 9, "{} of {} bytes", small.len(), bytes.len());
    assert_eq!(report::expand(&small).unwrap(), bytes);
    // Again, there is nothing to do.
    assert_eq!(report::compress(&small).unwrap(), small);
    assert_eq!(report::expand(&bytes).unwrap(), bytes);
    let [one, other] = [&bytes, &small].map(|bytes| report::read_trace(bytes).unwrap());
    assert_eq!(one.totals, other.totals);
    assert_eq!((one.rows, one.problems, one.changes), (other.rows, other.problems, other.changes));
    // What is cut and what is damaged stays as it is.
    let mut damaged = bytes[..bytes.len() - 3].to_vec();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 0xff;
    assert_eq!(report::expand(&report::compress(&damaged).unwrap()).unwrap(), damaged);
    let error = report::compress(b"strata log").unwrap_err();
    assert_eq!(error.to_string(), "no trace: it does not begin with STRATATR");
}

#[test]
fn a_forked_child_does_not_write_into_its_parents_trace() {
    let run = run("forks");
    let snapshot = run.snapshot();
    assert!(!snapshot.problems.unfinished && snapshot.problems.damaged_blocks == 0);
    let counted = run.counted.as_ref().unwrap();
    assert_eq!(snapshot.totals.allocs, counted.allocs + counted.resizes);
    assert!(snapshot.rows.values().any(|row| row.alloc_bytes == 12_345));
}

#[test]
fn a_full_disk_stops_the_trace_and_not_the_program() {
    let run = run("full");
    assert!(run.counted.is_some());
    let line =
        "strata: trace: cannot write to /dev/full: no space left on the device; the program runs untraced\n";
    assert_eq!(run.stderr, line);
}

/// Signals of refused writes end a program that does not know of them: the tracer's writes raise none. The child works before
/// `main`, where the standard library has not yet turned one of them off.
#[test]
fn a_refused_write_ends_the_trace_and_not_the_program() {
    for (work, reason) in [("unread", "the reader is gone"), ("limited", "the file would be too large")] {
        let run = run(work);
        assert!(run.counted.is_some());
        let line =
            format!("strata: trace: cannot write the trace: {reason}; tracing ends, the program goes on\n");
        assert_eq!(run.stderr, line);
    }
}

#[test]
fn any_damage_is_survived() {
    let plain = run("leaks").bytes();
    survive(&plain);
    survive(&report::compress(&plain).unwrap());
}

/// Reads the bytes, damaged in 400 ways.
fn survive(bytes: &[u8]) {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut read = 0;
    for _ in 0..400 {
        let mut damaged = bytes.to_vec();
        for _ in 0..random() % 8 + 1 {
            // Headers, which no checksum covers, more often than the rest.
            let at = if random() % 2 == 0 { random() % 200 } else { random() % bytes.len() };
            damaged[at] = random() as u8;
        }
        damaged.truncate(bytes.len() - random() % 3 * (random() % bytes.len()) / 3);
        if let Ok(snapshot) = report::read_trace(&damaged) {
            read += 1;
            let _ = report::json(&snapshot, &mut Symbols::new());
        }
    }
    assert!(read > 50, "{read}");
}
