//! Holding what a strategy says of itself against what is live.

use core::ops::ControlFlow;
use core::ptr::NonNull;

use alloc_core::{Block, BlockState, Gauge, Ownership, Step, Walked, Zone};

use super::Driver;
use crate::breach::{Breach, WalkFault};
use crate::shadow::Tracked;
use crate::subject::Reuse;

impl Driver<'_> {
    /// Walks the strategy: zones are disjoint, blocks lie within them in order, and every live block is shown as used,
    /// with its usable size where it has one. On an exclusive strategy with sized blocks, nothing else is.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn check_walk(&mut self) -> Result<(), Breach> {
        let limits = self.options.limits;
        // Counted first, so that the visitor that keeps the steps need not allocate.
        let mut count = 0_usize;
        let walked = self.subject.strategy().walk(&mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        expect_end(walked, if limits.walkable { Walked::Complete } else { Walked::Unsupported })?;
        if !limits.walkable {
            return if count == 0 { Ok(()) } else { expect_end(Walked::Complete, Walked::Unsupported) };
        }
        // Other threads may add to it between both walks.
        let mut steps = Vec::with_capacity(if self.options.concurrent { count * 2 + 1024 } else { count });
        let walked = self.subject.strategy().walk(&mut |step| {
            if steps.len() == steps.capacity() {
                return ControlFlow::Break(());
            }
            steps.push(step);
            ControlFlow::Continue(())
        });
        if self.options.concurrent && walked == Walked::Stopped {
            return Ok(());
        }
        expect_end(walked, Walked::Complete)?;
        if count > 0 {
            let mut seen = 0_usize;
            let walked = self.subject.strategy().walk(&mut |_| {
                seen += 1;
                ControlFlow::Break(())
            });
            expect_end(walked, Walked::Stopped)?;
            if seen != 1 {
                return Err(Breach::Lost { what: "a visitor's stop", before: 1, after: seen as u64 });
            }
        }
        let used = used_blocks(&steps)?;
        self.compare(&used)?;
        self.report.walks += 1;
        self.report.walked_blocks +=
            steps.iter().filter(|step| matches!(step, Step::Block(_))).count() as u64;
        Ok(())
    }

    /// Compares the used blocks of a walk, sorted by address, with the shadow.
    fn compare(&self, used: &[Block]) -> Result<(), Breach> {
        let sized = self.subject.sized_blocks().is_some();
        for tracked in self.shadow.blocks() {
            let (address, size) = (tracked.address(), tracked.extent);
            let fault = |fault| Err(Breach::Walk { fault, address, size });
            let after = used.partition_point(|block| block.address <= address);
            let covering = after.checked_sub(1).map(|index| used[index]);
            match covering {
                Some(block) if sized && block.address == address && block.size != size => {
                    return fault(WalkFault::WrongSize);
                }
                Some(block) if sized && block.address == address => {}
                Some(block) if !sized && address + size <= block.address + block.size => {}
                // A strategy without block boundaries has nothing to show for a block of no bytes.
                _ if !sized && size == 0 => {}
                _ => return fault(WalkFault::Missing),
            }
        }
        if sized && self.options.limits.exclusive && !self.options.concurrent {
            let mut live: Vec<usize> = self.shadow.blocks().iter().map(Tracked::address).collect();
            live.sort_unstable();
            if let Some(block) = used.iter().find(|block| live.binary_search(&block.address).is_err()) {
                let Block { address, size, .. } = *block;
                return Err(Breach::Walk { fault: WalkFault::Stale, address, size });
            }
        }
        Ok(())
    }

    /// Reads the figures: their equations hold, and they agree with what is live. With other threads at work, only that
    /// the peak does not fall.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn check_stats(&mut self) -> Result<(), Breach> {
        let stats = self.subject.strategy().stats();
        if let Some(peak) = stats.committed_peak.get() {
            rule("committed_peak never falls", self.committed_peak, peak, |before, now| before <= now)?;
            self.committed_peak = peak;
        }
        if self.options.concurrent {
            return Ok(());
        }
        if let (Some(committed), Some(live), Some(cached), Some(free), Some(metadata)) = (
            stats.committed.get(),
            stats.live.get(),
            stats.cached.get(),
            stats.free.get(),
            stats.metadata.get(),
        ) {
            rule(
                "committed = live + cached + free + metadata",
                committed,
                live + cached + free + metadata,
                |left, right| left == right,
            )?;
        }
        let at_most = |words, left: Gauge, right: Gauge| match (left.get(), right.get()) {
            (Some(left), Some(right)) => rule(words, left, right, |left, right| left <= right),
            _ => Ok(()),
        };
        at_most("committed <= reserved", stats.committed, stats.reserved)?;
        at_most("committed <= committed_peak", stats.committed, stats.committed_peak)?;
        at_most("mapped <= live", stats.mapped, stats.live)?;
        at_most("mapped_blocks <= live_blocks", stats.mapped_blocks, stats.live_blocks)?;
        at_most("free_largest <= free", stats.free_largest, stats.free)?;
        at_most("live <= committed", stats.live, stats.committed)?;
        for (words, bytes, blocks) in [
            ("no cached blocks, no cached bytes", stats.cached, stats.cached_blocks),
            ("no live blocks, no live bytes", stats.live, stats.live_blocks),
            ("no mapped blocks, no mapped bytes", stats.mapped, stats.mapped_blocks),
        ] {
            if let (Some(bytes), Some(0)) = (bytes.get(), blocks.get()) {
                rule(words, bytes, 0, |bytes, none| bytes == none)?;
            }
        }
        self.compare_live(stats.live, stats.live_blocks)
    }

    /// Bytes that are committed and neither free nor held back for reuse, where the figures tell.
    pub(crate) fn taken(&self) -> Option<u64> {
        let stats = self.subject.strategy().stats();
        match (stats.live.get(), stats.metadata.get()) {
            (Some(live), Some(metadata)) => Some(live + metadata),
            _ => stats.committed.get(),
        }
    }

    /// Compares the figures of what is live with the shadow. A strategy that serves freed memory again only in part may
    /// go on counting blocks that were given back.
    fn compare_live(&self, live: Gauge, live_blocks: Gauge) -> Result<(), Breach> {
        let shadow = &self.shadow;
        let exact = self.options.limits.exclusive && self.options.limits.reuse == Reuse::Any;
        if let Some(live) = live.get() {
            let requested = shadow.requested() as u64;
            rule("live counts every block's size", live, requested, |live, requested| live >= requested)?;
            if exact && self.subject.sized_blocks().is_some() {
                let usable = shadow.extents() as u64;
                rule("live is the sum of usable sizes", live, usable, |live, usable| live == usable)?;
            }
            if exact && shadow.is_empty() {
                rule("nothing is live, no live bytes", live, 0, |live, none| live == none)?;
            }
        }
        if let Some(blocks) = live_blocks.get() {
            let held = shadow.len() as u64;
            rule("live_blocks counts every block", blocks, held, |blocks, held| blocks >= held)?;
            if exact {
                rule("live_blocks is the number of live blocks", blocks, held, |blocks, held| {
                    blocks == held
                })?;
            }
        }
        Ok(())
    }

    /// Asks for the owner of a block's first and last byte, of the stack and of a static.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn check_owns(&self, slot: usize) -> Result<(), Breach> {
        static ELSEWHERE: u8 = 0;
        let strategy = self.subject.strategy();
        let tracked = &self.shadow.blocks()[slot];
        if let Some(last) = tracked.extent.checked_sub(1) {
            // SAFETY: `last` lies within the live block.
            let last = unsafe { tracked.block.add(last) };
            for address in [tracked.block, last] {
                if strategy.owns(address) == Ownership::NotMine {
                    return Err(Breach::Disowned { address: address.addr().get() });
                }
            }
        }
        let local = 0_u8;
        for address in [NonNull::from(&local), NonNull::from(&ELSEWHERE), NonNull::dangling()] {
            if strategy.owns(address) == Ownership::Mine {
                return Err(Breach::Claimed { address: address.addr().get() });
            }
        }
        Ok(())
    }

    /// `trim`, after which every block is verified.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn trim(&mut self, keep: usize) -> Result<(), Breach> {
        let committed = self.subject.strategy().stats().committed.get();
        let trimmed = self.subject.strategy().trim(keep);
        if let Some(committed) = committed
            && trimmed as u64 > committed
            && self.options.limits.exclusive
            && !self.options.concurrent
        {
            return Err(Breach::TrimTooLarge { trimmed, committed });
        }
        self.report.trimmed += trimmed as u64;
        self.verify_all()
    }
}

