//! The log: whole records, in an order that holds for each address, with the frames of the calls that made them.

use std::collections::HashSet;
use std::ops::Range;

use alloc_core::{Libc, SizedBlocks, Strategy};
use alloc_trace::{Log, Traced};

use crate::support::{Scratch, layout, number};

/// The lines of each record; those that stand alone are left out.
fn records(text: &str) -> Vec<Vec<&str>> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("strata log 1"));
    let mut records = Vec::new();
    let mut record = Vec::new();
    for line in lines.filter(|line| !line.starts_with("module ") && !line.starts_with("leaving ")) {
        if line == "end" {
            records.push(std::mem::take(&mut record));
        } else {
            assert_eq!(line.starts_with("  0x"), !record.is_empty(), "{line}");
            record.push(line);
        }
    }
    assert!(record.is_empty(), "the last record has no end");
    records
}

#[test]
fn records_of_threads_do_not_interleave() {
    let file = Scratch::new("threads.log");
    let fd = file.create();
    let log = Log::new();
    log.start(number(&fd), 128).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let heap = Traced::new(Libc, &log);
                for size in 0..300 {
                    let block = heap.allocate(layout(size, 8)).unwrap();
                    // SAFETY: a live block, with the layout that it was asked for with.
                    unsafe { heap.deallocate(block, layout(size, 8)) };
                }
            });
        }
    });
    log.stop();
    let text = file.text();
    let records = records(&text);
    assert_eq!(records.len(), 4 * 600);
    let mut live = HashSet::new();
    for record in &records {
        let words: Vec<_> = record[0].split(' ').collect();
        let frames: usize = words[words.len() - 1].parse().unwrap();
        assert_eq!(words[words.len() - 2], "frames");
        assert_eq!(record.len(), frames + 1, "{record:?}");
        assert!(frames > 2, "{record:?}");
        let told = match words[..] {
            ["alloc", address, "align", "8", "size", _, "thread", ..] => live.insert(address),
            ["free", address, "align", "8", "size", _, "thread", ..] => live.remove(address),
            _ => false,
        };
        assert!(told, "{record:?}");
    }
    assert!(live.is_empty());
    assert!(text.contains("module 0x"), "no module is named");
}

#[inline(never)]
fn one_frame_deeper<S: SizedBlocks>(heap: &S) {
    let block = heap.allocate(layout(10, 1)).unwrap();
    // SAFETY: a live block.
    unsafe { heap.free(std::hint::black_box(block)) };
}

/// The addresses of a function's code, roughly.
fn code_of(function: usize) -> Range<usize> {
    function..function + 4096
}

#[test]
fn frames_lead_to_the_caller() {
    let file = Scratch::new("frames.log");
    let fd = file.create();
    let log = Log::new();
    log.start(number(&fd), 128).unwrap();
    let heap = Traced::new(Libc, &log);
    one_frame_deeper(&heap);
    log.stop();
    let text = file.text();
    let records = records(&text);
    assert_eq!(records.len(), 2);
    let code = code_of(one_frame_deeper::<Traced<Libc, &Log>> as *const () as usize);
    for record in records {
        let frames: Vec<usize> =
            record[1..].iter().map(|line| usize::from_str_radix(&line[4..], 16).unwrap()).collect();
        let inner = frames.iter().position(|frame| code.contains(frame));
        assert!(inner.is_some_and(|inner| inner < 8), "{frames:x?} without {code:x?}");
    }
}

#[test]
fn a_place_that_refuses_ends_the_log_and_not_the_program() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    let log = Log::new();
    assert_eq!(log.start(number(&full), 8).unwrap_err().to_string(), "no space left on the device");
    let heap = Traced::new(Libc, &log);
    one_frame_deeper(&heap);
}

#[test]
fn no_frames_are_taken_where_none_are_asked_for() {
    let file = Scratch::new("bare.log");
    let fd = file.create();
    let log = Log::new();
    log.start(number(&fd), 0).unwrap();
    let heap = Traced::new(Libc, &log);
    one_frame_deeper(&heap);
    log.stop();
    let text = file.text();
    assert!(records(&text).iter().all(|record| record.len() == 1 && record[0].ends_with(" frames 0")));
    let word = |record: &str, index: usize| record.split(' ').nth(index).unwrap().to_owned();
    assert_eq!(word(records(&text)[0][0], 1), word(records(&text)[1][0], 1));
}

#[test]
fn a_resize_tells_both_places() {
    let file = Scratch::new("resize.log");
    let fd = file.create();
    let log = Log::new();
    log.start(number(&fd), 0).unwrap();
    let heap = Traced::new(Libc, &log);
    let block = heap.allocate(layout(10, 8)).unwrap();
    let old = block.addr();
    // SAFETY: a live block, with the layout that it was asked for with.
    let block = unsafe { heap.grow(block, layout(10, 8), layout(5000, 8)) }.unwrap();
    log.stop();
    let text = file.text();
    assert!(text.contains(&format!("\nleaving {old:#x} thread ")), "{text}");
    let line = records(&text)[1][0].to_owned();
    assert!(
        line.starts_with(&format!("resize {old:#x} to {:#x} align 8 size 5000 thread ", block.addr())),
        "{line}"
    );
    // SAFETY: a live block, with the layout that it was grown to.
    unsafe { heap.deallocate(block, layout(5000, 8)) };
}

#[test]
fn a_refused_resize_says_what_stays() {
    let file = Scratch::new("refused.log");
    let fd = file.create();
    let log = Log::new();
    log.start(number(&fd), 0).unwrap();
    let heap = Traced::new(Libc, &log);
    let block = heap.allocate(layout(10, 8)).unwrap();
    let huge = layout(isize::MAX as usize - 4096, 8);
    // SAFETY: a live block, with the layout that it was asked for with.
    assert!(unsafe { heap.grow(block, layout(10, 8), huge) }.is_err());
    // SAFETY: as above.
    unsafe { heap.deallocate(block, layout(10, 8)) };
    log.stop();
    let text = file.text();
    let records = records(&text);
    assert!(records[1][0].starts_with(&format!("refused keeps {:#x} align 8 size ", block.addr())), "{text}");
    assert!(records[2][0].starts_with(&format!("free {:#x} align 8 size 10 ", block.addr())), "{text}");
}
