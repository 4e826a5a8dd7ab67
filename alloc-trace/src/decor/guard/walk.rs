//! Looking into a guard: its blocks, not the inner strategy's.

use core::ops::ControlFlow;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use alloc_core::arith::align_up;
use alloc_core::{
    Block, BlockState, Field, Gauge, Inspect, Ownership, Peek, Stats, Step, Strategy, Visit, Walked,
};

use super::Guard;
use super::frame::{Guarded, Life, REAR, show_header};

impl<S: Strategy> Guard<S> {
    /// Shows a used block of the inner strategy as what is in it.
    fn show(&self, block: Block, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        let end = block.address + block.size;
        let mut at = block.address;
        let mut first = true;
        while let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(at)) {
            // SAFETY: the inner strategy shows these bytes as used, which keeps them mapped while the walk lasts.
            let Some(guarded) = (unsafe { Guarded::read_from_start(start, end - at) }) else { break };
            let user = guarded.user.addr().get();
            let whole = guarded.canaries().is_ok() && (guarded.life == Life::Live || guarded.is_filled());
            // SAFETY: as above. A block that is freed and served again meanwhile, from a cache in front of the heap whose
            // lock the walk may hold, is no longer the one that was looked at.
            let same = unsafe { Guarded::read(guarded.user) }.is_some_and(|now| now == guarded);
            if !same {
                break;
            }
            let state = match guarded.life {
                _ if !whole => BlockState::Corrupted,
                Life::Freed => BlockState::Cached,
                Life::Live => BlockState::Used,
            };
            fill(visit, at, user, BlockState::Metadata)?;
            // Those of no bytes too: their holders look for them.
            visit(Step::Block(Block { address: user, size: guarded.size, state }))?;
            let behind = user + guarded.size;
            at = align_up(behind + REAR, 16).map_or(end, |next| next.min(end));
            fill(visit, behind, at, BlockState::Metadata)?;
            first = false;
        }
        let rest = if first || !self.blocks { block.state } else { BlockState::Metadata };
        fill(visit, at, end, rest)
    }
}

/// Shows the bytes from `from` to `to`, if there are any.
fn fill(visit: &mut dyn FnMut(Step) -> Visit, from: usize, to: usize, state: BlockState) -> Visit {
    if from == to {
        return ControlFlow::Continue(());
    }
    visit(Step::Block(Block { address: from, size: to - from, state }))
}

impl<S: Strategy> Inspect for Guard<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    /// Users' bytes and blocks are live, those held back are cached, and all that the guard adds is metadata.
    fn stats(&self) -> Stats {
        // Nobody waits for the quarantine: while it is used, its blocks are told as the inner strategy's.
        let (held, held_blocks) =
            self.held.try_enter().map_or((0, 0), |held| (held.bytes() as u64, held.count() as u64));
        let inner = self.inner.stats();
        let slots = self.slots.figures();
        let plus =
            |gauge: Gauge, more: u64| gauge.get().map_or(Gauge::UNKNOWN, |known| Gauge::known(known + more));
        let live = self.live.load(Ordering::Relaxed) as u64;
        let metadata = match (inner.metadata.get(), inner.live.get()) {
            (Some(metadata), Some(all)) => Gauge::known(
                metadata + all.saturating_sub(live + held) + slots.committed.saturating_sub(slots.bytes),
            ),
            _ => Gauge::UNKNOWN,
        };
        Stats {
            reserved: plus(inner.reserved, slots.reserved),
            committed: plus(inner.committed, slots.committed),
            committed_peak: if self.every == 0 { inner.committed_peak } else { Gauge::UNKNOWN },
            live: Gauge::known(live + slots.bytes),
            live_blocks: Gauge::known(self.live_blocks.load(Ordering::Relaxed) as u64 + slots.blocks),
            cached: plus(inner.cached, held),
            cached_blocks: plus(inner.cached_blocks, held_blocks),
            mapped: Gauge::UNKNOWN,
            mapped_blocks: Gauge::UNKNOWN,
            metadata,
            ..inner
        }
    }

    /// The inner strategy's zones, with the users' blocks in them: live ones as used, those held back as cached, those with
    /// broken canaries as corrupted, and red zones as metadata. Then the guard pages' zone.
    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        let walked = self.inner.walk(&mut |step| match step {
            Step::Block(block) if matches!(block.state, BlockState::Used | BlockState::Mapped) => {
                self.show(block, visit)
            }
            step => visit(step),
        });
        match walked {
            Walked::Complete if self.slots.walk(visit).is_break() => Walked::Stopped,
            walked => walked,
        }
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        if self.slots.contains(address.addr().get()) { Ownership::Mine } else { self.inner.owns(address) }
    }

    fn trim(&self, keep: usize) -> usize {
        self.drain();
        self.inner.trim(keep)
    }

    /// The guard's own header of a block of its own; that of the inner strategy stands before it.
    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        if self.slots.contains(block.address) || block.state == BlockState::Free {
            return;
        }
        show_header(block.address, peek, show);
    }
}