fn rule(
    words: &'static str,
    left: u64,
    right: u64,
    holds: impl FnOnce(u64, u64) -> bool,
) -> Result<(), Breach> {
    if holds(left, right) { Ok(()) } else { Err(Breach::Figures { rule: words, left, right }) }
}

fn expect_end(found: Walked, expected: Walked) -> Result<(), Breach> {
    let word = |walked| match walked {
        Walked::Complete => "Complete",
        Walked::Stopped => "Stopped",
        Walked::Unsupported => "Unsupported",
    };
    if found == expected {
        Ok(())
    } else {
        Err(Breach::WalkEnd { expected: word(expected), found: word(found) })
    }
}

/// The used blocks of a walk by address, after checking its order.
fn used_blocks(steps: &[Step]) -> Result<Vec<Block>, Breach> {
    let mut zones: Vec<Zone> = Vec::new();
    let mut used = Vec::new();
    let mut reached = 0;
    for step in steps {
        match *step {
            Step::Zone(zone) => {
                reached = zone.address;
                zones.push(zone);
            }
            Step::Block(block) => {
                let Block { address, size, state } = block;
                let fault = |fault| Err(Breach::Walk { fault, address, size });
                let Some(zone) = zones.last() else { return fault(WalkFault::BlockBeforeZone) };
                if address < zone.address || address + size > zone.address + zone.size {
                    return fault(WalkFault::OutsideZone);
                }
                if address < reached {
                    return fault(WalkFault::Disorder);
                }
                reached = address + size;
                match state {
                    BlockState::Corrupted => return fault(WalkFault::Corrupted),
                    BlockState::Used | BlockState::Mapped => used.push(block),
                    BlockState::Free | BlockState::Cached | BlockState::Metadata => {}
                }
            }
        }
    }
    zones.sort_unstable_by_key(|zone| zone.address);
    for pair in zones.windows(2) {
        let Zone { address, size } = pair[1];
        if pair[0].address + pair[0].size > address {
            return Err(Breach::Walk { fault: WalkFault::ZonesOverlap, address, size });
        }
    }
    used.sort_unstable_by_key(|block| block.address);
    Ok(used)
}
