//! Checkpoints, scopes, resets.

use core::panic::AssertUnwindSafe;

use alloc_bump::{Bump, Config, Down, Pages, Up};
use alloc_core::backend::{Backend, SystemBackend};
use alloc_core::{Inspect, Strategy};

use crate::layout;

fn live<B: Backend, C: Config>(bump: &Bump<B, C>) -> u64 {
    bump.stats().live.get().expect("known")
}

/// Every arena that chains chunks: small ones over a heap, and small reserves over pages.
fn each(test: impl Fn(&mut dyn Arena)) {
    struct Small;
    impl Config for Small {
        const UP: bool = false;
        const RESERVE: usize = 1 << 16;
    }
    test(&mut Bump::<_, Up>::new_in(SystemBackend));
    test(&mut Bump::<_, Down<8>>::new_in(SystemBackend));
    test(&mut Bump::<Pages, Small>::default());
    test(&mut Bump::<Pages, Up<16>>::default());
}

/// What the tests here use of an arena of any type.
#[expect(clippy::mut_from_ref, reason = "every call returns other memory")]
trait Arena {
    fn numbers(&self, count: usize, number: u64) -> &mut [u64];
    fn live(&self) -> u64;
    fn committed(&self) -> u64;
    fn reset(&mut self);
    fn check(&self);
    fn trim_all(&self) -> usize;
    /// Runs `inside` between a checkpoint and its rewind.
    fn between(&self, inside: &mut dyn FnMut());
    /// Takes so many numbers in each of two scopes, the second within the first.
    fn scopes(&mut self, counts: [usize; 2]);
}

impl<B: Backend, C: Config> Arena for Bump<B, C> {
    fn numbers(&self, count: usize, number: u64) -> &mut [u64] {
        self.alloc_slice_fill_copy(count, number)
    }

    fn live(&self) -> u64 {
        live(self)
    }

    fn committed(&self) -> u64 {
        self.stats().committed.get().expect("known")
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn check(&self) {
        assert_eq!(Self::check(self), Ok(()));
    }

    fn trim_all(&self) -> usize {
        Inspect::trim(self, 0)
    }

    fn between(&self, inside: &mut dyn FnMut()) {
        let checkpoint = self.checkpoint();
        inside();
        // SAFETY: the checkpoint is this arena's latest; the tests keep nothing that they took inside.
        unsafe { self.rewind(checkpoint) };
    }

    fn scopes(&mut self, [outer, inner]: [usize; 2]) {
        self.scope(|scope| {
            let kept = scope.alloc_slice_fill_copy(outer, 3_u64);
            scope.scope(|scope| {
                scope.alloc_slice_fill_copy(inner, 4_u64);
            });
            scope.alloc_slice_fill_copy(inner, 5_u64);
            assert!(kept.iter().all(|&number| number == 3));
        });
    }
}

#[test]
fn rewinding_gives_back_all_since_and_nothing_before() {
    each(|arena| {
        for before in [1, 50, 3000] {
            arena.reset();
            let kept = arena.numbers(before, 1);
            let live = arena.live();
            for inside in [0, 1, 10, 1000, 40_000] {
                arena.between(&mut || {
                    arena.numbers(inside, 2);
                    arena.numbers(3, 2);
                    arena.check();
                });
                assert_eq!(arena.live(), live, "{before} before, {inside} inside");
                arena.check();
            }
            assert!(kept.iter().all(|&number| number == 1));
        }
    });
}

#[test]
fn rewound_memory_is_used_again() {
    each(|arena| {
        arena.numbers(10, 1);
        arena.between(&mut || {
            arena.numbers(50_000, 2);
        });
        let committed = arena.committed();
        for _ in 0..20 {
            arena.between(&mut || {
                arena.numbers(50_000, 2);
            });
        }
        assert_eq!(arena.committed(), committed);
    });
}

#[test]
fn a_checkpoint_before_the_first_block_rewinds_to_nothing() {
    each(|arena| {
        arena.between(&mut || {
            arena.numbers(30_000, 2);
        });
        assert_eq!(arena.live(), 0);
        arena.numbers(10, 1);
        arena.check();
    });
}

#[test]
fn a_rewind_after_a_trim_does_not_reach_behind_the_limit() {
    let bump = Bump::new();
    let big = layout(4 << 20, 1);
    let block = bump.allocate(big).expect("memory");
    let checkpoint = bump.checkpoint();
    // SAFETY: a live block with its layout.
    unsafe { bump.deallocate(block, big) };
    assert!(bump.trim(0) > 3 << 20);
    // SAFETY: the checkpoint is the latest, and nothing was taken since.
    unsafe { bump.rewind(checkpoint) };
    assert_eq!(bump.check(), Ok(()));
    let again = bump.allocate_zeroed(big).expect("memory");
    // SAFETY: a live block of so many bytes, all zero.
    assert!(unsafe { core::slice::from_raw_parts(again.as_ptr(), big.size()) }.iter().all(|&byte| byte == 0));
}

#[test]
fn resets_settle_in_one_chunk() {
    each(|arena| {
        let mut committed = 0;
        for round in 0..20 {
            for _ in 0..100 {
                arena.numbers(100, round);
            }
            arena.check();
            if round == 10 {
                committed = arena.committed();
            }
            assert!(round <= 10 || arena.committed() == committed, "round {round} took more memory");
            arena.reset();
            assert_eq!(arena.live(), 0);
        }
        arena.trim_all();
        arena.check();
        assert!(arena.committed() <= committed);
        arena.numbers(100, 1);
    });
}

#[test]
fn scopes_nest_and_end() {
    each(|arena| {
        let live = arena.live();
        arena.scopes([10, 10_000]);
        arena.scopes([10_000, 10]);
        assert_eq!(arena.live(), live);
    });
    let mut bump = Bump::new();
    let mut outer = bump.as_scope();
    let kept = outer.alloc_str("kept");
    let sum = outer.scope(|inner| {
        let number = inner.alloc(40);
        inner.scope(|innermost| *number += *innermost.alloc(2));
        let more = inner.alloc_slice_copy(&[0; 4]);
        *number + more[0]
    });
    assert_eq!((sum, &*kept), (42, "kept"));
    assert_eq!(live(&bump), 4);
}

#[test]
fn a_scope_ends_when_it_unwinds() {
    let mut bump = Bump::new();
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        bump.scope(|scope| {
            scope.alloc([1_u8; 1000]);
            std::panic::resume_unwind(Box::new("as intended"));
        })
    }));
    assert!(caught.is_err());
    assert_eq!(live(&bump), 0);
    assert_eq!(bump.check(), Ok(()));
}

#[test]
fn an_arena_may_be_moved_and_sent() {
    let bump = Bump::new();
    let block = bump.allocate(layout(100, 1)).expect("memory");
    // SAFETY: a live block of so many bytes.
    unsafe { block.write_bytes(7, 100) };
    let address = block.addr().get();
    let boxed = Box::new(bump);
    std::thread::spawn(move || {
        let place = core::ptr::without_provenance::<u8>(address);
        assert!(
            boxed.owns(core::ptr::NonNull::new(place.cast_mut()).unwrap()) == alloc_core::Ownership::Mine
        );
        assert_eq!(live(&boxed), 100);
        boxed.alloc(1_u8);
    })
    .join()
    .unwrap();
}
