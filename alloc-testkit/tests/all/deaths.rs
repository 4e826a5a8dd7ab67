//! Death tests die as they should, and tell when one does not.

use core::ptr::NonNull;
use std::panic::catch_unwind;

use alloc_core::Misuse;
use alloc_testkit::death::{Role, expect_death, role};

const MESSAGE: &str = "strata: testkit: double free at {address}: the block is already free";

fn stop() -> ! {
    Misuse::DoubleFree.stop("testkit", NonNull::from(&MESSAGE).addr().get())
}

/// What `expect_death` says when it is not content.
fn complaint(test: &'static str, env: &'static [(&str, &str)], message: &'static str, signal: i32) -> String {
    let panic = catch_unwind(|| expect_death(test, env, message, signal)).expect_err("a complaint");
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn a_stop_is_a_death() {
    match role() {
        Role::Parent => expect_death("deaths::a_stop_is_a_death", &[], MESSAGE, libc::SIGABRT),
        Role::Control => {}
        Role::Misuse => stop(),
    }
}

#[test]
fn variables_reach_the_child() {
    let given = || std::env::var("ALLOC_TESTKIT_GIVEN").as_deref() == Ok("1");
    match role() {
        Role::Parent => {
            let env = [("ALLOC_TESTKIT_GIVEN", "1")];
            expect_death("deaths::variables_reach_the_child", &env, MESSAGE, libc::SIGABRT);
        }
        Role::Control => assert!(given()),
        Role::Misuse if given() => stop(),
        Role::Misuse => {}
    }
}

#[test]
fn another_message_or_signal_is_no_pass() {
    const TEST: &str = "deaths::another_message_or_signal_is_no_pass";
    match role() {
        Role::Parent => {
            let message = complaint(TEST, &[], "strata: another message", libc::SIGABRT);
            assert!(message.contains("did not say `strata: another message`"), "{message}");
            let message = complaint(TEST, &[], MESSAGE, libc::SIGSEGV);
            assert!(message.contains("did not die by signal 11"), "{message}");
        }
        Role::Control => {}
        Role::Misuse => stop(),
    }
}

#[test]
fn a_survivor_is_no_pass() {
    const TEST: &str = "deaths::a_survivor_is_no_pass";
    match role() {
        Role::Parent => {
            let message = complaint(TEST, &[], MESSAGE, libc::SIGABRT);
            assert!(message.contains("did not die by signal 6: exit status: 0"), "{message}");
        }
        Role::Control | Role::Misuse => {}
    }
}

#[test]
fn a_control_that_dies_or_speaks_is_no_pass() {
    const TEST: &str = "deaths::a_control_that_dies_or_speaks_is_no_pass";
    const SPEAK: &[(&str, &str)] = &[("ALLOC_TESTKIT_SPEAK", "1")];
    match role() {
        Role::Parent => {
            let message = complaint(TEST, &[], MESSAGE, libc::SIGABRT);
            assert!(message.contains("the control of") && message.contains("failed: signal: 6"), "{message}");
            let message = complaint(TEST, SPEAK, MESSAGE, libc::SIGABRT);
            assert!(message.contains("was not silent"), "{message}");
        }
        Role::Control if std::env::var_os("ALLOC_TESTKIT_SPEAK").is_some() => eprintln!("a word"),
        Role::Control | Role::Misuse => stop(),
    }
}

#[test]
fn a_name_that_no_test_has_is_no_pass() {
    let message = complaint("deaths::no_such_test", &[], MESSAGE, libc::SIGABRT);
    assert!(message.contains("no test `deaths::no_such_test` was reached in the child"), "{message}");
}
