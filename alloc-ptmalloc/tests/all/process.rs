//! A heap in the process's own slot.

use core::alloc::Layout;
use std::thread;

use alloc_core::backend::PagesBackend;
use alloc_core::os::unix::Os;
use alloc_core::{SizedBlocks, Strategy};
use alloc_ptmalloc::{Config, Era, ProcessSlot, Ptmalloc};
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Options, Subject, drive};

// SAFETY: the only one of this test binary, and a static.
static PROCESS: Ptmalloc<PagesBackend<Os>, ProcessSlot> =
    unsafe { Ptmalloc::for_process(Config::new(Era::Ours)) };

#[test]
fn every_thread_finds_its_own_cache() {
    thread::scope(|scope| {
        for number in 0..6 {
            scope.spawn(move || {
                let ops = generate::sample(0x70c + number, 3000);
                let options = Options {
                    concurrent: true,
                    max_request: 1 << 18,
                    ..Options::new(Limits::UNLIMITED.serving(1 << 18))
                };
                drive(Subject::sized(&PROCESS), &ops, &options).expect("no breach");
            });
        }
    });
}

/// A block that outlives its thread, and one that a destructor frees after the exit hook of the heap may have run.
#[test]
fn destructors_of_a_thread_may_allocate_and_free() {
    struct Late(Vec<usize>);
    impl Drop for Late {
        fn drop(&mut self) {
            for _ in 0..100 {
                let block = PROCESS.allocate(Layout::new::<[u64; 5]>()).expect("memory");
                // SAFETY: live, from this heap.
                unsafe { PROCESS.free(block) };
            }
            for &address in &self.0 {
                let block = core::ptr::NonNull::new(core::ptr::with_exposed_provenance_mut(address))
                    .expect("a block");
                // SAFETY: live, from this heap.
                unsafe { PROCESS.free(block) };
            }
        }
    }
    std::thread_local! {
        static LATE: core::cell::RefCell<Late> = const { core::cell::RefCell::new(Late(Vec::new())) };
    }
    for _ in 0..20 {
        thread::spawn(|| {
            // Registered before the heap's hook.
            LATE.with_borrow_mut(|late| late.0.reserve(64));
            for size in 0..64 {
                let layout = Layout::from_size_align(size * 40, 8).expect("a layout");
                let block = PROCESS.allocate(layout).expect("memory");
                LATE.with_borrow_mut(|late| late.0.push(block.as_ptr().expose_provenance()));
            }
        })
        .join()
        .expect("no panic");
    }
}
