//! Which requests are served, and what for: sizes, alignments, numbers of blocks.

use alloc_core::Strategy;
use alloc_core::arith::{MAX_SIZE, checked_layout};

use super::{Failure, Maker, Verdict, layout, session};
use crate::breach::Breach;
use crate::drive::{Driver, IMPOSSIBLE, Options};
use crate::subject::{Limits, Subject};

/// Size 0 is served at every alignment up to 64 KiB, and such blocks grow, shrink back, and are given back.
///
/// # Errors
/// What the strategy did wrong.
pub fn zero_sizes(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    session(make, limits, &mut |driver| {
        for shift in 0..=16 {
            for zeroed in [false, true] {
                let Some(slot) = driver.allocate(layout(0, 1 << shift), zeroed)? else { continue };
                driver.check_owns(slot)?;
                driver.grow(slot, 24, zeroed)?;
                driver.shrink(slot, 0)?;
                driver.grow(slot, 0, zeroed)?;
                driver.grow(slot, 100, !zeroed)?;
                driver.shrink(slot, 0)?;
            }
        }
        Ok(())
    })
}

/// Every alignment up to 1 GiB is served, where the strategy's memory suffices, for sizes around it.
///
/// # Errors
/// What the strategy did wrong.
pub fn every_alignment(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    for shift in 0..=30 {
        let align = 1_usize << shift;
        if align > limits.serves {
            break;
        }
        session(make, limits, &mut |driver| {
            for zeroed in [false, true] {
                driver.allocate(layout(1, align), zeroed)?;
                if align <= 1 << 20 {
                    for size in [align - 1, align, align + 1, 3] {
                        driver.allocate(layout(size, align), zeroed)?;
                    }
                }
                driver.verify_all()?;
                driver.free_all()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Sizes up to `isize::MAX` that no memory has are refused, at every alignment, by every method, and nothing else
/// changes.
///
/// # Errors
/// What the strategy did wrong.
pub fn impossible_sizes(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    let just_above = limits.total.and_then(|total| total.checked_add(1));
    let sizes: Vec<usize> =
        [IMPOSSIBLE, MAX_SIZE / 2, MAX_SIZE - 4096, MAX_SIZE - 15, MAX_SIZE - 1, MAX_SIZE]
            .into_iter()
            .chain(just_above)
            .collect();
    session(make, limits, &mut |driver| {
        for size in [1, 40, 300] {
            driver.allocate(layout(size, 8), false)?;
        }
        for &size in &sizes {
            for shift in [0, 3, 4, 5, 12, 20, 30, 40, 61, 62] {
                // The largest size that makes a layout at this alignment is where sums overflow.
                let largest = MAX_SIZE - ((1 << shift) - 1);
                if largest < IMPOSSIBLE {
                    continue;
                }
                for zeroed in [false, true] {
                    driver.allocate(layout(size.min(largest), 1 << shift), zeroed)?;
                }
            }
            for slot in 0..driver.shadow().len() {
                if checked_layout(size, driver.shadow().blocks()[slot].layout.align()).is_some() {
                    driver.grow(slot, size, false)?;
                    driver.grow(slot, size, true)?;
                }
            }
            // Last, since it loosens the block's alignment should it succeed.
            if !driver.shadow().is_empty() && checked_layout(size, crate::drive::PLAIN_ALIGN).is_some() {
                driver.reallocate(0, size)?;
            }
            driver.verify_all()?;
            driver.check_stats()?;
        }
        Ok(())
    })
}

/// Ten thousand small blocks, as far as memory goes, live at once and given back in three orders.
///
/// # Errors
/// What the strategy did wrong.
pub fn many_blocks(make: &mut Maker<'_>, limits: Limits) -> Verdict {
    const BLOCKS: usize = 10_000;
    for order in 0..3 {
        session(make, limits, &mut |driver| {
            for index in 0..BLOCKS {
                let size = 1 + index * 7 % 80;
                if driver.allocate(layout(size, 1 << (index % 5)), index % 3 == 0)?.is_none() {
                    break;
                }
            }
            driver.verify_all()?;
            while let Some(last) = driver.shadow().len().checked_sub(1) {
                // The last block takes over a slot given back: oldest first, newest first, or from the middle out.
                driver.deallocate([0, last, last / 2][order])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Blocks stay where they are, as they are, and can be given back, when their strategy moves.
///
/// # Errors
/// What the strategy did wrong.
pub fn survives_moving<S: Strategy>(strategy: S, limits: Limits) -> Verdict {
    let mut driver = Driver::new(Subject::plain(&strategy), &Options::new(limits));
    for index in 0..100 {
        driver.allocate(layout(1 + index * 37, 1 << (index % 7)), index % 2 == 0)?;
    }
    let report = driver.report();
    let mut blocks = Vec::new();
    while !driver.shadow().is_empty() {
        blocks.push(driver.give(0));
    }
    let moved = Box::new(strategy);
    let mut driver = Driver::new(Subject::plain(&*moved), &Options::new(limits).failing());
    for block in blocks {
        // SAFETY: the block was given by a driver of this very strategy, which moved since, and is accepted once.
        unsafe { driver.accept(block) }?;
    }
    driver.finish()?;
    if report.allocated == 0 {
        return Err(Failure::from(Breach::Idle { what: "no block was handed out" }));
    }
    Ok(())
}
