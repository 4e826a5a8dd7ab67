//! What can be wrong with the arena, one thing at a time.

/// A deliberate fault of [`Arena`](crate::arena::Arena).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Sound.
    None,
    /// Blocks of 64 bytes and more get 16 bytes less than they should.
    Overlaps,
    /// Alignments above 16 are ignored.
    Misaligns,
    /// `allocate_zeroed` does not write zeros.
    DirtyZeroed,
    /// `grow_zeroed` does not write zeros.
    DirtyGrowZeroed,
    /// Growing copies all but the last byte.
    LosesOnGrow,
    /// Shrinking moves the block and copies nothing.
    LosesOnShrink,
    /// Reallocating copies one word at most.
    LosesOnReallocate,
    /// A grow that fails takes 64 bytes for itself.
    LeaksOnFailedGrow,
    /// A grow that fails gives the old block back.
    FreesOnFailedGrow,
    /// A block given back is listed for reuse twice.
    FreesTwice,
    /// A block given back by another thread than its maker's stays.
    ForgetsRemoteFrees,
    /// One block in fifty given back is lost.
    LosesSomeFrees,
    /// Blocks are taken back only where the first one was made: the strategy must not move.
    MindsMoving,
    /// Size 0 is refused.
    RefusesZero,
    /// Rounding up wraps around, so that enormous sizes become small blocks.
    WrapsSizes,
    /// The usable size is short by one granule.
    UsableTooSmall,
    /// The usable size is one granule too much.
    UsableTooLarge,
    /// The usable size is another at every call.
    UsableChanges,
    /// `owns` disowns odd addresses.
    Disowns,
    /// `owns` claims everything.
    ClaimsAll,
    /// The walk leaves out the fourth block.
    WalkMisses,
    /// The walk shows a block that was given back as used.
    WalkShowsFreed,
    /// The walk shows a block with a byte less than is usable.
    WalkShortens,
    /// The walk shows its zone twice.
    WalkRepeatsZone,
    /// The walk shows blocks from high to low.
    WalkDisorders,
    /// The walk shows a block before its zone.
    WalkStartsLate,
    /// The walk shows a zone that ends at half its blocks.
    WalkLeavesZone,
    /// The walk shows a block as corrupted.
    WalkCorrupted,
    /// The walk goes on when told to stop.
    WalkGoesOn,
    /// The walk says it is not supported.
    WalkUnsupported,
    /// `live` counts one byte a block too few.
    StatsUndercount,
    /// `live_blocks` counts one too many.
    StatsOvercount,
    /// `metadata` leaves a byte out.
    StatsDoNotAddUp,
    /// Trimming clears the first live block.
    TrimClears,
    /// Trimming says it gave everything back, twice.
    TrimBrags,
    /// The name is empty.
    Nameless,
}
