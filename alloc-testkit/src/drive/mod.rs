//! Runs operations against a strategy and holds every answer against the shadow.
//!
//! A [`Driver`] is the honest program: it keeps the trait's conditions whatever it is asked to do, fills every block
//! with a pattern of its own, and verifies that before it gives the block back, resizes it, or ends. What it reports is
//! therefore the strategy's doing.

mod observe;
mod options;
mod report;
mod resize;

pub use options::Options;
pub use report::Report;

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::checked_layout;

use crate::breach::{Breach, Violation};
use crate::fill;
use crate::ops::Op;
use crate::shadow::{Shadow, Tracked};
use crate::subject::{Reuse, Subject};

/// Sizes from here on exceed the address space of every machine, so that serving one is a breach.
pub const IMPOSSIBLE: usize = if usize::BITS == 64 { 1 << 56 } else { isize::MAX as usize - (64 << 10) };

/// The alignment that [`SizedBlocks::reallocate`](alloc_core::SizedBlocks::reallocate) promises: two words.
pub const PLAIN_ALIGN: usize = 2 * size_of::<usize>();

/// Usable bytes beyond the size asked for are filled up to this size: an alignment of 1 GiB may make 1 GiB usable.
const FILL_USABLE: usize = 64 << 10;

/// Runs `ops` on a strategy, then verifies and gives back all blocks.
///
/// # Errors
/// The first breach of the contract, with the operation that showed it. Blocks that were live then are not given back.
pub fn drive(subject: Subject<'_>, ops: &[Op], options: &Options) -> Result<Report, Violation> {
    let mut driver = Driver::new(subject, options);
    for (step, &op) in ops.iter().enumerate() {
        driver.step(op).map_err(|breach| Violation { at: Some((step, op)), breach })?;
    }
    driver.finish().map_err(|breach| Violation { at: None, breach })
}

/// A run in progress. Slots are those of its [`Shadow`].
#[derive(Debug)]
pub struct Driver<'a> {
    subject: Subject<'a>,
    options: Options,
    /// The blocks that this driver holds, each live, owned by the strategy and filled with its pattern.
    shadow: Shadow,
    report: Report,
    /// Sum of the sizes asked for, in bytes.
    asked: usize,
    seed: u64,
    committed_peak: u64,
}

impl<'a> Driver<'a> {
    /// A run that holds no block yet.
    #[must_use]
    pub fn new(subject: Subject<'a>, options: &Options) -> Self {
        Self {
            subject,
            options: *options,
            shadow: Shadow::new(),
            report: Report::default(),
            asked: 0,
            seed: options.seed,
            committed_peak: 0,
        }
    }

    /// The blocks held.
    #[must_use]
    pub fn shadow(&self) -> &Shadow {
        &self.shadow
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// Runs one operation.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn step(&mut self, op: Op) -> Result<(), Breach> {
        match op {
            Op::Allocate { size, align_shift, zeroed } => match checked_layout(size, 1 << align_shift) {
                Some(layout) if self.affords(layout) => self.allocate(layout, zeroed).map(|_| ()),
                _ => self.skip(),
            },
            Op::Deallocate { slot } => self.on(slot, Self::deallocate),
            Op::Free { slot } => self.on(slot, Self::free),
            Op::Grow { slot, by, zeroed } => self.on(slot, |driver, slot| {
                let layout = driver.shadow.blocks()[slot].layout;
                match layout.size().checked_add(by).and_then(|size| checked_layout(size, layout.align())) {
                    Some(new) if driver.affords(new) => driver.grow(slot, new.size(), zeroed).map(|_| ()),
                    _ => driver.skip(),
                }
            }),
            Op::Shrink { slot, by } => self.on(slot, |driver, slot| {
                let size = driver.shadow.blocks()[slot].layout.size();
                driver.shrink(slot, size - by % (size + 1)).map(|_| ())
            }),
            Op::Reallocate { slot, size } => self.on(slot, |driver, slot| {
                // Not every size that makes a layout with a block's own alignment makes one with the plain one.
                let align = match driver.subject.sized_blocks() {
                    Some(_) => PLAIN_ALIGN,
                    None => driver.shadow.blocks()[slot].layout.align(),
                };
                match checked_layout(size, align) {
                    Some(new) if driver.affords(new) => driver.reallocate(slot, size).map(|_| ()),
                    _ => driver.skip(),
                }
            }),
            Op::Touch { slot } => self.on(slot, Self::touch),
            Op::Owns { slot } => self.on(slot, |driver, slot| driver.check_owns(slot)),
            Op::Trim { keep } => self.trim(keep),
            Op::Walk => self.check_walk(),
            Op::Stats => self.check_stats(),
        }
    }

