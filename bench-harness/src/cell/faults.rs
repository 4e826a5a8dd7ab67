//! Faults that a test asks a cell for, so that every way to fail is seen to be reported.
//!
//! The variable `STRATA_TEST_CELL` holds a comma-separated list of `FAULT:STRATEGY/WORKLOAD/THREADS`, as in
//! `crash:bump/churn/2`. Only the verb `cell` reads it. The faults:
//!
//! * `crash`: dies of SIGSEGV before the work;
//! * `abort`: stops as a program out of memory does, with a line and SIGABRT;
//! * `exit`: says a line and leaves with status 3;
//! * `hang`: sleeps until it is killed;
//! * `wrong`: gives the complement of the right answer;
//! * `unproved`: takes the blocks that prove its allocator before the work from the system's allocator;
//! * `unproved-at-last`: the block that does so after the work;
//! * `silent`: does the work and prints nothing.

use std::time::Duration;

use super::Order;

const VARIABLE: &str = "STRATA_TEST_CELL";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Crash,
    Abort,
    Exit,
    Hang,
    Wrong,
    Unproved,
    UnprovedAtLast,
    Silent,
}

/// The fault that the environment asks this cell for.
pub(super) fn wanted(order: &Order) -> Option<Fault> {
    parse(&std::env::var(VARIABLE).ok()?, order)
}

fn parse(list: &str, order: &Order) -> Option<Fault> {
    let cell = format!("{}/{}/{}", order.strategy, order.workload, order.threads);
    let (word, _) =
        list.split(',').filter_map(|item| item.split_once(':')).find(|(_, place)| *place == cell)?;
    Some(match word {
        "crash" => Fault::Crash,
        "abort" => Fault::Abort,
        "exit" => Fault::Exit,
        "hang" => Fault::Hang,
        "wrong" => Fault::Wrong,
        "unproved" => Fault::Unproved,
        "unproved-at-last" => Fault::UnprovedAtLast,
        "silent" => Fault::Silent,
        _ => return None,
    })
}

/// Carries out the faults that come before the work; the others return.
pub(super) fn before_work(fault: Fault) -> Result<(), String> {
    match fault {
        Fault::Crash => {
            // SAFETY: the default action is a valid disposition; std's own handler would take the first signal away.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            // SAFETY: takes no pointers.
            unsafe { libc::raise(libc::SIGSEGV) };
            Ok(())
        }
        Fault::Abort => {
            eprintln!("memory allocation of 64 bytes failed");
            std::process::abort()
        }
        Fault::Exit => {
            eprintln!("first line");
            eprintln!("asked to leave");
            std::process::exit(3)
        }
        Fault::Hang => {
            std::thread::sleep(Duration::from_secs(3600));
            Err("nobody killed this cell".to_owned())
        }
        Fault::Wrong | Fault::Unproved | Fault::UnprovedAtLast | Fault::Silent => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_for_one_cell() {
        let mut order = Order {
            strategy: "bump".to_owned(),
            workload: "churn".to_owned(),
            threads: 2,
            scale: 1,
            seed: 1,
            idle: false,
            inputs: Vec::new(),
            preloaded: None,
        };
        let list = "hang:libc/churn/2,crash:bump/churn/2,wrong:bump/churn/1";
        assert_eq!(parse(list, &order), Some(Fault::Crash));
        order.threads = 1;
        assert_eq!(parse(list, &order), Some(Fault::Wrong));
        order.threads = 8;
        assert_eq!(parse(list, &order), None);
        assert_eq!(parse("nonsense", &order), None);
    }
}
