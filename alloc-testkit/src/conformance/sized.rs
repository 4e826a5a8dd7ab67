//! Strategies that know their blocks' sizes.

use super::{Maker, Verdict, layout, session};
use crate::drive::PLAIN_ALIGN;
use crate::subject::Limits;

/// The usable size is at least the size asked for, stays, and is the holder's to its last byte: every block is written
/// to its end beside neighbours that are verified afterwards.
///
/// # Errors
/// What the strategy did wrong.
pub fn usable_sizes(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        let powers = (0..=18).flat_map(|shift| [(1_usize << shift) - 1, 1 << shift, (1 << shift) + 1]);
        for size in (0..300).chain(powers).filter(|size| size * 16 <= limits.serves) {
            let Some(slot) = driver.allocate(layout(size, 1 << (size % 6)), size % 2 == 0)? else { break };
            driver.touch(slot)?;
            if slot >= 64 {
                driver.free(slot / 2)?;
            }
        }
        driver.verify_all()
    })
}

/// `free` takes the blocks of every method, at every alignment up to 64 KiB, in any order.
///
/// # Errors
/// What the strategy did wrong.
pub fn free_by_pointer(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        for shift in 0..=16 {
            for size in [0, 1, 30, 500] {
                let align = 1 << shift;
                driver.allocate(layout(size, align), false)?;
                driver.allocate(layout(size, align), true)?;
                if let Some(slot) = driver.allocate(layout(size, align), false)? {
                    driver.grow(slot, size + 77, true)?;
                }
                if let Some(slot) = driver.allocate(layout(size, align), false)? {
                    driver.shrink(slot, size / 2)?;
                }
                if let Some(slot) = driver.allocate(layout(size, align), false)? {
                    driver.reallocate(slot, size + 33)?;
                }
            }
            while let Some(last) = driver.shadow().len().checked_sub(1) {
                driver.free([0, last, last / 2][last % 3])?;
            }
            driver.check_stats()?;
        }
        Ok(())
    })
}

/// `reallocate` keeps contents up and down, to size 0 and back, of blocks from every alignment.
///
/// # Errors
/// What the strategy did wrong.
pub fn reallocate_keeps_contents(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    const UP_AND_DOWN: [usize; 18] =
        [0, 1, 8, 24, 25, 100, 4096, 60_000, 200_000, 199_000, 70_000, 4097, 4096, 90, 16, 2, 0, 40];
    for align in [1, PLAIN_ALIGN, 256, 4096] {
        session(make, limits, &mut |driver| {
            let Some(slot) = driver.allocate(layout(64, align), false)? else { return Ok(()) };
            for size in UP_AND_DOWN.into_iter().filter(|size| size * 4 <= limits.serves) {
                driver.reallocate(slot, size)?;
                driver.allocate(layout(40, 1), false)?;
            }
            driver.verify_all()
        })?;
    }
    Ok(())
}
