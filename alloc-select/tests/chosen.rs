//! The run-time choice. Each case is a process of its own, since the choice is made once in each.

#![cfg(feature = "_some")]

use alloc_core::Inspect;
use alloc_select::{Chosen, VARIABLE, strategies};
use std::process::Command;

#[global_allocator]
static GLOBAL: Chosen = Chosen::new();

/// Set in a child: it writes the name of its allocator there and does nothing else.
const CHILD: &str = "STRATA_TEST_CHILD";

/// The name of the allocator that a child with this setting ran on, and what it wrote on standard error.
fn run_with(setting: Option<&str>) -> (String, String) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "the_variable_names_the_strategy", "--nocapture"])
        .env(CHILD, "1")
        .env_remove(VARIABLE);
    if let Some(setting) = setting {
        child.env(VARIABLE, setting);
    }
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let name =
        stdout.split("<<").nth(1).and_then(|rest| rest.split(">>").next()).expect("the child says a name");
    (name.to_owned(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_variable_names_the_strategy() {
    if std::env::var_os(CHILD).is_some() {
        let numbers: Vec<u64> = (0..1000).collect();
        assert_eq!(numbers.iter().sum::<u64>(), 499_500);
        println!("<<{}>>", GLOBAL.handle().name());
        return;
    }
    for named in strategies() {
        assert_eq!(run_with(Some(named.name)), (named.name.to_owned(), String::new()));
    }
}

#[test]
fn unset_or_empty_means_the_default() {
    let default = strategies()[0].name;
    assert_eq!(run_with(None), (default.to_owned(), String::new()));
    assert_eq!(run_with(Some("")), (default.to_owned(), String::new()));
}

#[test]
fn an_unknown_name_gives_one_line_and_the_default() {
    let default = strategies()[0].name;
    let all: Vec<&str> = strategies().iter().map(|named| named.name).collect();
    let line = format!(
        "strata: STRATA_STRATEGY=jemaloc: no such strategy was compiled in ({}); going on with {default}\n",
        all.join(", ")
    );
    assert_eq!(run_with(Some("jemaloc")), (default.to_owned(), line));
}
