//! The C library's allocator behind the trait.

use alloc_core::{AllocError, Inspect, Libc, Ownership, SizedBlocks, Strategy, Walked, arith};
use std::alloc::Layout;
use std::ptr::NonNull;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn every_alignment_is_honoured_for_small_and_large_sizes() {
    for shift in 0..=30 {
        let align = 1 << shift;
        for size in [0, 1, 2, 3, 7, 8, 15, 17, 100, 4097] {
            let block = Libc.allocate(layout(size, align)).expect("address space for 1 GiB alignments");
            assert!(arith::is_aligned(block.addr().get(), align), "{size} bytes at {align}");
            // SAFETY: a live block of `size` bytes.
            unsafe { block.write_bytes(0xee, size) };
            // SAFETY: a live block with this layout.
            unsafe { Libc.deallocate(block, layout(size, align)) };

            let block = Libc.allocate_zeroed(layout(size, align)).unwrap();
            assert!(arith::is_aligned(block.addr().get(), align), "{size} zeroed bytes at {align}");
            // SAFETY: a live block of `size` bytes, initialised.
            let bytes = unsafe { NonNull::slice_from_raw_parts(block, size).as_ref() };
            assert!(bytes.iter().all(|&byte| byte == 0));
            // SAFETY: a live block with this layout.
            unsafe { Libc.deallocate(block, layout(size, align)) };
        }
    }
}

#[test]
fn resizing_keeps_contents_and_alignment() {
    for align in [1, 4, 16, 32, 512, 8192] {
        for (from, to) in [(0, 50), (1, 5000), (24, 24), (100, 200_000), (5000, 3), (700, 0), (40, 1 << 20)] {
            let (old, new) = (layout(from, align), layout(to, align));
            let block = Libc.allocate(old).unwrap();
            for index in 0..from {
                // SAFETY: `index < from`, the block's size.
                unsafe { block.add(index).write(index as u8) };
            }
            let resized = if to >= from {
                // SAFETY: a live block that `old` fits; the size does not fall.
                unsafe { Libc.grow_zeroed(block, old, new) }
            } else {
                // SAFETY: a live block that `old` fits; the size falls.
                unsafe { Libc.shrink(block, old, new) }
            }
            .unwrap();
            assert!(arith::is_aligned(resized.addr().get(), align));
            // SAFETY: a live block of `to` bytes, all initialised.
            let bytes = unsafe { NonNull::slice_from_raw_parts(resized, to).as_ref() };
            for (index, &byte) in bytes.iter().enumerate() {
                let expected = if index < from { index as u8 } else { 0 };
                assert_eq!(byte, expected, "byte {index} after {from} -> {to} at {align}");
            }
            // SAFETY: a live block with the layout `new`.
            unsafe { Libc.deallocate(resized, new) };
        }
    }
}

#[test]
fn usable_size_covers_the_request_and_may_be_written() {
    for size in [0, 1, 24, 25, 1000, 1 << 20] {
        let block = Libc.allocate(layout(size, 64)).unwrap();
        // SAFETY: a live block.
        let usable = unsafe { Libc.usable_size(block) };
        assert!(usable >= size);
        // SAFETY: the holder may use all usable bytes.
        unsafe { block.write_bytes(0x11, usable) };
        // SAFETY: a live block.
        let block = unsafe { Libc.reallocate(block, 0) }.unwrap();
        // SAFETY: a live block.
        unsafe { Libc.free(block) };
    }
}

#[test]
fn impossible_sizes_fail_and_leave_the_block() {
    let huge = layout(arith::MAX_SIZE - 15, 16);
    assert_eq!(Libc.allocate(huge), Err(AllocError));
    assert_eq!(Libc.allocate_zeroed(huge), Err(AllocError));
    assert_eq!(Libc.allocate(layout(arith::MAX_SIZE / 2, 4096)), Err(AllocError));
    assert_eq!(Libc.allocate(layout(1, 1 << 62)), Err(AllocError));

    let small = layout(10, 16);
    let block = Libc.allocate(small).unwrap();
    // SAFETY: a live block of 10 bytes.
    unsafe { block.write_bytes(0x77, 10) };
    // SAFETY: a live block that `small` fits; the size does not fall.
    assert_eq!(unsafe { Libc.grow(block, small, huge) }, Err(AllocError));
    // SAFETY: still a live block of 10 initialised bytes.
    assert_eq!(unsafe { NonNull::slice_from_raw_parts(block, 10).as_ref() }, [0x77; 10]);
    // SAFETY: still a live block.
    unsafe { Libc.deallocate(block, small) };
}

#[test]
fn it_can_be_looked_into_as_far_as_the_c_library_allows() {
    let large = layout(64 << 20, 16);
    let block = Libc.allocate(large).unwrap();
    // The optimiser may drop an allocation that nobody looks at.
    std::hint::black_box(block.as_ptr());
    if let Some(mapped) = Libc.stats().mapped.get() {
        assert!(mapped >= 64 << 20, "a block of 64 MiB has a mapping of its own");
    }
    assert_eq!(Libc.owns(block), Ownership::Unknown);
    // SAFETY: a live block.
    unsafe { Libc.deallocate(block, large) };
    assert_eq!(Libc.walk(&mut |_| panic!("nothing can be shown")), Walked::Unsupported);
    assert_eq!(Libc.name(), "libc");
    Libc.trim(0);
}
