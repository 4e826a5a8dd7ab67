//! The names that are known, in alphabetical order.

/// The environment variables of the project. Some are other libraries' of it.
pub(crate) const VARIABLES: [&str; 10] = [
    "STRATA_CHECK",
    "STRATA_CONF",
    "STRATA_HISTORY",
    "STRATA_LIBRARY",
    "STRATA_MAP",
    "STRATA_PERTURB",
    "STRATA_STATS",
    "STRATA_STRATEGY",
    "STRATA_TRACE",
    "STRATA_VERBOSE",
];

/// The keys of `STRATA_CONF`.
pub(crate) const CONF_KEYS: [&str; 12] = [
    "arena_max",
    "check",
    "era",
    "mmap_max",
    "mmap_threshold",
    "perturb",
    "purge_delay",
    "strategy",
    "tcache_bytes",
    "tcache_max",
    "top_pad",
    "trim_threshold",
];
