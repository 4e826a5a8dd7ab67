//! What a user may set from the environment, and where each value came from.
//!
//! Everything below this module is pure: it takes the environment as byte strings, and tells of mistakes through a
//! function. Nothing in it allocates, so that it can run inside of a process's first `malloc`.

#![forbid(unsafe_code)]

mod debug;
mod glibc;
mod keys;
mod nearest;
mod number;
mod own;
mod problem;
#[cfg(test)]
mod tests;

pub(crate) use debug::{Debug, wanted};
pub(crate) use problem::Problem;

/// The strategies, under the names that users type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Ptmalloc,
    Freelist,
    MemIo,
    Bump,
    Libc,
}

impl Choice {
    /// What serves a program whose user chose nothing.
    pub(crate) const DEFAULT: Self = Self::Ptmalloc;

    pub(crate) const ALL: [Self; 5] = [Self::Ptmalloc, Self::Freelist, Self::MemIo, Self::Bump, Self::Libc];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ptmalloc => "ptmalloc",
            Self::Freelist => "freelist",
            Self::MemIo => "mem_io",
            Self::Bump => "bump",
            Self::Libc => "libc",
        }
    }
}

/// Whose habits `ptmalloc` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// glibc's up to 2.41.
    Classic,
    /// glibc's of 2.43.
    Modern,
    /// Its own.
    Ours,
}

impl Era {
    pub(crate) const ALL: [Self; 3] = [Self::Classic, Self::Modern, Self::Ours];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Modern => "modern",
            Self::Ours => "ours",
        }
    }
}

/// Where figures go when the program exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatsTo<'e> {
    Nowhere,
    /// Readable text on standard error.
    Text,
    /// One line of JSON on standard error.
    Json,
    /// One line of JSON, appended to this file.
    File(&'e [u8]),
}

/// Who set a value. The larger one wins, whatever the order in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Default,
    /// A key of `GLIBC_TUNABLES`.
    Tunables,
    /// One of glibc's variables.
    Glibc,
    /// A key of `STRATA_CONF`.
    Conf,
    /// A `STRATA_` variable of its own.
    Variable,
}

impl Origin {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Tunables => "GLIBC_TUNABLES",
            Self::Glibc => "glibc's variable",
            Self::Conf => "STRATA_CONF",
            Self::Variable => "its variable",
        }
    }
}

/// A value and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) from: Origin,
}

impl<T> Setting<T> {
    const fn new(value: T) -> Self {
        Self { value, from: Origin::Default }
    }

    /// Takes a value unless who set the present one goes before. Of two equals the later one holds.
    fn offer(&mut self, value: T, from: Origin) {
        if from >= self.from {
            *self = Self { value, from };
        }
    }
}

/// The settings of one process. Sizes are bytes; `None` leaves a choice to the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings<'e> {
    /// `None` when a strategy was asked for that does not exist.
    pub(crate) strategy: Setting<Option<Choice>>,
    pub(crate) stats: Setting<StatsTo<'e>>,
    /// 0 (as little as the strategy can) to 3 (all that it can, at any price); 4 is 2 with red zones around blocks, 5 has a
    /// quarantine and guard pages too.
    pub(crate) check: Setting<u8>,
    /// Not 0: new blocks are filled with its complement, freed ones with it.
    pub(crate) perturb: Setting<u8>,
    pub(crate) verbose: Setting<bool>,
    pub(crate) tuning: Tuning,
    pub(crate) debug: Debug,
    /// The value of `STRATA_TRACE`, which `alloc_trace::Settings` reads; so the next two.
    pub(crate) trace: Setting<&'e [u8]>,
    pub(crate) history: Setting<&'e [u8]>,
    pub(crate) map: Setting<&'e [u8]>,
}

