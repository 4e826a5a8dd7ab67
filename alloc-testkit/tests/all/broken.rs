//! Each defect is caught by the property that is there for it, in the words that name it, and the same property
//! passes without the defect.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloc_testkit::conformance::{self, Maker, SharedMaker, Verdict, require};
use alloc_testkit::{Limits, Shared, Subject};

use crate::arena::{Arena, CAPACITY};
use crate::defect::Defect;
use crate::kept::Kept;

type Property = fn(&mut Maker<'_>, Limits) -> Verdict;

fn verdict(defect: Defect, property: Property) -> Verdict {
    let limits = Limits::bytes(CAPACITY);
    property(&mut |body| body(Subject::sized(&Arena::new(defect))), limits)
}

/// What the test says that stands for `property` on an arena with this defect.
fn message(verdict: Verdict) -> String {
    let panic =
        catch_unwind(AssertUnwindSafe(|| require("property", verdict))).expect_err("the defect is caught");
    *panic.downcast::<String>().expect("the suite panics with text")
}

macro_rules! caught {
    ($($test:ident: $defect:ident by $property:ident, $($words:literal),+;)+) => {$(
        #[test]
        fn $test() {
            assert_eq!(verdict(Defect::None, conformance::$property), Ok(()));
            let message = message(verdict(Defect::$defect, conformance::$property));
            assert!(message.starts_with("property: "), "{message}");
            $(assert!(message.contains($words), "{message}");)+
        }
    )+};
}

caught! {
    overlapping_blocks: Overlaps by many_blocks, " overlaps the live block 0x";
    misaligned_blocks: Misaligns by every_alignment, " is not a multiple of its alignment ";
    dirty_zeroed_blocks: DirtyZeroed by zeroed_is_zero, " instead of zero";
    dirty_zeroed_growth: DirtyGrowZeroed by zeroed_is_zero, " instead of zero";
    contents_lost_on_grow: LosesOnGrow by resize_keeps_contents, ", its holder wrote 0x";
    contents_lost_on_shrink: LosesOnShrink by resize_keeps_contents, ", its holder wrote 0x";
    contents_lost_on_reallocate: LosesOnReallocate by reallocate_keeps_contents, ", its holder wrote 0x";
    memory_lost_on_failed_grow: LeaksOnFailedGrow by failed_grow_keeps_the_block,
        "lost memory to failed grows, in bytes taken: ";
    block_lost_on_failed_grow: FreesOnFailedGrow by failed_grow_keeps_the_block, "usable size was ";
    a_block_listed_twice: FreesTwice by zeroed_is_zero, " overlaps the live block 0x";
    memory_lost_on_some_frees: LosesSomeFrees by exhaustion_and_recovery, "lost room, in blocks that fit: ";
    zero_refused: RefusesZero by zero_sizes, "refused 0 bytes aligned to 1, ";
    sizes_wrapped: WrapsSizes by impossible_sizes, "served ", ", for which no memory suffices";
    usable_size_too_small: UsableTooSmall by usable_sizes, "usable size 0 is smaller than the 1 bytes asked for";
    usable_size_too_large: UsableTooLarge by usable_sizes, " overlaps the live block 0x";
    usable_size_changing: UsableChanges by usable_sizes, "usable size was ", " without a resize";
    live_blocks_disowned: Disowns by owns_answers, " is NotMine, but the address lies in a live block";
    foreign_memory_claimed: ClaimsAll by owns_answers, " is Mine, but the address is foreign";
    walk_misses_a_block: WalkMisses by walk_shows_live_blocks, " is live, but no used block that was shown covers it";
    walk_shows_a_freed_block: WalkShowsFreed by walk_shows_live_blocks, " was shown as used, but no live block";
    walk_shows_another_size: WalkShortens by walk_shows_live_blocks, " with another size than its usable size";
    walk_repeats_a_zone: WalkRepeatsZone by walk_shows_live_blocks, " is a zone that overlaps another zone";
    walk_out_of_order: WalkDisorders by walk_shows_live_blocks, " starts before the block shown last has ended";
    walk_starts_without_a_zone: WalkStartsLate by walk_shows_live_blocks, " was shown before any zone";
    walk_leaves_its_zone: WalkLeavesZone by walk_shows_live_blocks, " leaves its zone";
    walk_shows_corruption: WalkCorrupted by walk_shows_live_blocks, " was shown as corrupted";
    walk_does_not_stop: WalkGoesOn by walk_shows_live_blocks, "walk ended as `Stopped` instead of `Complete`";
    walk_not_supported: WalkUnsupported by walk_shows_live_blocks,
        "walk ended as `Unsupported` instead of `Complete`";
    stats_count_too_few_bytes: StatsUndercount by stats_add_up, "stats contradict the rule `live ";
    stats_count_too_many_blocks: StatsOvercount by stats_add_up,
        "stats contradict the rule `live_blocks is the number of live blocks`: 1 and 0";
    stats_do_not_add_up: StatsDoNotAddUp by stats_add_up,
        "stats contradict the rule `committed = live + cached + free + metadata`";
    trim_clears_a_block: TrimClears by trim_loses_nothing, " is 0x00, its holder wrote 0x";
    trim_says_too_much: TrimBrags by trim_loses_nothing, "trim gave 4194304 bytes back, of 2097152 committed";
    no_name: Nameless by has_a_name, "name() is empty";
}

#[test]
fn memory_lost_round_by_round() {
    let run = |make: fn() -> Kept| {
        conformance::nothing_is_lost(&mut |body| body(Subject::sized(&make())), Limits::UNLIMITED)
    };
    assert_eq!(run(Kept::default), Ok(()));
    assert_eq!(run(Kept::trimming), Ok(()));
    let message = message(run(Kept::leaking));
    assert!(message.contains("lost memory, in committed bytes: "), "{message}");
}

#[test]
fn a_strategy_that_minds_moving() {
    let run = |defect| conformance::survives_moving(Arena::new(defect), Limits::bytes(CAPACITY));
    assert_eq!(run(Defect::None), Ok(()));
    let message = message(run(Defect::MindsMoving));
    assert!(message.contains("stats contradict the rule `nothing is live, no live bytes`"), "{message}");
}

#[test]
fn remote_frees_forgotten() {
    let run = |defect| {
        let make: &mut SharedMaker<'_> = &mut |body| body(Shared::sized(&Arena::new(defect)));
        conformance::threads_together(make, Limits::bytes(CAPACITY))
    };
    assert_eq!(run(Defect::None), Ok(()));
    let message = message(run(Defect::ForgetsRemoteFrees));
    assert!(message.contains(" was shown as used, but no live block is there"), "{message}");
}

/// The generator alone finds every defect that a sequence of operations can show, and shrinks it.
#[test]
fn random_operations_catch_nearly_everything() {
    use Defect::*;
    for defect in [
        Overlaps,
        Misaligns,
        DirtyZeroed,
        DirtyGrowZeroed,
        LosesOnGrow,
        LosesOnShrink,
        LosesOnReallocate,
        FreesOnFailedGrow,
        FreesTwice,
        WrapsSizes,
        UsableTooSmall,
        UsableTooLarge,
        UsableChanges,
        Disowns,
        ClaimsAll,
        WalkMisses,
        WalkShowsFreed,
        WalkShortens,
        WalkRepeatsZone,
        WalkDisorders,
        WalkStartsLate,
        WalkLeavesZone,
        WalkCorrupted,
        WalkGoesOn,
        WalkUnsupported,
        StatsUndercount,
        StatsOvercount,
        StatsDoNotAddUp,
        TrimClears,
        TrimBrags,
    ] {
        let caught = verdict(defect, conformance::random_operations);
        let failure =
            caught.map_err(|failure| failure.to_string()).expect_err(&format!("{defect:?} is caught"));
        assert!(
            failure.contains("\nshortest operations: [") && failure.contains("\nas bytes: "),
            "{failure}"
        );
    }
}
