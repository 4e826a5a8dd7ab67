//! What users should know before they read the figures.

#![forbid(unsafe_code)]

use super::ledger::Ledger;
use super::plan::{Mode, Settings};
use crate::doctor::BUSY;
use crate::machine::Limits;
use crate::schema::Machine;
use crate::statistics::coverage_of_range;

/// What a quick run promises, in seconds.
const PROMISE: f64 = 90.0;

/// Below this share of intervals that can contain the true median, figures get a warning: fewer than five rounds.
const ENOUGH: f64 = 0.9;

/// All notes of a run, one sentence each.
pub(super) fn all(settings: &Settings, machine: &Machine, ledger: &Ledger, seconds: f64) -> Vec<String> {
    let preload = std::env::var("LD_PRELOAD").unwrap_or_default();
    [
        cfg!(debug_assertions).then(|| "This is a debug build: its times mean nothing.".to_owned()),
        few_rounds(ledger.rounds()),
        uneven_rounds(ledger.rounds()),
        rested(ledger.rested(), &settings.baseline.label),
        baseline(ledger.without_baseline(), &settings.baseline.label),
        over_time(settings.mode, seconds),
        no_timelines(ledger.has_timelines()),
        busy(machine),
        oversubscribed(if settings.workloads.is_empty() { &[] } else { &settings.threads }, machine.cores),
        quota(Limits::read().processors),
        huge_pages(&machine.transparent_huge_pages),
        preloaded(&preload),
    ]
    .into_iter()
    .flatten()
    .chain(settings.notes.iter().cloned())
    .collect()
}

fn few_rounds(rounds: Option<(usize, usize)>) -> Option<String> {
    let (least, _) = rounds?;
    let coverage = coverage_of_range(least);
    (coverage < ENOUGH).then(|| {
        let rounds = if least == 1 { "1 round".to_owned() } else { format!("{least} rounds") };
        format!(
            "With {rounds} an interval is little more than the range seen, which contains the true median in {:.0} % of cases, not 95 %; use more --rounds before deciding on these figures.",
            coverage * 100.0
        )
    })
}

fn uneven_rounds(rounds: Option<(usize, usize)>) -> Option<String> {
    let (least, most) = rounds?;
    (least < most).then(|| format!("Cells have between {least} and {most} rounds."))
}

fn rested(cells: Option<(usize, usize, usize)>, baseline: &str) -> Option<String> {
    let (cells, least, most) = cells?;
    let cells = if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") };
    let rounds = match (least, most) {
        (1, 1) => "1 round".to_owned(),
        _ if least == most => format!("{least} rounds"),
        _ => format!("{least} to {most} rounds"),
    };
    Some(format!(
        "{cells} took at least twice as long as {baseline} in every round and sat out the others, measured for as long after {rounds} as {baseline} in all of its own."
    ))
}

fn baseline(failed: Vec<String>, name: &str) -> Option<String> {
    (!failed.is_empty()).then(|| {
        format!("The baseline {name} has no result in {}; there are no ratios there.", failed.join(", "))
    })
}

fn over_time(mode: Mode, seconds: f64) -> Option<String> {
    (mode == Mode::Quick && seconds > PROMISE).then(|| {
        format!(
            "This quick run took {seconds:.0} s instead of at most {PROMISE:.0} s, because nothing is left out to save time; --only, --strategies and --threads choose less."
        )
    })
}

fn no_timelines(drawn: bool) -> Option<String> {
    (!drawn)
        .then(|| "Memory over time was not drawn, because the rounds took all the time there was.".to_owned())
}

fn busy(machine: &Machine) -> Option<String> {
    let [load, ..] = machine.load;
    (load > machine.cores as f64 * BUSY).then(|| {
        format!(
            "Other programs were using the {} processors when the run began (load {load:.2}): expect wide intervals.",
            machine.cores
        )
    })
}

fn oversubscribed(threads: &[usize], cores: usize) -> Option<String> {
    let beyond: Vec<String> =
        threads.iter().filter(|&&threads| threads > cores).map(ToString::to_string).collect();
    (!beyond.is_empty()).then(|| {
        format!(
            "Cells with {} threads share {cores} processors: they show what happens when lock holders lose the processor, not how a strategy scales.",
            beyond.join(" and ")
        )
    })
}

fn quota(processors: Option<f64>) -> Option<String> {
    let processors = processors?;
    Some(format!(
        "A control group allows {processors:.2} processors and stops cells that use more for a while."
    ))
}

fn huge_pages(mode: &str) -> Option<String> {
    (mode == "always").then(|| {
        "Transparent huge pages are always on: resident sets grow in steps of 2 MiB, and alignment of mappings plays a part."
            .to_owned()
    })
}

fn preloaded(preload: &str) -> Option<String> {
    (!preload.is_empty()).then(|| {
        format!("LD_PRELOAD is set to {preload}; `system` and `libc` fail where that is an allocator.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_comes_when_it_should() {
        assert!(few_rounds(Some((3, 3))).unwrap().contains("75 %"));
        assert_eq!(few_rounds(Some((5, 5))), None);
        assert_eq!(few_rounds(None), None);
        assert!(uneven_rounds(Some((3, 4))).is_some());
        assert_eq!(uneven_rounds(Some((3, 3))), None);
        assert!(over_time(Mode::Quick, 120.0).unwrap().contains("120 s"));
        assert_eq!(over_time(Mode::Quick, 89.0), None);
        assert_eq!(over_time(Mode::Full, 1200.0), None);
        assert_eq!(rested(None, "system"), None);
        assert!(rested(Some((1, 1, 1)), "system").unwrap().starts_with("1 cell took "));
        assert!(rested(Some((31, 1, 2)), "system").unwrap().contains("after 1 to 2 rounds as system"));
        assert!(no_timelines(false).is_some());
        assert_eq!(no_timelines(true), None);
        let machine = Machine { cores: 2, load: [1.5, 0.0, 0.0], ..Machine::default() };
        assert!(busy(&machine).is_some());
        assert!(oversubscribed(&[1, 2, 8], 2).unwrap().contains("8 threads share 2"));
        assert_eq!(oversubscribed(&[1, 2], 2), None);
        assert!(quota(Some(1.5)).is_some());
        assert_eq!(huge_pages("madvise"), None);
        assert_eq!(preloaded(""), None);
    }
}
