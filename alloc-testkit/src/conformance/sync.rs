//! Strategies that threads share.

use super::{SharedMaker, Verdict};
use crate::breach::Breach;
use crate::drive::Options;
use crate::subject::Limits;
use crate::threads::{Mix, mix};

/// Threads that mostly keep to their own blocks, with a hand-over now and then, and fresh threads every round.
///
/// # Errors
/// What the strategy did wrong.
pub fn threads_apart(make: &mut SharedMaker<'_>, limits: Limits) -> Verdict {
    run(make, limits, &Mix::APART)
}

/// Threads that hand blocks over at every operation, so that most are given back by others than their makers.
///
/// # Errors
/// What the strategy did wrong.
pub fn threads_together(make: &mut SharedMaker<'_>, limits: Limits) -> Verdict {
    run(make, limits, &Mix::TOGETHER)
}

fn run(make: &mut SharedMaker<'_>, limits: Limits, shape: &Mix) -> Verdict {
    let options = Options { max_request: 1 << 20, max_total: 32 << 20, ..Options::new(limits) };
    make(&mut |shared| {
        let report = mix(shared, shape, &options)?;
        if report.allocated == 0 {
            return Err(Breach::Idle { what: "no block was handed out" }.into());
        }
        Ok(())
    })
}
