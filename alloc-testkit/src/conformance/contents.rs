//! What blocks hold: zeros where promised, and what their holders wrote, through every resize.

use super::{Maker, Verdict, layout, session};
use crate::breach::Breach;
use crate::drive::{Driver, IMPOSSIBLE};
use crate::subject::Limits;

const SIZES: [usize; 16] =
    [1, 7, 8, 16, 24, 48, 100, 512, 1024, 2040, 4096, 5000, 32 << 10, (64 << 10) + 1, 200_000, 1 << 20];

fn sizes(limits: Limits) -> impl Iterator<Item = usize> {
    // Three blocks of a size, and what moving one takes, must find room.
    SIZES.into_iter().filter(move |size| size * 4 <= limits.serves)
}

/// Zeroed blocks are zero, also when their memory held something before; so is what `grow_zeroed` adds.
///
/// # Errors
/// What the strategy did wrong.
pub fn zeroed_is_zero(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    for size in sizes(limits) {
        session(make, limits, &mut |driver| {
            for round in 0..3 {
                for _ in 0..3 {
                    driver.allocate(layout(size, 8), false)?;
                }
                driver.free_all()?;
                for _ in 0..3 {
                    driver.allocate(layout(size, 8), true)?;
                }
                driver.free_all()?;
                if let Some(slot) = driver.allocate(layout(size, 8), false)? {
                    // Dirty bytes right behind what is kept, then grow over them.
                    driver.shrink(slot, size / 2)?;
                    driver.grow(slot, size + round * 8, true)?;
                    driver.grow(slot, size * 2 + round * 8, true)?;
                }
                driver.free_all()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Blocks keep their contents while they grow and shrink step by step, with and without neighbours in the way.
///
/// # Errors
/// What the strategy did wrong.
pub fn resize_keeps_contents(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    for align in [1, 16, 64, 4096] {
        for neighbours in [false, true] {
            session(make, limits, &mut |driver| up_and_down(driver, limits, align, neighbours))?;
        }
    }
    Ok(())
}

fn up_and_down(
    driver: &mut Driver<'_>,
    limits: Limits,
    align: usize,
    neighbours: bool,
) -> Result<(), Breach> {
    let Some(slot) = driver.allocate(layout(0, align), false)? else { return Ok(()) };
    for (step, size) in sizes(limits).enumerate() {
        if neighbours {
            driver.allocate(layout(16 + step, 1), false)?;
        }
        driver.grow(slot, size, step % 2 == 0)?;
        if step % 3 == 2 && driver.shadow().len() > 2 {
            driver.deallocate(2)?;
        }
    }
    driver.verify_all()?;
    let mut down: Vec<usize> = sizes(limits).collect();
    down.reverse();
    for (step, size) in down.into_iter().chain([0]).enumerate() {
        if neighbours {
            driver.allocate(layout(16 + step, 1), false)?;
        }
        // A step up that failed for want of memory leaves the block smaller than the list says.
        if size <= driver.shadow().blocks()[slot].layout.size() {
            driver.shrink(slot, size)?;
        }
    }
    Ok(())
}

/// A grow that is refused leaves its block live and unchanged, however often it is tried, and loses no memory.
///
/// # Errors
/// What the strategy did wrong.
pub fn failed_grow_keeps_the_block(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        for size in sizes(limits).take(10) {
            driver.allocate(layout(size, 16), false)?;
        }
        let failures = driver.report().refused;
        let mut settled = None;
        for attempt in 0..200 {
            for slot in 0..driver.shadow().len() {
                driver.grow(slot, IMPOSSIBLE + attempt, attempt % 2 == 0)?;
            }
            driver.check_stats()?;
            // The first attempts may make lists and caches ready.
            let taken = driver.taken().filter(|_| attempt >= 20 && limits.exclusive);
            if let (Some(after), Some(before)) = (taken, settled.or(taken))
                && after > before
            {
                return Err(Breach::Lost { what: "memory to failed grows, in bytes taken", before, after });
            }
            settled = settled.or(taken);
        }
        if driver.report().refused == failures {
            return Err(Breach::Idle { what: "no grow was refused" });
        }
        driver.check_walk()?;
        // The blocks are as good as before: what follows reads, resizes and returns them.
        for slot in 0..driver.shadow().len() {
            driver.touch(slot)?;
            let size = driver.shadow().blocks()[slot].layout.size();
            driver.grow(slot, size + 1, false)?;
        }
        driver.free_all()?;
        for size in sizes(limits).take(10) {
            driver.allocate(layout(size, 16), false)?;
        }
        Ok(())
    })
}
