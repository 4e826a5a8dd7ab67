//! Each misuse of a guarded block, with its exact message.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::ptr::NonNull;

use alloc_core::{OnMisuse, SizedBlocks, Strategy};
use alloc_testkit::death::{Role, expect_death, role};
use alloc_trace::Guard;

use crate::support::{self, FreeHeap, layout};

type Heap = Guard<FreeHeap>;

fn heap() -> Heap {
    Guard::sized(support::heap())
}

/// Changes a byte, so that the compiler cannot drop it.
fn smash(block: NonNull<u8>, offset: isize) {
    // SAFETY: the byte lies in the heap's memory; it is the fault that the test is about.
    let place = unsafe { black_box(block).offset(offset) };
    // SAFETY: as above.
    let byte = unsafe { place.read_volatile() };
    // SAFETY: as above.
    unsafe { place.write_volatile(!byte) };
}

/// Runs `misuse` on a block of 40 bytes in a child, and expects the message.
#[track_caller]
fn dies(test: &str, message: &str, heap: impl Fn() -> Heap, misuse: impl Fn(&Heap, NonNull<u8>)) {
    let role = role();
    if role == Role::Parent {
        return expect_death(
            &format!("deaths::{test}"),
            &[],
            &format!("strata: freelist: {message}"),
            libc::SIGABRT,
        );
    }
    let heap = heap();
    let block = heap.allocate(layout(40, 8)).unwrap();
    if role == Role::Misuse {
        misuse(&heap, block);
    }
    // SAFETY: the block came from the heap, with this layout.
    unsafe { heap.deallocate(block, layout(40, 8)) };
    heap.drain();
}

#[test]
fn a_byte_behind() {
    let message = "write past the end at {address}: the bytes behind the block were changed";
    dies("a_byte_behind", message, heap, |_, block| smash(block, 40));
}

#[test]
fn a_byte_before() {
    let message = "write before the start at {address}: the bytes before the block were changed";
    dies("a_byte_before", message, heap, |_, block| smash(block, -1));
}

#[test]
fn a_byte_in_the_header() {
    let message = "corrupted header at {address}: the block's size or flags contradict its neighbours";
    dies("a_byte_in_the_header", message, heap, |_, block| smash(block, -32));
}

#[test]
fn a_double_free() {
    let message = "double free at {address}: the block is already free";
    let heap = || heap().quarantine(1 << 16);
    dies("a_double_free", message, heap, |heap, block| {
        // SAFETY: the block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout(40, 8)) };
    });
}

#[test]
fn a_write_after_free() {
    let message = "write after free at {address}: the block was changed after it was freed";
    let heap = || heap().quarantine(1 << 16);
    dies("a_write_after_free", message, heap, |heap, block| {
        // SAFETY: the block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout(40, 8)) };
        smash(block, 17);
        heap.drain();
    });
}

#[test]
fn another_size() {
    let message = "layout mismatch at {address}: the size or alignment given is not the block's";
    dies("another_size", message, heap, |heap, block| {
        // SAFETY: the block came from the heap; its layout did not: the fault that the test is about.
        unsafe { heap.deallocate(block, layout(41, 8)) };
    });
}

#[test]
fn a_foreign_block() {
    let message = "foreign pointer at {address}: no memory of this strategy is there";
    dies("a_foreign_block", message, heap, |heap, _| {
        let mut local = [0_u64; 16];
        // SAFETY: no block of the heap: the fault that the test is about.
        unsafe { heap.free(NonNull::from(&mut local).cast()) };
    });
}

#[test]
fn a_misaligned_block() {
    let message = "misaligned pointer at {address}: no block can start there";
    dies("a_misaligned_block", message, heap, |heap, block| {
        // SAFETY: within the block.
        let within = unsafe { block.add(3) };
        // SAFETY: no block of the heap: the fault that the test is about.
        unsafe { heap.free(within) };
    });
}

#[test]
fn an_interior_block_on_pages_of_its_own() {
    let message = "interior pointer at {address}: it points into a block, not at its start";
    let heap = || heap().pages_every(1);
    dies("an_interior_block_on_pages_of_its_own", message, heap, |heap, block| {
        // SAFETY: within the block.
        let within = unsafe { block.add(8) };
        // SAFETY: no block of the heap: the fault that the test is about.
        unsafe { heap.free(within) };
    });
}

/// The one death without a message: the page's own.
#[test]
fn pages_of_their_own_stop_the_access_itself() {
    const ROLE: &str = "GUARD_PAGES_ACCESS";
    const TEST: &str = "deaths::pages_of_their_own_stop_the_access_itself";
    if let Ok(access) = std::env::var(ROLE) {
        let heap = heap().pages_every(1);
        let block = heap.allocate(layout(4096, 16)).unwrap();
        if access == "after" {
            // SAFETY: the block came from the heap, with this layout.
            unsafe { heap.deallocate(block, layout(4096, 16)) };
        }
        // SAFETY: the block's last byte, or one behind it.
        let place = unsafe { block.add(if access == "behind" { 4096 } else { 4095 }) };
        // SAFETY: within the block, or the fault that the test is about.
        black_box(unsafe { place.read_volatile() });
        std::process::exit(7);
    }
    let run = |access: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture"]).env(ROLE, access);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        std::os::unix::process::ExitStatusExt::signal(&status).ok_or(status.code())
    };
    assert_eq!(run("within"), Err(Some(7)));
    assert_eq!(run("behind"), Ok(libc::SIGSEGV));
    assert_eq!(run("after"), Ok(libc::SIGSEGV));
}

#[test]
fn a_fault_can_be_told_and_passed_over() {
    const TEST: &str = "deaths::a_fault_can_be_told_and_passed_over";
    if std::env::var("GUARD_GOES_ON").is_ok() {
        let heap = heap().on_fault(OnMisuse::Ignore);
        for _ in 0..3 {
            let block = heap.allocate(layout(40, 8)).unwrap();
            smash(block, 41);
            // SAFETY: the block came from the heap, with this layout.
            unsafe { heap.deallocate(block, layout(40, 8)) };
        }
        assert_eq!(heap.faults(), 3);
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([TEST, "--exact", "--nocapture"]).env("GUARD_GOES_ON", "1").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("strata: freelist: write past the end at 0x").count(), 3, "{text}");
}
