//! The adapters to other allocator traits.

use alloc_core::compat::{FromGlobal, Global};
use alloc_core::{AllocError, Inspect, Libc, Strategy};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;

#[test]
fn a_global_allocator_serves_through_its_strategy() {
    let global = Global::new(Libc);
    let layout = Layout::from_size_align(40, 64).unwrap();
    // SAFETY: sizes are not zero, and the block is used with its layout.
    unsafe {
        let block = global.alloc_zeroed(layout);
        assert!(block.addr().is_multiple_of(64));
        block.write(9);
        let block = global.realloc(block, layout, 4000);
        assert_eq!(*block, 9);
        let block = global.realloc(block, Layout::from_size_align(4000, 64).unwrap(), 8);
        assert_eq!(*block, 9);
        global.dealloc(block, Layout::from_size_align(8, 64).unwrap());
    }
    assert_eq!(global.strategy().name(), "libc");
}

#[test]
fn an_exhausted_global_allocator_returns_null() {
    let global = Global::new(alloc_core::handle::Null);
    // SAFETY: the size is not zero.
    assert!(unsafe { global.alloc(Layout::new::<u64>()) }.is_null());
}

/// `Abort` ends the process, so it is tried in a child: this test runs itself again.
#[test]
fn an_aborting_global_allocator_says_one_line() {
    const CHILD: &str = "STRATA_TEST_EXHAUST";
    if std::env::var_os(CHILD).is_some() {
        let global = Global::aborting(alloc_core::handle::Null);
        // SAFETY: the size is not zero.
        unsafe { global.alloc(Layout::from_size_align(4096, 64).unwrap()) };
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "compat::an_aborting_global_allocator_says_one_line", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8(child.stderr).unwrap();
    assert_eq!(stderr, "strata: null: out of memory: 4096 bytes aligned to 64 were asked for\n");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.status), Some(libc::SIGABRT));
}

#[test]
fn any_global_allocator_is_a_strategy() {
    let system = FromGlobal::new("system", System);
    let layout = |size| Layout::from_size_align(size, 128).unwrap();
    // SAFETY: each block is live and used with the layout it was last given.
    unsafe {
        let empty = system.allocate(layout(0)).unwrap();
        assert!(empty.addr().get().is_multiple_of(128));
        let block = system.grow_zeroed(empty, layout(0), layout(300)).unwrap();
        assert_eq!(NonNull::slice_from_raw_parts(block, 300).as_ref(), [0; 300]);
        block.write_bytes(5, 300);
        let block = system.grow_zeroed(block, layout(300), layout(900)).unwrap();
        let bytes = NonNull::slice_from_raw_parts(block, 900).as_ref();
        assert!(bytes[..300].iter().all(|&byte| byte == 5) && bytes[300..].iter().all(|&byte| byte == 0));
        let block = system.shrink(block, layout(900), layout(0)).unwrap();
        system.deallocate(block, layout(0));
    }
    let impossible = Layout::from_size_align(alloc_core::arith::MAX_SIZE - 127, 128).unwrap();
    assert_eq!(system.allocate(impossible), Err(AllocError));
}

#[cfg(feature = "allocator-api2-02")]
mod api2_02 {
    use alloc_core::{Handle, Libc};
    use allocator_api2_02::{boxed::Box, vec::Vec};
    use hashbrown::HashMap;

    fn collections<A: allocator_api2_02::alloc::Allocator + Copy>(heap: A) {
        let mut numbers = Vec::new_in(heap);
        numbers.extend(0..1000_u64);
        numbers.shrink_to_fit();
        assert_eq!(numbers.iter().sum::<u64>(), 499_500);

        let boxed: Box<[u64; 4], A> = Box::new_in([1, 2, 3, 4], heap);
        assert_eq!(boxed.iter().sum::<u64>(), 10);

        let mut map = HashMap::with_hasher_in(std::hash::RandomState::new(), heap);
        for number in 0..1000_u64 {
            map.insert(number, number * number);
        }
        map.retain(|number, _| number % 2 == 0);
        map.shrink_to_fit();
        assert_eq!(map.len(), 500);
        assert_eq!(map[&998], 998 * 998);
    }

    #[test]
    #[expect(clippy::needless_borrows_for_generic_args, reason = "by reference is what is shown")]
    fn collections_take_a_strategy_by_reference_and_a_handle() {
        collections(&Libc);
        collections(Handle::libc());
    }
}

#[cfg(feature = "allocator-api2-04")]
mod api2_04 {
    use alloc_core::{Handle, Libc};
    use allocator_api2_04::alloc::Allocator;
    use allocator_api2_04::{boxed::Box, vec::Vec};
    use std::alloc::Layout;

    fn collections<A: Allocator + Copy>(heap: A) {
        let mut numbers = Vec::new_in(heap);
        numbers.extend(0..1000_u64);
        numbers.shrink_to_fit();
        assert_eq!(numbers.iter().sum::<u64>(), 499_500);
        let boxed: Box<[u64; 4], A> = Box::new_in([1, 2, 3, 4], heap);
        assert_eq!(boxed.iter().sum::<u64>(), 10);
    }

    #[test]
    #[expect(clippy::needless_borrows_for_generic_args, reason = "by reference is what is shown")]
    fn collections_take_a_strategy_by_reference_and_a_handle() {
        collections(&Libc);
        collections(Handle::libc());
    }

    #[test]
    fn a_resize_may_change_the_alignment() {
        let (old, new) =
            (Layout::from_size_align(100, 8).unwrap(), Layout::from_size_align(300, 4096).unwrap());
        let block = Allocator::allocate(&Libc, old).unwrap().cast::<u8>();
        // SAFETY: the block is live and used with the layout it was last given.
        unsafe {
            block.write_bytes(3, 100);
            let grown = Allocator::grow_zeroed(&Libc, block, old, new).unwrap();
            assert!(grown.cast::<u8>().addr().get().is_multiple_of(4096));
            let bytes = grown.as_ref();
            assert!(bytes[..100].iter().all(|&byte| byte == 3) && bytes[100..].iter().all(|&byte| byte == 0));
            let shrunk = Allocator::shrink(&Libc, grown.cast(), new, old).unwrap();
            assert_eq!(shrunk.as_ref(), [3; 100]);
            Allocator::deallocate(&Libc, shrunk.cast(), old);
        }
    }
}
