//! What a run reports, and how sequences are read.

use core::alloc::Layout;

use alloc_core::Handle;
use alloc_testkit::ops::{bytes, generate};
use alloc_testkit::threads::{Mix, mix};
use alloc_testkit::{Driver, Limits, Op, Options, Report, Shared, Subject, drive};

use crate::arena::{Arena, CAPACITY};
use crate::defect::Defect;
use crate::kept::Kept;

/// A size that makes a layout with the block's alignment of 1, and none with the one that reallocating gives.
#[test]
fn reallocating_to_a_size_that_makes_no_layout_is_skipped() {
    let ops = [
        Op::Allocate { size: 1, align_shift: 0, zeroed: false },
        Op::Reallocate { slot: 0, size: isize::MAX as usize },
    ];
    let report = drive(Subject::sized(&Kept::default()), &ops, &Options::default()).unwrap();
    assert_eq!((report.allocated, report.grown, report.skipped), (1, 0, 1));
}

#[test]
fn counts_are_what_happened() {
    let ops = [
        Op::Allocate { size: 100, align_shift: 4, zeroed: true },
        Op::Allocate { size: 200, align_shift: 0, zeroed: false },
        Op::Grow { slot: 0, by: 1000, zeroed: true },
        Op::Grow { slot: 3, by: usize::MAX, zeroed: false },
        Op::Shrink { slot: 1, by: 50 },
        Op::Reallocate { slot: 1, size: 10 },
        Op::Allocate { size: isize::MAX as usize, align_shift: 0, zeroed: false },
        Op::Allocate { size: 100 << 20, align_shift: 0, zeroed: false },
        Op::Walk,
        Op::Deallocate { slot: 7 },
        Op::Free { slot: 0 },
        Op::Free { slot: 0 },
        Op::Touch { slot: 0 },
    ];
    let report = drive(Subject::sized(&Kept::default()), &ops, &Options::default()).unwrap();
    let moved = report.moved;
    assert!(moved <= 3);
    assert_eq!(
        report,
        Report {
            allocated: 2,
            freed: 2,
            grown: 1,
            shrunk: 2,
            moved,
            refused: 1,
            failures: 0,
            // A sum beyond all sizes, a request above the budget, and two operations without a block.
            skipped: 4,
            walks: 3,
            walked_blocks: 2,
            trimmed: 0,
            peak: 1300,
        }
    );
}

#[test]
fn a_violation_names_its_step() {
    let ops = [Op::Stats, Op::Allocate { size: 8, align_shift: 6, zeroed: false }, Op::Walk];
    let arena = Arena::new(Defect::Misaligns);
    // The first block lies at a page's start; the second is where the fault shows.
    let ops = [&ops[..], &ops[1..2]].concat();
    let violation = drive(Subject::sized(&arena), &ops, &Options::new(Limits::bytes(CAPACITY))).unwrap_err();
    let text = violation.to_string();
    assert!(
        text.starts_with("step 3, Allocate { size: 8, align_shift: 6, zeroed: false }: block 0x"),
        "{text}"
    );
    assert!(text.ends_with(" is not a multiple of its alignment 64"), "{text}");
    assert_eq!(text, format!("{violation:?}"));
}

#[test]
fn any_bytes_drive_a_strategy() {
    for seed in 0..40_u8 {
        let input: Vec<u8> =
            (0..300_u16).map(|index| (index as u8).wrapping_mul(37) ^ seed.wrapping_mul(91)).collect();
        let ops = bytes::from_bytes(&input);
        drive(Subject::sized(&Kept::default()), &ops, &Options::default()).unwrap();
    }
}

#[test]
fn a_handle_is_driven_like_its_strategy() {
    let kept = Kept::default();
    let ops = generate::sample(5, 300);
    let handle = Handle::new_sized(&kept).sized().unwrap();
    let through = drive(Subject::sized(&handle), &ops, &Options::default()).unwrap();
    let direct = drive(Subject::sized(&kept), &ops, &Options::default()).unwrap();
    assert_eq!(Report { moved: 0, ..through }, Report { moved: 0, ..direct });
    assert!(direct.allocated > 50 && direct.grown > 10 && direct.shrunk > 5);
}

#[test]
fn budgets_are_kept() {
    let options = Options { max_request: 4096, max_total: 20_000, ..Options::default() };
    let kept = Kept::default();
    let mut driver = Driver::new(Subject::sized(&kept), &options);
    for op in generate::sample(9, 500) {
        driver.step(op).unwrap();
    }
    let report = driver.finish().unwrap();
    assert!(report.peak <= 20_000 && report.skipped > 50, "{report:?}");
}

#[test]
fn a_driver_verifies_before_it_gives_back() {
    let kept = Kept::default();
    let mut driver = Driver::new(Subject::sized(&kept), &Options::default());
    let slot = driver.allocate(Layout::new::<[u64; 8]>(), false).unwrap().unwrap();
    let block = driver.shadow().blocks()[slot].block;
    // SAFETY: the block is live and filled; the driver is not looking at the moment.
    let first = unsafe { block.read() };
    // SAFETY: as above.
    unsafe { block.write(first ^ 1) };
    let breach = driver.deallocate(slot).unwrap_err();
    assert!(breach.to_string().contains("byte 0 is 0x"), "{breach}");
}

#[test]
fn blocks_change_hands_between_threads() {
    let kept = Kept::default();
    let shape = Mix { steps: 200, ..Mix::TOGETHER };
    let report = mix(Shared::sized(&kept), &shape, &Options::default()).unwrap();
    assert!(report.allocated > 500, "{report:?}");
    assert_eq!(report.allocated, report.freed);
}
