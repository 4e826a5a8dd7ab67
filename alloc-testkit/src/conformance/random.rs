//! Random sequences of operations against the shadow, shrunk to the shortest that fails.

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use super::{Failure, Maker, Verdict};
use crate::drive::{Options, drive};
use crate::ops::{Op, bytes, generate};
use crate::subject::{Limits, Subject};

/// Sequences tried. `PROPTEST_CASES` overrides it.
const CASES: u32 = 32;

/// Random sequences of up to 250 operations, each on a fresh instance. What fails is shrunk, and shown as operations and
/// as the bytes that a corpus keeps.
///
/// # Errors
/// What the strategy did wrong.
pub fn random_operations(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { Config::default().cases } else { CASES };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let make = core::cell::RefCell::new(make);
    let run = |ops: Vec<Op>| {
        let make = &mut **make.borrow_mut();
        let verdict = make(&mut |subject| {
            drive(subject, &ops, &Options::new(limits))?;
            Ok(())
        });
        verdict.map_err(|failure| TestCaseError::fail(failure.to_string()))
    };
    match TestRunner::new(config).run(&generate::ops(1..250), run) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, ops)) => {
            let bytes: String = bytes::to_bytes(&ops).iter().map(|byte| format!("{byte:02x}")).collect();
            Err(Failure::new(format!(
                "{}\nshortest operations: {ops:?}\nas bytes: {bytes}",
                reason.message()
            )))
        }
        Err(TestError::Abort(reason)) => Err(Failure::new(format!("no case ran: {}", reason.message()))),
    }
}

/// A reference to the strategy is the strategy: a fixed sequence of operations runs through one.
///
/// # Errors
/// What the strategy did wrong.
pub fn by_reference(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    let ops = generate::sample(0xb4ef, 400);
    make(&mut |subject| {
        let report = match subject.sized_blocks() {
            Some(sized) => drive(Subject::sized(&sized), &ops, &Options::new(limits))?,
            None => drive(Subject::plain(&subject.strategy()), &ops, &Options::new(limits))?,
        };
        if report.allocated == 0 {
            return Err(Failure::new("no block was handed out".into()));
        }
        Ok(())
    })
}
