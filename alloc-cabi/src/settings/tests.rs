//! Whole environments.

use super::debug::Guards;
use super::keys::{CONF_KEYS, VARIABLES};
use super::*;
use alloc_core::OnMisuse;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

fn read(environment: &[&str]) -> (Settings<'static>, Vec<String>) {
    let environment: Vec<&'static [u8]> =
        environment.iter().map(|entry| &*entry.to_string().into_bytes().leak()).collect();
    let mut told = vec![];
    let settings = Settings::read(environment.into_iter(), &mut |problem| {
        told.push(String::from_utf8(problem.line().as_bytes().to_vec()).unwrap());
    });
    (settings, told)
}

#[test]
fn nothing_set_is_the_default() {
    let (settings, told) = read(&["HOME=/", "PATH", "", "=", "STRATA_CONF=", "STRATA_STRATEGY="]);
    assert_eq!(settings, Settings::DEFAULT);
    assert_eq!(told, [""; 0]);
}

#[test]
fn every_variable_is_read() {
    let (settings, told) = read(&[
        "STRATA_STRATEGY=mem_io",
        "STRATA_STATS=json",
        "STRATA_CHECK=3",
        "STRATA_PERTURB=165",
        "STRATA_VERBOSE=1",
        "STRATA_TRACE=sampled:/tmp/t,rate=64K",
        "STRATA_HISTORY=1K",
        "STRATA_MAP=0",
        "STRATA_CONF=era:classic,arena_max:2,huge_pages:2,mmap_threshold:1M,,tcache_bytes:64k,red_zones:1,quota:2G,on_fault:report",
    ]);
    assert_eq!(told, [""; 0]);
    assert_eq!(settings.strategy, Setting { value: Some(Choice::MemIo), from: Origin::Variable });
    assert_eq!(settings.stats.value, StatsTo::Json);
    assert_eq!((settings.check.value, settings.perturb.value), (3, 165));
    assert!(settings.verbose.value);
    assert_eq!(settings.tuning.arena_max, Setting { value: Some(2), from: Origin::Conf });
    assert_eq!((settings.trace.value, settings.history.value), (&b"sampled:/tmp/t,rate=64K"[..], &b"1K"[..]));
    assert_eq!(settings.map, Setting { value: &[][..], from: Origin::Variable });
    assert!(settings.traces() && settings.debug.red_zones.value && !settings.debug.count_calls.value);
    assert_eq!(settings.debug.quota, Setting { value: Some(2 << 30), from: Origin::Conf });
    assert_eq!(settings.debug.on_fault.value, OnMisuse::Ignore);
    assert_eq!(settings.tuning.era.value, Era::Classic);
    assert_eq!(settings.tuning.mmap_threshold.value, Some(1 << 20));
    assert_eq!(settings.tuning.tcache_bytes.value, Some(64 << 10));
    assert_eq!(settings.tuning.huge_pages.value, Some(2));
}

#[test]
fn glibcs_names_are_honoured_and_ours_win() {
    let (settings, told) = read(&[
        "STRATA_CONF=trim_threshold:7",
        "STRATA_PERTURB=1",
        "GLIBC_TUNABLES=glibc.malloc.mmap_max=0x10:glibc.malloc.perturb=9:glibc.rtld.nns=4:glibc.malloc.tcache_count=0:glibc.malloc.hugetlb=1",
        "MALLOC_MMAP_MAX_=32",
        "MALLOC_TRIM_THRESHOLD_=65536",
        "MALLOC_PERTURB_=300",
        "MALLOC_CHECK_=3",
        "MALLOC_TOP_PAD_=010",
        "MALLOC_ARENA_MAX=nonsense",
        "MALLOC_UNKNOWN=1",
    ]);
    assert_eq!(told, [""; 0], "glibc's mistakes are passed over as there");
    assert_eq!(settings.tuning.mmap_max, Setting { value: Some(32), from: Origin::Glibc });
    assert_eq!(settings.tuning.trim_threshold, Setting { value: Some(7), from: Origin::Conf });
    assert_eq!(settings.tuning.top_pad.value, Some(8));
    assert_eq!(settings.tuning.tcache_bytes, Setting { value: Some(0), from: Origin::Tunables });
    assert_eq!(settings.tuning.huge_pages, Setting { value: Some(2), from: Origin::Tunables });
    let (without, _) = read(&["GLIBC_TUNABLES=glibc.malloc.hugetlb=0"]);
    assert_eq!(without.tuning.huge_pages.value, Some(0), "asked for none");
    assert_eq!((settings.check.value, settings.perturb.value), (2, 1));
}

