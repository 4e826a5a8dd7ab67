//! The macro.

/// Makes a test of every property of the [suite](mod@crate::conformance), for each strategy listed.
///
/// An entry is a name for the module that holds the tests, an expression that builds a fresh instance, and what else
/// holds of it:
///
/// * `sized`: it has [`SizedBlocks`](alloc_core::SizedBlocks);
/// * `sync`: it is `Sync`; the threads' properties, and those through a [`Handle`](alloc_core::Handle), are stamped too;
/// * `limits = EXPRESSION`: its [`Limits`](crate::Limits), where they are not the default;
/// * `exhaustible`: its limits declare a total, and running out is tested too.
///
/// Temporaries in the expression live as long as the instance, so that it may borrow them.
///
/// ```
/// use alloc_core::Libc;
/// use alloc_testkit::{Limits, conformance};
///
/// conformance! {
///     libc: Libc, sized, sync, limits = Limits::UNLIMITED.without_walk().shared_with_others();
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($($(#[$meta:meta])* $name:ident : $make:expr $(, $flag:ident $(= $value:expr)?)*);+ $(;)?) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "the expression may need none of them")]
            use super::*;
            $crate::__conformance! {
                @flags {$make} {plain} {alone} {bounded} {$crate::Limits::UNLIMITED} $($flag $(= $value)?,)*
            }
        }
    )+};
}

/// Reads the flags of [`conformance!`] one by one, then stamps.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    (@flags {$make:expr} {$kind:ident} {$sync:ident} {$end:ident} {$limits:expr} sized, $($rest:tt)*) => {
        $crate::__conformance! { @flags {$make} {sized} {$sync} {$end} {$limits} $($rest)* }
    };
    (@flags {$make:expr} {$kind:ident} {$sync:ident} {$end:ident} {$limits:expr} sync, $($rest:tt)*) => {
        $crate::__conformance! { @flags {$make} {$kind} {sync} {$end} {$limits} $($rest)* }
    };
    (@flags {$make:expr} {$kind:ident} {$sync:ident} {$end:ident} {$limits:expr} exhaustible, $($rest:tt)*) => {
        $crate::__conformance! { @flags {$make} {$kind} {$sync} {exhaustible} {$limits} $($rest)* }
    };
    (@flags {$make:expr} {$kind:ident} {$sync:ident} {$end:ident} {$limits:expr} limits = $new:expr, $($rest:tt)*) => {
        $crate::__conformance! { @flags {$make} {$kind} {$sync} {$end} {$new} $($rest)* }
    };
    (@flags {$make:expr} {$kind:ident} {$sync:ident} {$end:ident} {$limits:expr}) => {
        $crate::__conformance! { @stamp {$make} {$kind} {$limits}
            has_a_name zero_sizes every_alignment impossible_sizes many_blocks zeroed_is_zero resize_keeps_contents
            failed_grow_keeps_the_block random_operations by_reference walk_shows_live_blocks stats_add_up
            owns_answers trim_loses_nothing nothing_is_lost
        }

        #[test]
        fn survives_moving() {
            let verdict = $crate::conformance::survives_moving($make, $limits);
            $crate::conformance::require("survives_moving", verdict);
        }

        $crate::__conformance! { @$kind {$make} {$limits} }
        $crate::__conformance! { @$sync {$make} {$kind} {$limits} }
        $crate::__conformance! { @$end {$make} {$kind} {$limits} }
    };

    (@plain {$make:expr} {$limits:expr}) => {};
    (@sized {$make:expr} {$limits:expr}) => {
        $crate::__conformance! { @stamp {$make} {sized} {$limits}
            usable_sizes free_by_pointer reallocate_keeps_contents
        }
    };

    (@bounded {$make:expr} {$kind:ident} {$limits:expr}) => {};
    (@exhaustible {$make:expr} {$kind:ident} {$limits:expr}) => {
        $crate::__conformance! { @stamp {$make} {$kind} {$limits} exhaustion_and_recovery }
    };

    (@alone {$make:expr} {$kind:ident} {$limits:expr}) => {};
    (@sync {$make:expr} {$kind:ident} {$limits:expr}) => {
        $crate::__conformance! { @threads {$make} {$kind} {$limits} threads_apart threads_together }
        $crate::__conformance! { @handle {$make} {$kind} {$limits} }
    };

    // In all of these, a `match` keeps the expression's temporaries until its arm is done.
    (@stamp {$make:expr} {$kind:ident} {$limits:expr} $($property:ident)*) => {$(
        #[test]
        fn $property() {
            let verdict = $crate::conformance::$property(
                &mut |body| match $make { strategy => body($crate::Subject::$kind(&strategy)) },
                $limits,
            );
            $crate::conformance::require(stringify!($property), verdict);
        }
    )*};
    (@threads {$make:expr} {$kind:ident} {$limits:expr} $($property:ident)*) => {$(
        #[test]
        fn $property() {
            let verdict = $crate::conformance::$property(
                &mut |body| match $make { strategy => body($crate::Shared::$kind(&strategy)) },
                $limits,
            );
            $crate::conformance::require(stringify!($property), verdict);
        }
    )*};
    (@handle {$make:expr} {plain} {$limits:expr}) => {
        #[test]
        fn through_a_handle() {
            let verdict = $crate::conformance::random_operations(
                &mut |body| match $make {
                    strategy => body($crate::Subject::plain(&$crate::__core::Handle::new(&strategy))),
                },
                $limits,
            );
            $crate::conformance::require("through_a_handle", verdict);
        }
    };
    (@handle {$make:expr} {sized} {$limits:expr}) => {
        #[test]
        fn through_a_handle() {
            let verdict = $crate::conformance::random_operations(
                &mut |body| match $make {
                    strategy => {
                        let handle = $crate::__core::Handle::new_sized(&strategy).sized();
                        let handle = handle.expect("a handle of sized blocks says that it is one");
                        body($crate::Subject::sized(&handle))
                    }
                },
                $limits,
            );
            $crate::conformance::require("through_a_handle", verdict);
        }
    };
}
