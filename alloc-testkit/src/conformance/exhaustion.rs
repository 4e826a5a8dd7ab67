//! Running out of memory, and getting over it.

use super::{Failure, Maker, Verdict, layout, session};
use crate::breach::Breach;
use crate::drive::Driver;
use crate::subject::{Limits, Reuse};

/// How often memory is used up and given back. A leak of one block in a hundred shows after this many rounds.
const ROUNDS: usize = 16;

/// With its memory used up, a strategy refuses, keeps every block, and refuses to grow; given the memory back, it serves
/// as much as before, round after round.
///
/// # Errors
/// What the strategy did wrong; also when the limits declare no total.
pub fn exhaustion_and_recovery(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    let Some(total) = limits.total else {
        return Err(Failure::new("the limits of an exhaustible strategy declare no total".into()));
    };
    let rounds = if limits.reuse == Reuse::None { 1 } else { ROUNDS };
    for size in [total / 300, total / 60, total / 5] {
        session(make, limits, &mut |driver| {
            let mut most = 0;
            for round in 0..rounds {
                // Multiples of the alignment: padding between blocks is lost to those who take back the last one only.
                let count = exhaust(driver, total, size.max(1).next_multiple_of(16))?;
                let (before, after) = (most as u64, count as u64);
                // Free lists may settle into another order, at the price of a block here and there.
                if count * 8 < most * 7 {
                    return Err(Breach::Lost { what: "room, in blocks that fit", before, after });
                }
                most = most.max(count);
                give_back(driver, limits.reuse, round)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Allocates until refused, and tries to grow what it got. How many blocks there were.
fn exhaust(driver: &mut Driver<'_>, total: usize, size: usize) -> Result<usize, Breach> {
    let layout = layout(size, 16);
    while driver.allocate(layout, false)?.is_some() {
        let live = driver.shadow().requested();
        if live > total {
            return Err(Breach::Impossible { size: live, align: layout.align() });
        }
    }
    let count = driver.shadow().len();
    // Refusals may search long: sixteen blocks stand for all.
    for slot in (0..count).step_by(count / 16 + 1) {
        driver.grow(slot, size * 2, slot % 2 == 0)?;
    }
    driver.verify_all()?;
    driver.check_stats()?;
    driver.check_walk()?;
    if driver.allocate(layout, true)?.is_some() {
        return Err(Breach::Idle { what: "memory did not run out" });
    }
    Ok(count)
}

/// Gives everything back, in an order that changes from round to round where any order will do.
fn give_back(driver: &mut Driver<'_>, reuse: Reuse, round: usize) -> Result<(), Breach> {
    while let Some(last) = driver.shadow().len().checked_sub(1) {
        let slot = match reuse {
            Reuse::Any => [last, 0, last / 2][round % 3],
            Reuse::Last | Reuse::None => last,
        };
        driver.deallocate(slot)?;
    }
    Ok(())
}