#[test]
fn mistakes_are_one_line_each_with_the_nearest_name() {
    let (settings, told) = read(&[
        "STRATA_STRATGY=bump",
        "STRATA_OF_SOMEBODY_ELSE=1",
        "STRATA_CONF=arena_mx:2,mmap_threshold:lots,perturb:256,check",
        "STRATA_CONF=huge_page:1,huge_pages:3,huge_pages:on",
        "STRATA_CHECK=6",
        "STRATA_VERBOSE=yes",
        "STRATA_CONF=red_zones:2,quarantin:1,quota:much,on_fault:panic",
        "STRATA_TRACE=sampld:/tmp/t",
        "STRATA_TRACE=exact:/tmp/t,rate=1K,frame=3",
        "STRATA_TRACE=log:",
        "STRATA_HISTORY=some",
        "STRATA_MAP=fd=x",
    ]);
    assert!(!settings.traces());
    assert_eq!(settings.tuning, Settings::DEFAULT.tuning);
    assert_eq!(
        told,
        [
            "strata: STRATA_STRATGY: no such variable; did you mean STRATA_STRATEGY?",
            "strata: STRATA_CONF: no key 'arena_mx'; did you mean 'arena_max'?",
            "strata: mmap_threshold: 'lots' is not a size: digits, then K, M, G or nothing",
            "strata: perturb: '256' is not a byte: 0 to 255",
            "strata: STRATA_CONF: 'check' has no value; write key:value,key:value",
            "strata: STRATA_CONF: no key 'huge_page'; did you mean 'huge_pages'?",
            "strata: huge_pages: '3' is not 0 (never), 1 (where much is used) or 2 (always)",
            "strata: huge_pages: 'on' is not 0 (never), 1 (where much is used) or 2 (always)",
            "strata: STRATA_CHECK: '6' is not a level: 0 to 5",
            "strata: STRATA_VERBOSE: 'yes' is not 0 or 1",
            "strata: red_zones: '2' is not 0 or 1",
            "strata: STRATA_CONF: no key 'quarantin'; did you mean 'quarantine'?",
            "strata: quota: 'much' is not a size: digits, then K, M, G or nothing",
            "strata: on_fault: 'panic' is not a reaction: abort or report",
            "strata: STRATA_TRACE: 'sampld:/tmp/t' names no mode; did you mean 'sampled'?",
            "strata: STRATA_TRACE: 'exact:/tmp/t,rate=1K,frame=3' has an unknown key; did you mean 'frames'?",
            "strata: STRATA_TRACE: 'log:' names no place: give a path, or fd=N",
            "strata: STRATA_HISTORY: 'some' has no number where one is wanted (K, M and G may follow it)",
            "strata: STRATA_MAP: 'fd=x' has no number where one is wanted (K, M and G may follow it)",
        ]
    );
}

#[test]
fn levels_put_guards_around_blocks_and_keys_go_before() {
    let guards = |environment: &[&str]| read(environment).0.guards();
    assert_eq!(guards(&["STRATA_CHECK=3", "STRATA_CONF=quota:1,quarantine:0"]), None);
    assert_eq!(guards(&["STRATA_CONF=red_zones:1"]), Some(Guards { quarantine: 0, pages_every: 0 }));
    assert_eq!(guards(&["STRATA_CHECK=4"]), Some(Guards { quarantine: 0, pages_every: 0 }));
    assert_eq!(guards(&["STRATA_CHECK=5"]), Some(Guards { quarantine: 16 << 20, pages_every: 100 }));
    assert_eq!(
        guards(&["STRATA_CHECK=5", "STRATA_CONF=guard_pages:7,quarantine:1M"]),
        Some(Guards { quarantine: 1 << 20, pages_every: 7 })
    );
    assert_eq!(
        guards(&["STRATA_CONF=guard_pages:8G"]),
        Some(Guards { quarantine: 0, pages_every: u32::MAX })
    );
}

#[test]
fn an_unknown_strategy_leaves_the_program_its_own() {
    let (settings, told) = read(&["STRATA_STRATEGY=freelst"]);
    assert_eq!(settings.strategy.value, None);
    assert_eq!(
        told,
        [
            "strata: no strategy 'freelst'; did you mean 'freelist'? The program goes on with its own allocator"
        ]
    );
}

#[test]
fn every_name_is_read_and_every_key_listed() {
    for name in VARIABLES {
        let (_, told) = read(&[&format!("{name}=#")]);
        assert!(told.iter().all(|line| !line.contains("no such variable")), "{told:?}");
    }
    for key in CONF_KEYS {
        let (_, told) = read(&[&format!("STRATA_CONF={key}:1")]);
        assert!(told.iter().all(|line| !line.contains("no key")), "{told:?}");
    }
    let mut debug = Settings::DEFAULT.debug;
    for (key, _) in debug.numbers() {
        assert!(CONF_KEYS.contains(&key) && debug.number(key.as_bytes()).is_some());
    }
    for (key, _) in debug.switches() {
        assert!(CONF_KEYS.contains(&key) && debug.switch(key.as_bytes()).is_some());
    }
    let mut tuning = Settings::DEFAULT.tuning;
    for (key, _) in Settings::DEFAULT.tuning.each() {
        assert!(CONF_KEYS.contains(&key));
        assert!(tuning.of(key.as_bytes()).is_some());
    }
}

proptest! {
    /// Whatever is in the environment: no panic, no overlong line, and order matters to nobody but equals.
    #[test]
    fn any_environment_is_survived(
        entries in proptest::collection::vec(
            (
                prop_oneof![
                    Just("STRATA_CONF".to_string()), Just("GLIBC_TUNABLES".to_string()),
                    Just("STRATA_CHECK".to_string()), "STRATA_[A-Z]{0,200}", "MALLOC_[A-Z_]{0,12}", ".{0,9}",
                ],
                prop_oneof!["[a-z_:,0-9KMG=.]{0,300}", ".{0,40}"],
            ),
            0..8,
        ),
    ) {
        let entries: Vec<Vec<u8>> =
            entries.into_iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect();
        let mut lines = 0;
        let _ = Settings::read(entries.iter().map(Vec::as_slice), &mut |problem| {
            assert!(problem.line().as_bytes().len() < alloc_core::line::LINE_BYTES - 1, "{problem:?} is cut");
            lines += 1;
        });
        prop_assert!(lines <= 8 * 300);
    }

    #[test]
    fn the_order_of_different_variables_does_not_matter(swap in any::<bool>(), a in 0_u8..=3, b in 0_u8..=3) {
        let mut environment = [format!("STRATA_CHECK={a}"), format!("STRATA_CONF=check:{b}")];
        if swap {
            environment.reverse();
        }
        let (settings, _) = read(&[&environment[0], &environment[1]]);
        prop_assert_eq!(settings.check, Setting { value: a, from: Origin::Variable });
    }
}
