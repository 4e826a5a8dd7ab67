//! Variables and keys of the project.

use alloc_trace::tracer::on_misuse;

use super::keys::VARIABLES;
use super::nearest::is_near;
use super::number::size;
use super::{Choice, Era, Origin, Problem, Settings, StatsTo, split};

const WANTS_SIZE: &str = "a size: digits, then K, M, G or nothing";
const WANTS_BYTE: &str = "a byte: 0 to 255";
const WANTS_LEVEL: &str = "a level: 0 to 5";
const WANTS_HUGE: &str = "0 (never), 1 (where much is used) or 2 (always)";
const WANTS_ERA: &str = "an era: classic, modern or ours";
const WANTS_SWITCH: &str = "0 or 1";
const WANTS_REACTION: &str = "a reaction: abort or report";

pub(super) fn variable<'e>(
    settings: &mut Settings<'e>,
    name: &'e [u8],
    value: &'e [u8],
    tell: &mut dyn FnMut(Problem<'e>),
) {
    let mut bad = |wanted| tell(Problem::BadValue(name, value, wanted));
    let from = Origin::Variable;
    match name {
        // Set to nothing is not set, for every one of them: what `NAME= command` of a shell asks for.
        _ if value.is_empty() => {}
        b"STRATA_STRATEGY" => strategy(settings, value, from, tell),
        b"STRATA_CONF" => conf(settings, value, tell),
        b"STRATA_STATS" => settings.stats.offer(stats(value), from),
        b"STRATA_CHECK" => match level(value) {
            Some(level) => settings.check.offer(level, from),
            None => bad(WANTS_LEVEL),
        },
        b"STRATA_PERTURB" => match byte(value) {
            Some(byte) => settings.perturb.offer(byte, from),
            None => bad(WANTS_BYTE),
        },
        b"STRATA_VERBOSE" => match switch(value) {
            Some(on) => settings.verbose.offer(on, from),
            None => bad(WANTS_SWITCH),
        },
        b"STRATA_HISTORY" | b"STRATA_MAP" | b"STRATA_TRACE" => traced(settings, name, value, tell),
        // Another part of the project reads it.
        b"STRATA_LIBRARY" => {}
        _ if is_near(name, VARIABLES.into_iter()) => tell(Problem::UnknownVariable(name)),
        // Not only this project may have variables that start so.
        _ => {}
    }
}

/// What `alloc_trace` reads: whether it can be read is found out here, where mistakes are told.
fn traced<'e>(
    settings: &mut Settings<'e>,
    name: &'e [u8],
    value: &'e [u8],
    tell: &mut dyn FnMut(Problem<'e>),
) {
    if let Err(misread) = alloc_trace::Settings::default().set(name, value, 0) {
        return tell(Problem::Misread(name, value, misread));
    }
    let setting = match name {
        b"STRATA_HISTORY" => &mut settings.history,
        b"STRATA_MAP" => &mut settings.map,
        _ => &mut settings.trace,
    };
    setting.offer(if value == b"0" { &[] } else { value }, Origin::Variable);
}

/// `key:value,key:value`. Empty parts are passed over.
fn conf<'e>(settings: &mut Settings<'e>, text: &'e [u8], tell: &mut dyn FnMut(Problem<'e>)) {
    for part in text.split(|&byte| byte == b',').filter(|part| !part.is_empty()) {
        let Some((key, value)) = split(part, b':') else {
            tell(Problem::NoValue(part));
            continue;
        };
        let from = Origin::Conf;
        match key {
            b"strategy" => strategy(settings, value, from, tell),
            b"check" => match level(value) {
                Some(level) => settings.check.offer(level, from),
                None => tell(Problem::BadValue(key, value, WANTS_LEVEL)),
            },
            b"perturb" => match byte(value) {
                Some(byte) => settings.perturb.offer(byte, from),
                None => tell(Problem::BadValue(key, value, WANTS_BYTE)),
            },
            b"era" => match Era::ALL.into_iter().find(|era| era.name().as_bytes() == value) {
                Some(era) => settings.tuning.era.offer(era, from),
                None => tell(Problem::BadValue(key, value, WANTS_ERA)),
            },
            b"huge_pages" => match size(value).filter(|&choice| choice <= 2) {
                Some(choice) => settings.tuning.huge_pages.offer(Some(choice), from),
                None => tell(Problem::BadValue(key, value, WANTS_HUGE)),
            },
            b"on_fault" => match on_misuse(value) {
                Some(then) => settings.debug.on_fault.offer(then, from),
                None => tell(Problem::BadValue(key, value, WANTS_REACTION)),
            },
            _ => other(settings, key, value, tell),
        }
    }
}

/// Keys that are switches, and those that are numbers.
fn other<'e>(settings: &mut Settings<'e>, key: &'e [u8], value: &'e [u8], tell: &mut dyn FnMut(Problem<'e>)) {
    let from = Origin::Conf;
    if let Some(setting) = settings.debug.switch(key) {
        return match switch(value) {
            Some(on) => setting.offer(on, from),
            None => tell(Problem::BadValue(key, value, WANTS_SWITCH)),
        };
    }
    let setting = match settings.debug.number(key) {
        Some(setting) => Some(setting),
        None => settings.tuning.of(key),
    };
    match (setting, size(value)) {
        (Some(setting), Some(size)) => setting.offer(Some(size), from),
        (Some(_), None) => tell(Problem::BadValue(key, value, WANTS_SIZE)),
        (None, _) => tell(Problem::UnknownKey(key)),
    }
}

fn strategy<'e>(
    settings: &mut Settings<'e>,
    name: &'e [u8],
    from: Origin,
    tell: &mut dyn FnMut(Problem<'e>),
) {
    let choice = Choice::ALL.into_iter().find(|choice| choice.name().as_bytes() == name);
    if choice.is_none() {
        tell(Problem::UnknownStrategy(name));
    }
    settings.strategy.offer(choice, from);
}

fn stats(value: &[u8]) -> StatsTo<'_> {
    match value {
        b"0" => StatsTo::Nowhere,
        b"1" => StatsTo::Text,
        b"json" => StatsTo::Json,
        path => StatsTo::File(path),
    }
}

fn switch(value: &[u8]) -> Option<bool> {
    match value {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

fn byte(value: &[u8]) -> Option<u8> {
    u8::try_from(size(value)?).ok()
}

fn level(value: &[u8]) -> Option<u8> {
    byte(value).filter(|&level| level <= 5)
}
