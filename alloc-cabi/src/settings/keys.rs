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
pub(crate) const CONF_KEYS: [&str; 21] = [
    "arena_max",
    "check",
    "count_calls",
    "era",
    "fail_from",
    "fail_nth",
    "guard_pages",
    "huge_pages",
    "mmap_max",
    "mmap_threshold",
    "on_fault",
    "perturb",
    "purge_delay",
    "quarantine",
    "quota",
    "red_zones",
    "strategy",
    "tcache_bytes",
    "tcache_max",
    "top_pad",
    "trim_threshold",
];
