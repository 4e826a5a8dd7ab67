//! Hostile backends: a sound strategy passes over each, and each brings its kind of carelessness to light.

use alloc_core::backend::{Aligned, Backend, Limited, SystemBackend};
use alloc_testkit::conformance;
use alloc_testkit::fault::{Disaligning, Fragmented, JUNK, Poisoning, SweepError, Swept, sweep};
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Options, Subject, drive};

use crate::spans::{Habit, Spans};

/// System memory at any alignment.
fn memory() -> Aligned<SystemBackend> {
    Aligned::new(SystemBackend)
}

alloc_testkit::conformance! {
    over_memory: Spans::new(memory(), Habit::None);
    over_disaligning: Spans::new(Disaligning::new(memory()), Habit::None);
    over_fragmented: Spans::new(Fragmented::new(memory()), Habit::None);
    over_poisoning: Spans::new(Poisoning::new(memory()), Habit::None);
    over_limited: Spans::new(Limited::new(memory(), 1 << 20), Habit::None), exhaustible,
        limits = Limits::bytes(1 << 20).serving(64 << 10);
    over_all_at_once:
        Spans::new(Poisoning::new(Disaligning::new(Fragmented::new(memory()))), Habit::None);
}

fn run<B: Backend>(backend: B, habit: Habit) -> Result<(), String> {
    let ops = generate::sample(0xb0, 400);
    let strategy = Spans::new(backend, habit);
    let report = drive(Subject::plain(&strategy), &ops, &Options::default());
    report.map(|report| assert!(report.allocated > 50)).map_err(|violation| violation.to_string())
}

#[test]
fn trust_in_zeros_shows_over_poison() {
    let failure = run(Poisoning::new(memory()), Habit::TrustsZeros).unwrap_err();
    assert!(failure.contains(&format!("is {JUNK:#04x} instead of zero")), "{failure}");
}

#[test]
fn trust_in_page_alignment_shows_over_disaligning() {
    let make = |hostile: bool| {
        let run = &mut |body: &mut dyn FnMut(Subject<'_>) -> conformance::Verdict| match hostile {
            true => body(Subject::plain(&Spans::new(Disaligning::new(memory()), Habit::TrustsPages))),
            false => body(Subject::plain(&Spans::new(SystemBackend, Habit::TrustsPages))),
        };
        let limits = Limits::UNLIMITED.serving(4096 + 100);
        conformance::every_alignment(run, limits)
    };
    assert_eq!(make(false), Ok(()));
    let failure = make(true).unwrap_err().to_string();
    assert!(failure.contains(" is not a multiple of its alignment "), "{failure}");
}

#[test]
fn writing_behind_a_span_shows_over_fragmented() {
    let trespasses = |habit| {
        let backend = Fragmented::new(memory());
        run(&backend, habit).unwrap();
        backend.trespasses()
    };
    assert_eq!(trespasses(Habit::None), 0);
    assert!(trespasses(Habit::WritesBehind) > 50);
}

#[test]
fn hostile_backends_do_what_they_say() {
    let disaligning = Disaligning::new(memory());
    for shift in 0..16 {
        let span = disaligning.allocate_span(100, 1 << shift).unwrap();
        assert_eq!(span.start.addr().get() % (2 << shift), 1 << shift);
        assert!(span.size >= 100 && span.size - 100 < disaligning.granule());
        // SAFETY: the span came from there just now.
        unsafe { disaligning.release_span(span) };
    }
    let poisoning = Poisoning::new(memory());
    let span = poisoning.allocate_span(10_000, 16).unwrap();
    for offset in [0, 5000, span.size - 1] {
        // SAFETY: within the span.
        let byte = unsafe { span.start.add(offset) };
        // SAFETY: written by the backend.
        assert_eq!(unsafe { byte.read() }, JUNK);
    }
    // SAFETY: the span came from there.
    unsafe { poisoning.release_span(span) };
    let fragmented = Fragmented::new(memory());
    let spans: Vec<_> = (0..20).map(|_| fragmented.allocate_span(100, 16).unwrap()).collect();
    let mut starts: Vec<_> = spans.iter().map(|span| (span.start.addr().get(), span.end())).collect();
    starts.sort_unstable();
    assert!(starts.windows(2).all(|pair| pair[0].1 < pair[1].0));
    for span in spans {
        // SAFETY: the span came from there.
        unsafe { fragmented.release_span(span) };
    }
}

fn swept(habit: Habit) -> Result<Swept, SweepError> {
    let ops = generate::sample(0x5eeb, 120);
    sweep(&ops, &Options::default(), memory, |backend, run| run(Subject::plain(&Spans::new(backend, habit))))
}

#[test]
fn a_sweep_fails_every_call_and_loses_nothing() {
    let swept = swept(Habit::None).unwrap();
    assert!(swept.calls > 40, "{swept:?}");
    assert!(swept.runs >= 80 && swept.failing.failures > swept.runs, "{swept:?}");
    assert!(swept.failing.allocated > 1000, "{swept:?}");
}

#[test]
fn a_sweep_finds_what_is_lost_on_failure_and_at_the_end() {
    let failure = swept(Habit::SpoilsOnFailure).unwrap_err().to_string();
    assert!(failure.starts_with("with backend failures "), "{failure}");
    assert!(failure.contains("Grow"), "{failure}");
    let failure = swept(Habit::KeepsSpans).unwrap_err().to_string();
    assert!(failure.contains("lost spans, held with the strategy gone: 0 before, "), "{failure}");
}