    /// `allocate`, or `allocate_zeroed`; the new block's slot, or `None` when it was rightly refused.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn allocate(&mut self, layout: Layout, zeroed: bool) -> Result<Option<usize>, Breach> {
        let strategy = self.subject.strategy();
        let answer = if zeroed { strategy.allocate_zeroed(layout) } else { strategy.allocate(layout) };
        let Some(block) = self.judge(answer, layout)? else { return Ok(None) };
        let tracked = self.tracked(block, layout);
        let slot = self.shadow.insert(tracked)?;
        self.report.allocated += 1;
        if zeroed {
            // SAFETY: the strategy promises `layout.size()` zeroed bytes, and the shadow that nobody else holds them.
            unsafe { fill::verify_zero(block, 0, layout.size()) }?;
        }
        self.fill(slot);
        Ok(Some(slot))
    }

    /// `deallocate`, with any of the sizes that fit.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn deallocate(&mut self, slot: usize) -> Result<(), Breach> {
        self.verify(slot)?;
        let tracked = self.shadow.remove(slot);
        let layout = fitting(&tracked, usize::MAX);
        self.report.freed += 1;
        // SAFETY: the shadow held the block as live, and forgot it just now; `fitting` keeps the conditions of *fits*.
        unsafe { self.subject.strategy().deallocate(tracked.block, layout) };
        Ok(())
    }

    /// `free`, or `deallocate` on a strategy without it.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn free(&mut self, slot: usize) -> Result<(), Breach> {
        let Some(sized) = self.subject.sized_blocks() else { return self.deallocate(slot) };
        self.verify(slot)?;
        let tracked = self.shadow.remove(slot);
        self.report.freed += 1;
        // SAFETY: the shadow held the block as live, and forgot it just now.
        unsafe { sized.free(tracked.block) };
        Ok(())
    }

    /// Verifies a block's contents and, where the strategy tells it, that its usable size is what it was.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn verify(&self, slot: usize) -> Result<(), Breach> {
        let tracked = &self.shadow.blocks()[slot];
        let extent = self.extent(tracked.block, tracked.layout);
        if extent != tracked.extent {
            let (before, after) = (tracked.extent, extent);
            return Err(Breach::UsableChanged { address: tracked.address(), before, after });
        }
        self.verify_contents(tracked, tracked.filled)
    }

    /// Verifies every block.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn verify_all(&self) -> Result<(), Breach> {
        (0..self.shadow.len()).try_for_each(|slot| self.verify(slot))
    }

    /// Verifies a block, then writes it anew.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn touch(&mut self, slot: usize) -> Result<(), Breach> {
        self.verify(slot)?;
        self.fill(slot);
        Ok(())
    }

    /// Verifies and gives back every block, the one in the last slot first.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn free_all(&mut self) -> Result<(), Breach> {
        while let Some(last) = self.shadow.len().checked_sub(1) {
            self.deallocate(last)?;
        }
        Ok(())
    }

    /// Verifies everything, looks into the strategy, gives every block back, and looks again.
    ///
    /// # Errors
    /// What the strategy did wrong.
    pub fn finish(mut self) -> Result<Report, Breach> {
        self.verify_all()?;
        self.check_walk()?;
        self.check_stats()?;
        self.free_all()?;
        self.check_walk()?;
        self.check_stats()?;
        Ok(self.report)
    }

    /// Hands a block over to somebody else, who must `accept` it into a run on the same strategy, or leaks it.
    pub(crate) fn give(&mut self, slot: usize) -> Tracked {
        self.shadow.remove(slot)
    }

    /// Takes a block over.
    ///
    /// # Safety
    /// The block was [given](Self::give) by a driver of the same strategy, and is accepted once.
    ///
    /// # Errors
    /// When it overlaps a block held here.
    pub(crate) unsafe fn accept(&mut self, tracked: Tracked) -> Result<(), Breach> {
        let slot = self.shadow.insert(tracked)?;
        self.verify(slot)
    }

    fn skip(&mut self) -> Result<(), Breach> {
        self.report.skipped += 1;
        Ok(())
    }

    fn on(
        &mut self,
        slot: u32,
        act: impl FnOnce(&mut Self, usize) -> Result<(), Breach>,
    ) -> Result<(), Breach> {
        match (slot as usize).checked_rem(self.shadow.len()) {
            Some(slot) => act(self, slot),
            None => self.skip(),
        }
    }

    /// Whether a request is within the run's budgets, or cannot cost anything because it must be refused.
    fn affords(&self, layout: Layout) -> bool {
        self.must_refuse(layout)
            || (layout.size() <= self.options.max_request
                && self.asked.saturating_add(layout.size()) <= self.options.max_total)
    }

    fn must_refuse(&self, layout: Layout) -> bool {
        layout.size() >= IMPOSSIBLE || self.options.limits.total.is_some_and(|total| layout.size() > total)
    }

    fn must_serve(&self, layout: Layout) -> bool {
        let limits = &self.options.limits;
        let fresh = self.shadow.is_empty() && (limits.reuse == Reuse::Any || self.report.allocated == 0);
        !self.options.may_fail
            && layout.size().saturating_add(layout.align()) <= limits.serves
            && (limits.total.is_none() || fresh)
    }

    /// Takes note of an answer, and says whether the strategy had the choice.
    fn judge(
        &mut self,
        answer: Result<NonNull<u8>, AllocError>,
        layout: Layout,
    ) -> Result<Option<NonNull<u8>>, Breach> {
        let (size, align) = (layout.size(), layout.align());
        match answer {
            Ok(_) if self.must_refuse(layout) => Err(Breach::Impossible { size, align }),
            Ok(block) => {
                self.asked = self.asked.saturating_add(size);
                Ok(Some(block))
            }
            Err(AllocError) if self.must_serve(layout) => Err(Breach::Refused { size, align }),
            Err(AllocError) => {
                self.report.refused += 1;
                self.report.failures += u64::from(!self.must_refuse(layout));
                Ok(None)
            }
        }
    }

    fn tracked(&mut self, block: NonNull<u8>, layout: Layout) -> Tracked {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let extent = self.extent(block, layout);
        let filled = extent.min(layout.size().max(FILL_USABLE));
        Tracked { block, layout, extent, filled, seed: self.seed }
    }

    fn extent(&self, block: NonNull<u8>, layout: Layout) -> usize {
        match self.subject.sized_blocks() {
            // SAFETY: called for blocks that the strategy returned just now, or that the shadow holds as live.
            Some(sized) => unsafe { sized.usable_size(block) },
            None => layout.size(),
        }
    }

    fn fill(&mut self, slot: usize) {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.shadow.reseed(slot, self.seed);
        self.report.peak = self.report.peak.max(self.shadow.requested());
        let tracked = &self.shadow.blocks()[slot];
        // SAFETY: the shadow holds the block as live, and `filled` bytes of it are ours to use.
        unsafe { fill::write(tracked.block, tracked.filled, tracked.seed) };
    }

    fn verify_contents(&self, tracked: &Tracked, limit: usize) -> Result<(), Breach> {
        // SAFETY: the block is live and was filled with this seed over `filled` bytes; nobody else writes to it.
        unsafe { fill::verify(tracked.block, tracked.filled, limit.min(tracked.filled), tracked.seed) }
    }
}

/// A layout that fits the block and is no larger than `most`: by turns the size asked for, the usable one, and one
/// between.
fn fitting(tracked: &Tracked, most: usize) -> Layout {
    let asked = tracked.layout.size();
    let room = tracked.extent.min(most).saturating_sub(asked);
    let more = match tracked.seed % 3 {
        0 => 0,
        1 => room,
        _ => room / 2,
    };
    // The usable size need not round up to the alignment within `isize::MAX`; then the size asked for fits.
    checked_layout(asked + more, tracked.layout.align()).unwrap_or(tracked.layout)
}
