//! glibc's names for the same things. As there, what cannot be read is passed over in silence.

use super::number::strtoul;
use super::{Origin, Settings, split};

/// One of the `MALLOC_` variables.
pub(super) fn variable(settings: &mut Settings<'_>, name: &[u8], value: &[u8]) {
    let key: &[u8] = match name {
        b"MALLOC_ARENA_MAX" => b"arena_max",
        b"MALLOC_CHECK_" => b"check",
        b"MALLOC_MMAP_MAX_" => b"mmap_max",
        b"MALLOC_MMAP_THRESHOLD_" => b"mmap_threshold",
        b"MALLOC_PERTURB_" => b"perturb",
        b"MALLOC_TOP_PAD_" => b"top_pad",
        b"MALLOC_TRIM_THRESHOLD_" => b"trim_threshold",
        _ => return,
    };
    set(settings, key, value, Origin::Glibc);
}

/// `GLIBC_TUNABLES`: `name=value:name=value`, of which those that start with `glibc.malloc.` matter here.
pub(super) fn tunables(settings: &mut Settings<'_>, text: &[u8]) {
    for part in text.split(|&byte| byte == b':') {
        let Some((name, value)) = split(part, b'=') else { continue };
        if let Some(key) = name.strip_prefix(b"glibc.malloc.") {
            set(settings, key, value, Origin::Tunables);
        }
    }
}

fn set(settings: &mut Settings<'_>, key: &[u8], value: &[u8], from: Origin) {
    let Some(number) = strtoul(value) else { return };
    match key {
        // Its low byte, as there.
        b"perturb" => settings.perturb.offer((number & 0xff) as u8, from),
        // Any value asked for more checks, and 0 for none of them.
        b"check" => settings.check.offer(if number == 0 { 1 } else { 2 }, from),
        // A count of blocks, where ours is one of bytes: only that there is none can be said in both.
        b"tcache_count" if number == 0 => settings.tuning.tcache_bytes.offer(Some(0), from),
        // Asked for from the start, or not at all.
        b"hugetlb" => settings.tuning.huge_pages.offer(Some(if number == 0 { 0 } else { 2 }), from),
        b"arena_max" | b"mmap_max" | b"mmap_threshold" | b"tcache_max" | b"top_pad" | b"trim_threshold" => {
            if let Some(setting) = settings.tuning.of(key) {
                setting.offer(Some(number), from);
            }
        }
        _ => {}
    }
}
