//! Any bytes are a sequence of operations on a heap; the first three choose its policies, its source, and which call of the
//! source fails. Every combination of fit, header and coalescing has a number, and each of them meets every source and every
//! shape of heap that there is for it.

#![no_main]

mod freelist {
    pub mod source;
}

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use alloc_core::backend::{Failing, Limited, PagesBackend};
use alloc_core::os::Break;
use alloc_core::os::fake::FakeOs;
use alloc_core::os::schedule::Schedule;
use alloc_freelist::coalesce::{Classed, Coalesce, Deferred, Immediate};
use alloc_freelist::header::{self, Checked, Header, Keyed, Packed};
use alloc_freelist::mem_io::MemIo;
use alloc_freelist::{Config, FreeList, Sbrk, SharedFreeList, SyncFreeList, Unlocked, fit};
use alloc_testkit::ops::bytes;
use alloc_testkit::{Limits, Op, Options, Subject, drive};
use freelist::source::{Any, KINDS};
use libfuzzer_sys::fuzz_target;

/// Bytes that a run may have: alignments of a gigabyte are refused, and no input takes the machine down.
const MEMORY: usize = 64 << 20;

/// Bytes of a heap in shared memory, and of the pieces that are added to others.
const FIXED: usize = 96 << 10;

/// Small zones and early wide blocks, so that short inputs meet many of both.
struct Small<F, H, C>(std::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: Header, C: Coalesce> Config for Small<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
    // Less than the largest class.
    const WIDE: usize = 20 << 10;
    const WIDE_MOST: usize = 256 << 10;
    const THREAD_CACHE: usize = 32 << 10;
}

type Source<'a> = &'a Failing<Limited<Any>>;
type Heap<'a, C> = FreeList<Source<'a>, C, Source<'a>, Unlocked>;
type Cached<'a, C> = SyncFreeList<C, Source<'a>, Source<'a>>;

/// What an input says besides its operations.
#[derive(Clone, Copy)]
struct Setting {
    /// The kind of source.
    kind: u8,
    /// Whether pieces of a buffer are added first.
    pieces: bool,
    /// The heap: plain, with caches of threads, in shared memory.
    shape: u8,
    /// The call of the source that fails.
    failing: u8,
}

fn options() -> Options {
    Options::new(Limits::UNLIMITED).failing()
}

fn buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); FIXED]
}

/// Pieces of the buffer at odd places and of odd sizes, some of them too small for a zone.
fn pieces(buffer: &mut [MaybeUninit<u8>]) -> impl Iterator<Item = NonNull<[u8]>> {
    let (start, mut at) = (NonNull::from(buffer).cast::<u8>(), 1);
    [40_000, 300, 9_001, 16, 24_576].into_iter().map(move |size| {
        // SAFETY: the pieces and what lies between them are less than the buffer.
        let piece = unsafe { start.add(at) };
        at += size + 7;
        NonNull::slice_from_raw_parts(piece, size)
    })
}

/// Runs the operations over a source of which one call fails, then checks that everything adds up and goes back.
macro_rules! drive_over_source {
    ($ops:expr, $setting:expr, $make:expr, $subject:ident) => {{
        let setting: Setting = $setting;
        let mut memory = buffer();
        let source = Failing::new(
            Limited::new(Any::of_kind(setting.kind), MEMORY),
            Schedule::Nth(u64::from(setting.failing)),
        );
        let heap = $make(&source, &source);
        if setting.pieces {
            for piece in pieces(&mut memory) {
                // SAFETY: a part of the buffer that is no other piece's, and outlives the heap.
                let _too_small = unsafe { heap.add_raw(piece) };
            }
        }
        drive(Subject::$subject(&heap), $ops, &options()).unwrap();
        heap.check().unwrap();
        drop(heap);
        assert_eq!((source.outstanding(), source.outstanding_bytes()), (0, 0), "spans are lost");
        source.inner().inner().assert_untouched();
    }};
}

macro_rules! run {
    ($ops:expr, $setting:expr, $config:ty, $subject:ident) => {{
        let ops: &[Op] = $ops;
        if $setting.shape == 1 {
            drive_over_source!(ops, $setting, Cached::<$config>::from_parts, $subject)
        } else {
            let make = |source, wide| Heap::<$config>::from_parts(source, wide, Unlocked::new());
            drive_over_source!(ops, $setting, make, $subject)
        }
    }};
}

