//! What lies over the strategy to find faults: red zones, quarantine and the like.

use alloc_core::OnMisuse;

use super::{Setting, Settings};

/// The keys of `STRATA_CONF` about it. In the numbers, 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Debug {
    /// Canaries around each block.
    pub(crate) red_zones: Setting<bool>,
    /// Bytes of freed blocks that are held back.
    pub(crate) quarantine: Setting<Option<usize>>,
    /// One block in so many gets pages of its own.
    pub(crate) guard_pages: Setting<Option<usize>>,
    /// Usable bytes that may be live.
    pub(crate) quota: Setting<Option<usize>>,
    /// The request that fails, from 1.
    pub(crate) fail_nth: Setting<Option<usize>>,
    /// The first of the requests that fail.
    pub(crate) fail_from: Setting<Option<usize>>,
    /// Requests are counted, for the figures at the end.
    pub(crate) count_calls: Setting<bool>,
    /// What follows the line about a fault.
    pub(crate) on_fault: Setting<OnMisuse>,
}

/// What is put around blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guards {
    pub(crate) quarantine: usize,
    /// 0 for none.
    pub(crate) pages_every: u32,
}

/// What level 5 holds back, and how many of its blocks get pages.
const LEVEL_QUARANTINE: usize = 16 << 20;
const LEVEL_PAGES: usize = 100;

impl Debug {
    pub(super) const DEFAULT: Self = Self {
        red_zones: Setting::new(false),
        quarantine: Setting::new(None),
        guard_pages: Setting::new(None),
        quota: Setting::new(None),
        fail_nth: Setting::new(None),
        fail_from: Setting::new(None),
        count_calls: Setting::new(false),
        on_fault: Setting::new(OnMisuse::Abort),
    };

    /// Every number with its key.
    pub(crate) const fn numbers(&self) -> [(&'static str, Setting<Option<usize>>); 5] {
        [
            ("fail_from", self.fail_from),
            ("fail_nth", self.fail_nth),
            ("guard_pages", self.guard_pages),
            ("quarantine", self.quarantine),
            ("quota", self.quota),
        ]
    }

    /// Every switch with its key.
    pub(crate) const fn switches(&self) -> [(&'static str, Setting<bool>); 2] {
        [("count_calls", self.count_calls), ("red_zones", self.red_zones)]
    }

    /// The value of a key that is a number.
    pub(super) fn number(&mut self, key: &[u8]) -> Option<&mut Setting<Option<usize>>> {
        Some(match key {
            b"fail_from" => &mut self.fail_from,
            b"fail_nth" => &mut self.fail_nth,
            b"guard_pages" => &mut self.guard_pages,
            b"quarantine" => &mut self.quarantine,
            b"quota" => &mut self.quota,
            _ => return None,
        })
    }

    /// The value of a key that is a switch.
    pub(super) fn switch(&mut self, key: &[u8]) -> Option<&mut Setting<bool>> {
        Some(match key {
            b"count_calls" => &mut self.count_calls,
            b"red_zones" => &mut self.red_zones,
            _ => return None,
        })
    }
}

/// A number that is not none.
pub(crate) fn wanted(setting: Setting<Option<usize>>) -> Option<usize> {
    setting.value.filter(|&number| number != 0)
}

impl Settings<'_> {
    /// What is put around blocks: what the keys say, and where they say nothing, what the level of checks does. Quarantine and
    /// guard pages are nothing without red zones, and bring them.
    pub(crate) fn guards(&self) -> Option<Guards> {
        let level = self.check.value;
        let by_level = |value: usize| if level >= 5 { value } else { 0 };
        let quarantine = self.debug.quarantine.value.unwrap_or(by_level(LEVEL_QUARANTINE));
        let pages = self.debug.guard_pages.value.unwrap_or(by_level(LEVEL_PAGES));
        if !self.debug.red_zones.value && level < 4 && quarantine == 0 && pages == 0 {
            return None;
        }
        Some(Guards { quarantine, pages_every: u32::try_from(pages).unwrap_or(u32::MAX) })
    }

    /// Whether anything of `alloc-trace`'s is asked for by name: a trace, a history, a map.
    pub(crate) const fn traces(&self) -> bool {
        !self.trace.value.is_empty() || !self.history.value.is_empty() || !self.map.value.is_empty()
    }
}
