//! A program without `std`, a `main` of Rust, or an operating system's memory: its global allocator is a free list over
//! a static array. `cargo build --release --target TARGET` in this folder builds it for a bare target whose `core` is
//! installed; on a Unix host it runs, through the C start-up code.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;

use alloc_core::compat::Global;
use alloc_core::sync::{RawLock, Spin};
use alloc_freelist::{Config, FreeList, Nothing, StaticBytes, coalesce, fit, header};

/// 64 KiB, of which tables take less than 2.
static BYTES: StaticBytes<65536> = StaticBytes::new();

struct Small;

impl Config for Small {
    type Fit = fit::Good;
    type Header = header::None;
    type Coalesce = coalesce::Immediate;
    const GROW: usize = 1 << 10;
}

type Heap = FreeList<&'static StaticBytes<65536>, Small, Nothing<'static>, RawLock<Spin>>;

#[global_allocator]
static HEAP: Global<Heap> =
    Global::new(FreeList::from_parts(&BYTES, Nothing::new(), RawLock::with_park(Spin)));

#[cfg(unix)]
#[link(name = "c")]
unsafe extern "C" {}

/// What the program is for: 0 when all is well.
fn work() -> i32 {
    let numbers: Vec<u32> = (0..1000).collect();
    let boxed: Vec<Box<[u8; 32]>> = (0..200_u8).map(|byte| Box::new([byte; 32])).collect();
    let whole =
        boxed.iter().enumerate().all(|(index, block)| block.iter().all(|&byte| byte as usize == index));
    i32::from(numbers.iter().sum::<u32>() != 499_500 || !whole)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    work()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