/// The values that some strategies can be tuned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    pub(crate) era: Setting<Era>,
    pub(crate) arena_max: Setting<Option<usize>>,
    pub(crate) mmap_threshold: Setting<Option<usize>>,
    pub(crate) mmap_max: Setting<Option<usize>>,
    pub(crate) trim_threshold: Setting<Option<usize>>,
    pub(crate) top_pad: Setting<Option<usize>>,
    pub(crate) tcache_max: Setting<Option<usize>>,
    pub(crate) tcache_bytes: Setting<Option<usize>>,
    /// Milliseconds.
    pub(crate) purge_delay: Setting<Option<usize>>,
    /// 0 (never), 1 (where much is used) or 2 (always).
    pub(crate) huge_pages: Setting<Option<usize>>,
}

impl Tuning {
    /// Every number with its key, in the order of `CONF_KEYS`.
    pub(crate) const fn each(&self) -> [(&'static str, Setting<Option<usize>>); 9] {
        [
            ("arena_max", self.arena_max),
            ("huge_pages", self.huge_pages),
            ("mmap_max", self.mmap_max),
            ("mmap_threshold", self.mmap_threshold),
            ("purge_delay", self.purge_delay),
            ("tcache_bytes", self.tcache_bytes),
            ("tcache_max", self.tcache_max),
            ("top_pad", self.top_pad),
            ("trim_threshold", self.trim_threshold),
        ]
    }

    /// The value of a key of `CONF_KEYS` that is a number.
    fn of(&mut self, key: &[u8]) -> Option<&mut Setting<Option<usize>>> {
        Some(match key {
            b"arena_max" => &mut self.arena_max,
            b"huge_pages" => &mut self.huge_pages,
            b"mmap_max" => &mut self.mmap_max,
            b"mmap_threshold" => &mut self.mmap_threshold,
            b"purge_delay" => &mut self.purge_delay,
            b"tcache_bytes" => &mut self.tcache_bytes,
            b"tcache_max" => &mut self.tcache_max,
            b"top_pad" => &mut self.top_pad,
            b"trim_threshold" => &mut self.trim_threshold,
            _ => return None,
        })
    }
}

impl Settings<'_> {
    pub(crate) const DEFAULT: Self = Self {
        strategy: Setting::new(Some(Choice::DEFAULT)),
        stats: Setting::new(StatsTo::Nowhere),
        check: Setting::new(1),
        perturb: Setting::new(0),
        verbose: Setting::new(false),
        tuning: Tuning {
            era: Setting::new(Era::Ours),
            arena_max: Setting::new(None),
            mmap_threshold: Setting::new(None),
            mmap_max: Setting::new(None),
            trim_threshold: Setting::new(None),
            top_pad: Setting::new(None),
            tcache_max: Setting::new(None),
            tcache_bytes: Setting::new(None),
            purge_delay: Setting::new(None),
            huge_pages: Setting::new(None),
        },
        debug: Debug::DEFAULT,
        trace: Setting::new(&[]),
        history: Setting::new(&[]),
        map: Setting::new(&[]),
    };
}

impl<'e> Settings<'e> {
    /// Reads the strings `NAME=value` of an environment. Mistakes in names and values that are ours are told to `tell` and
    /// otherwise passed over; so are, silently, mistakes in glibc's.
    pub(crate) fn read(
        environment: impl Iterator<Item = &'e [u8]>,
        tell: &mut dyn FnMut(Problem<'e>),
    ) -> Settings<'e> {
        let mut settings = Settings::DEFAULT;
        for entry in environment {
            let Some((name, value)) = split(entry, b'=') else { continue };
            match name {
                b"GLIBC_TUNABLES" => glibc::tunables(&mut settings, value),
                _ if name.starts_with(b"MALLOC_") => glibc::variable(&mut settings, name, value),
                _ if name.starts_with(b"STRATA_") => own::variable(&mut settings, name, value, tell),
                _ => {}
            }
        }
        settings
    }
}

/// What stands before and after the first `mark`.
fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == mark)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(1..)?))
}
