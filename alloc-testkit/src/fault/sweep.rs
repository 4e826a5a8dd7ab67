//! Every call of a backend fails once, and nothing may be lost.

use core::fmt;

use alloc_core::backend::{Backend, Failing};
use alloc_core::os::schedule::Schedule;

use crate::breach::{Breach, Violation};
use crate::drive::{Options, Report, drive};
use crate::ops::Op;
use crate::subject::Subject;

/// Points of failure tried at most, spread over the run.
const POINTS: u64 = 128;

/// What a sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Calls of the backend in the run without failures.
    pub calls: u64,
    /// Runs with failures.
    pub runs: u64,
    /// All runs with failures together.
    pub failing: Report,
}

/// The first fault that a sweep found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SweepError {
    /// How the backend failed.
    pub schedule: Schedule,
    /// What came of it.
    pub violation: Violation,
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with backend failures {:?}: {}", self.schedule, self.violation)
    }
}

/// The same text as [`Display`](fmt::Display), so that `unwrap` reads well.
impl fmt::Debug for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for SweepError {}

/// Runs `ops` once without failures, then for each call `k` of the backend twice: with that call failing alone, and with
/// all from it on failing. Each time, with memory back, the same operations must run on the same instance as if nothing
/// had happened; and when the instance is dropped, every span must have come back.
///
/// `backend` makes a backend; `with` builds a strategy over it, shows it to the body it is given, and drops it. A call has this shape, and `tests/all/hostile.rs` makes some:
///
/// ```text
/// sweep(&ops, &options, || PagesBackend::new(Os), |backend, run| run(Subject::plain(&Heap::new(backend))))
/// ```
///
/// # Errors
/// The first breach, with the schedule of failures that led to it.
pub fn sweep<B: Backend>(
    ops: &[Op],
    options: &Options,
    backend: impl Fn() -> B,
    with: impl Fn(
        &Failing<B>,
        &mut dyn FnMut(Subject<'_>) -> Result<Report, Violation>,
    ) -> Result<Report, Violation>,
) -> Result<Swept, SweepError> {
    let run = |schedule| {
        let failing = Failing::new(backend(), schedule);
        let mut calls = 0;
        let answer = with(&failing, &mut |subject| {
            let may_fail = options.may_fail || schedule != Schedule::Never;
            let report = drive(subject, ops, &Options { may_fail, ..*options })?;
            calls = failing.requests();
            failing.fail(Schedule::Never);
            drive(subject, ops, &options.again())?;
            Ok(report)
        });
        let lost = failing.outstanding() as u64;
        let answer = answer.and_then(|report| match lost {
            0 => Ok((calls, report)),
            after => {
                let breach = Breach::Lost { what: "spans, held with the strategy gone", before: 0, after };
                Err(Violation { at: None, breach })
            }
        });
        answer.map_err(|violation| SweepError { schedule, violation })
    };
    let (calls, _) = run(Schedule::Never)?;
    let mut swept = Swept { calls, runs: 0, failing: Report::default() };
    let stride = calls.div_ceil(POINTS).max(1);
    for k in (1..=calls).step_by(usize::try_from(stride).unwrap_or(usize::MAX)) {
        for schedule in [Schedule::Nth(k), Schedule::From(k)] {
            let (_, report) = run(schedule)?;
            swept.runs += 1;
            swept.failing = swept.failing.and(report);
        }
    }
    Ok(swept)
}
