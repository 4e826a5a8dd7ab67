//! What a strategy says of itself.

use super::{Failure, Maker, Verdict, layout, session};
use crate::breach::Breach;
use crate::drive::{Driver, Options};
use crate::ops::generate;
use crate::subject::{Limits, Reuse};

/// Blocks of many sizes, with gaps where every third was given back.
fn populate(
    driver: &mut Driver<'_>,
    limits: Limits,
    look: &mut dyn FnMut(&mut Driver<'_>) -> Result<(), Breach>,
) -> Result<(), Breach> {
    let large = (256 << 10).min(limits.serves / 4);
    for index in 0..150 {
        let size = if index % 50 == 49 { large } else { index * 53 % 3000 };
        let slot = driver.allocate(layout(size, 1 << (index % 8)), index % 4 == 0)?;
        if let Some(slot) = slot.filter(|_| index % 3 == 2) {
            driver.deallocate(slot / 2)?;
        }
        if index % 10 == 0 {
            look(driver)?;
        }
    }
    Ok(())
}

/// The name is not empty, and the same at every call.
///
/// # Errors
/// What the strategy did wrong.
pub fn has_a_name(make: &mut Maker<'_>, _limits: Limits) -> Verdict {
    make(&mut |subject| {
        let name = subject.strategy().name();
        if name.is_empty() {
            return Err(Breach::Nameless.into());
        }
        match subject.strategy().name() {
            same if same == name => Ok(()),
            other => Err(Failure::new(format!("name() is `{name}`, then `{other}`"))),
        }
    })
}

/// A walk shows every live block within disjoint zones, or is declared impossible.
///
/// # Errors
/// What the strategy did wrong.
pub fn walk_shows_live_blocks(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        populate(driver, limits, &mut |driver| driver.check_walk())?;
        let report = driver.report();
        if limits.walkable && (report.walks == 0 || report.walked_blocks == 0) {
            return Err(Breach::Idle { what: "no block was walked over" });
        }
        Ok(())
    })
}

/// The figures' equations hold, and they agree with what is live.
///
/// # Errors
/// What the strategy did wrong.
pub fn stats_add_up(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        driver.check_stats()?;
        populate(driver, limits, &mut |driver| driver.check_stats())?;
        driver.check_stats()?;
        driver.free_all()?;
        driver.check_stats()?;
        driver.trim(0)?;
        driver.check_stats()
    })
}

/// `owns` never disowns a byte of a live block, and never claims the stack, a static, or a dangling address.
///
/// # Errors
/// What the strategy did wrong.
pub fn owns_answers(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        let mut asked = 0;
        populate(driver, limits, &mut |driver| {
            asked += driver.shadow().len();
            (0..driver.shadow().len()).try_for_each(|slot| driver.check_owns(slot))
        })?;
        if asked == 0 {
            return Err(Breach::Idle { what: "no owner was asked for" });
        }
        Ok(())
    })
}

/// Trimming, with anything to keep, changes no live block, and the strategy serves on.
///
/// # Errors
/// What the strategy did wrong.
pub fn trim_loses_nothing(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        for keep in [0, 1 << 16, usize::MAX, 0] {
            populate(driver, limits, &mut |driver| driver.trim(keep))?;
            driver.trim(keep)?;
            driver.check_walk()?;
            driver.check_stats()?;
            driver.free_all()?;
            driver.trim(keep)?;
        }
        driver.allocate(layout(100, 8), true)?;
        Ok(())
    })
}

/// The same work over and over leaves no more and more memory behind that nothing gives back.
///
/// What a strategy keeps between rounds may go up and down with where the system happens to place spans, so that only what a
/// trim leaves is compared.
///
/// # Errors
/// What the strategy did wrong.
pub fn nothing_is_lost(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    const ROUNDS: usize = 50;
    const SETTLED: usize = 10;
    let ops = generate::sample(0x1057, 200);
    // A strategy that waits for a reset takes more memory every time, as it should: a few rounds for the contents' sake.
    let rounds = if limits.reuse == Reuse::Any { ROUNDS } else { 3 };
    make(&mut |subject| {
        let left = || {
            subject.strategy().trim(0);
            subject.strategy().stats().committed.get()
        };
        let mut settled = None;
        let mut allocated = 0;
        for round in 0..rounds {
            let fresh = Options { max_request: 1 << 20, ..Options::new(limits) };
            let mut driver = Driver::new(subject, &if round == 0 { fresh } else { fresh.again() });
            for &op in &ops {
                driver.step(op)?;
            }
            allocated += driver.finish()?.allocated;
            if round == SETTLED {
                settled = left();
            }
        }
        if let (Some(before), Some(after), true) = (settled, left(), limits.exclusive)
            && after > before + before / 2 + (256 << 10)
        {
            return Err(Breach::Lost { what: "memory, in committed bytes", before, after }.into());
        }
        if allocated == 0 {
            return Err(Breach::Idle { what: "no block was handed out" }.into());
        }
        Ok(())
    })
}
