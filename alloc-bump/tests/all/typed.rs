//! Values, slices and strings.

use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;

use alloc_bump::{Bump, Down, FixedBump, Pages, SyncBump, Up};
use alloc_core::AllocError;

/// The same for every type of arena: their methods come from one macro, their strategies do not.
macro_rules! stamp {
    ($($name:ident: $arena:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn values() {
                let arena = $arena;
                let number = arena.alloc(1_u64);
                let text = arena.alloc(String::from("owned"));
                let unit = arena.alloc(());
                let large = arena.alloc_with(|| [7_u8; 100_000]);
                let aligned = arena.alloc(Aligned(3));
                *number += 1;
                assert_eq!((*number, text.as_str(), *unit, large[99_999], aligned.0), (2, "owned", (), 7, 3));
                assert!(core::ptr::from_ref(aligned).addr().is_multiple_of(256));
                // SAFETY: the arena does not drop it, and it is not used again.
                unsafe { core::ptr::drop_in_place(text) };
            }

            #[test]
            fn slices() {
                let arena = $arena;
                let copied = arena.alloc_slice_copy(&[1, 2, 3]);
                let cloned = arena.alloc_slice_clone(&[Some(Box::new(1)), None]);
                let made = arena.alloc_slice_fill_with(1000, |index| index * 2);
                let filled = arena.alloc_slice_fill_copy(3, 'x');
                let exact = arena.alloc_slice_fill_iter([5, 6, 7].iter().map(|number| number * 2));
                let any = arena.alloc_iter((0..1000).filter(|number| number % 3 == 0));
                let none = arena.alloc_iter(core::iter::empty::<String>());
                let empty = arena.alloc_slice_copy::<u64>(&[]);
                copied[0] = 9;
                assert_eq!(copied, [9, 2, 3]);
                assert_eq!(cloned.iter_mut().map(|value| value.take().map(|boxed| *boxed)).collect::<Vec<_>>(), [Some(1), None]);
                assert!(made.iter().enumerate().all(|(index, &value)| value == index * 2));
                assert_eq!(filled, ['x'; 3]);
                assert_eq!(exact, [10, 12, 14]);
                assert_eq!(any.len(), 334);
                assert!(any.iter().enumerate().all(|(index, &value)| value == index * 3));
                assert!(none.is_empty() && empty.is_empty());
            }

            #[test]
            fn strings() {
                let arena = $arena;
                let copied = arena.alloc_str("größer");
                let formatted = arena.alloc_fmt(format_args!("{copied} {:>5} {:?}", 42, Some("x")));
                let constant = arena.alloc_fmt(format_args!("constant"));
                let long = arena.alloc_fmt(format_args!("{:>2000}", 1));
                copied.make_ascii_uppercase();
                assert_eq!((&*copied, &*formatted, &*constant), ("GRößER", "größer    42 Some(\"x\")", "constant"));
                assert_eq!((long.len(), long.trim_start()), (2000, "1"));
                assert_eq!(arena.alloc_str(""), "");
            }

            #[test]
            fn an_iterator_may_use_the_arena_itself() {
                let arena = $arena;
                let words = arena.alloc_iter((0..100).map(|number| &*arena.alloc_fmt(format_args!("w{number}"))));
                assert!(words.iter().enumerate().all(|(index, word)| *word == format!("w{index}")));
            }
        }
    )*};
}

#[repr(align(256))]
struct Aligned(u32);

stamp! {
    up: Bump::new();
    down: Bump::<Pages, Down>::default();
    up_16: Bump::<Pages, Up<16>>::default();
    fixed: FixedBump::over(Box::leak(vec![MaybeUninit::uninit(); 1 << 20].into_boxed_slice()));
    shared: SyncBump::new();
}

#[test]
fn exhaustion_is_an_error_and_nothing_is_run() {
    let mut buffer = [const { MaybeUninit::uninit() }; 64];
    let bump = FixedBump::over(&mut buffer);
    let called = Cell::new(false);
    assert!(bump.try_alloc([0_u8; 65]).is_err());
    assert!(bump.try_alloc_with(|| called.replace(true)).is_ok() && called.take());
    assert!(bump.try_alloc_with(|| ([0_u8; 64], called.replace(true))).is_err());
    assert!(bump.try_alloc_slice_fill_with(100, |_| called.set(true)).is_ok(), "no bytes are needed");
    called.set(false);
    assert!(bump.try_alloc_slice_fill_with(100, |_| called.replace(true)).is_err());
    assert!(bump.try_alloc_slice_fill_iter((0..100_u8).inspect(|_| called.set(true))).is_err());
    assert!(bump.try_alloc_slice_copy(&[0_u8; 64]).is_err());
    assert!(bump.try_alloc_slice_clone(&[0_u8; 64]).is_err());
    assert!(bump.try_alloc_slice_fill_copy(usize::MAX, 0_u64).is_err());
    assert!(bump.try_alloc_str(&"x".repeat(64)).is_err());
    assert!(!called.get());
    let room = bump.room();
    assert_eq!(bump.try_alloc_fmt(format_args!("{:>100}", 1)), Err(AllocError));
    assert_eq!(bump.room(), room, "what was written comes back");
    assert_eq!(bump.try_alloc_fmt(format_args!("{:>60}", 1)).map(|text| text.len()), Ok(60));
}

#[test]
fn values_of_a_failed_iterator_are_dropped() {
    struct Counted<'c>(&'c Cell<i32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let alive = Cell::new(0);
    let mut buffer = [const { MaybeUninit::uninit() }; 256];
    let bump = FixedBump::over(&mut buffer);
    let endless = core::iter::repeat_with(|| {
        alive.set(alive.get() + 1);
        Counted(&alive)
    });
    assert!(bump.try_alloc_iter(endless).is_err());
    assert_eq!(alive.get(), 0);
    assert_eq!(bump.room() & !7, 256 & !7, "the block comes back");
}

#[test]
fn an_iterator_that_lies_about_its_length_is_not_believed() {
    struct Liar {
        left: usize,
        claims: usize,
    }
    impl Iterator for Liar {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            self.left = self.left.checked_sub(1)?;
            Some(self.left)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.claims, Some(self.claims))
        }
    }
    impl ExactSizeIterator for Liar {
        fn len(&self) -> usize {
            self.claims
        }
    }
    let bump = Bump::new();
    assert_eq!(bump.alloc_slice_fill_iter(Liar { left: 3, claims: 10 }), [2, 1, 0]);
    assert_eq!(bump.alloc_slice_fill_iter(Liar { left: 10, claims: 3 }), [9, 8, 7]);
    assert_eq!(bump.alloc_iter(Liar { left: 10, claims: 3 }).len(), 10);
    assert_eq!(bump.alloc_iter(Liar { left: 3, claims: usize::MAX }).len(), 3);
}

#[test]
fn a_display_that_fails_is_an_error() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    assert_eq!(Bump::new().try_alloc_fmt(format_args!("{Broken}")), Err(AllocError));
}

#[test]
fn the_panic_says_what_is_wrong() {
    let caught = std::panic::catch_unwind(|| {
        let mut buffer = [const { MaybeUninit::uninit() }; 8];
        FixedBump::over(&mut buffer).alloc([0_u8; 9]);
    });
    let message = caught.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(*message, "arena exhausted: its memory source, buffer or limit has no room for the request");
}