/// As [`run`], for headers that heaps in shared memory may have.
macro_rules! run_shared {
    ($ops:expr, $setting:expr, $config:ty, $subject:ident) => {{
        if $setting.shape == 2 {
            let mut memory = buffer();
            let lead = memory.as_ptr().addr().wrapping_neg() % 16;
            let memory = &mut memory[lead..];
            let memory = NonNull::slice_from_raw_parts(NonNull::from(&mut *memory).cast(), memory.len());
            // SAFETY: the buffer is this heap's alone, and outlives it.
            let heap = unsafe { SharedFreeList::<$config>::create(memory) }.unwrap();
            drive(Subject::plain(&heap), $ops, &options()).unwrap();
            heap.check().unwrap();
        } else {
            run!($ops, $setting, $config, $subject)
        }
    }};
}

/// Combinations of a fit with each header and each coalescing.
const EACH: u8 = 12;

/// For one fit.
macro_rules! headers {
    ($choice:expr, $ops:expr, $setting:expr, $fit:ty) => {
        match $choice {
            0 => run_shared!($ops, $setting, Small<$fit, header::None, Immediate>, plain),
            1 => run_shared!($ops, $setting, Small<$fit, header::None, Deferred<1024, 8192>>, plain),
            2 => run_shared!($ops, $setting, Small<$fit, header::None, Classed>, plain),
            3 => run_shared!($ops, $setting, Small<$fit, header::Sized, Immediate>, sized),
            4 => run_shared!($ops, $setting, Small<$fit, header::Sized, Deferred>, sized),
            5 => run_shared!($ops, $setting, Small<$fit, header::Sized, Classed<32768>>, sized),
            6 => run!($ops, $setting, Small<$fit, Checked, Immediate>, sized),
            7 => run!($ops, $setting, Small<$fit, Checked, Deferred>, sized),
            8 => run!($ops, $setting, Small<$fit, Checked, Classed<32768>>, sized),
            9 => run!($ops, $setting, Small<$fit, Checked<Keyed>, Immediate>, sized),
            10 => run!($ops, $setting, Small<$fit, Checked<Keyed>, Deferred<256, 4096>>, sized),
            _ => run!($ops, $setting, Small<$fit, Checked<Keyed>, Classed>, sized),
        }
    };
}

/// The seed's allocator, over a break and pages of which one call fails.
fn mem_io(ops: &[Op], failing: u8) {
    let os = FakeOs::new(4096).with_break(1 << 20);
    // SAFETY: a query gives nothing back.
    let origin = unsafe { os.sbrk(0) }.unwrap();
    os.fail(Schedule::Nth(u64::from(failing)));
    // SAFETY: the fake is this heap's alone.
    let heap: MemIo<&FakeOs, &FakeOs> =
        MemIo::from_parts(unsafe { Sbrk::alone(&os) }, PagesBackend::new(&os));
    drive(Subject::sized(&heap), ops, &options()).unwrap();
    heap.check().unwrap();
    let mut text = String::new();
    heap.log_state(&mut text).unwrap();
    heap.log_blocks(&mut text).unwrap();
    assert_eq!((heap.errors(), text.contains("corrupted")), (0, false));
    drop(heap);
    os.assert_all_released();
    // Where the call that failed was the one that gives memory back, the break is where it was, and the fake keeps its memory.
    os.fail(Schedule::Never);
    // SAFETY: as above.
    let left = unsafe { os.sbrk(0) }.unwrap().addr().get() - origin.addr().get();
    // SAFETY: the heap, which was the only user, is gone.
    unsafe { os.sbrk(-(left as isize)) }.unwrap();
}

fuzz_target!(|data: &[u8]| {
    let [policy, source, failing, data @ ..] = data else { return };
    let ops = &bytes::from_bytes(data);
    let setting = Setting {
        kind: source % KINDS,
        pieces: source / KINDS % 2 == 1,
        shape: source / (2 * KINDS) % 3,
        failing: *failing,
    };
    match policy % (4 * EACH + 7) {
        choice @ 0..EACH => headers!(choice, ops, setting, fit::Good),
        choice if choice < 2 * EACH => headers!(choice - EACH, ops, setting, fit::First),
        choice if choice < 3 * EACH => headers!(choice - 2 * EACH, ops, setting, fit::Next),
        choice if choice < 4 * EACH => headers!(choice - 3 * EACH, ops, setting, fit::Best),
        // Packed blocks are for two of the fits.
        choice => match choice - 4 * EACH {
            0 => run_shared!(ops, setting, Small<fit::Good, Packed, Immediate>, plain),
            1 => run_shared!(ops, setting, Small<fit::Good, Packed, Deferred>, plain),
            2 => run_shared!(ops, setting, Small<fit::Good, Packed, Classed>, plain),
            3 => run_shared!(ops, setting, Small<fit::Best, Packed, Immediate>, plain),
            4 => run_shared!(ops, setting, Small<fit::Best, Packed, Deferred<256, 4096>>, plain),
            5 => run_shared!(ops, setting, Small<fit::Best, Packed, Classed<32768>>, plain),
            _ => mem_io(ops, *failing),
        },
    }
});
