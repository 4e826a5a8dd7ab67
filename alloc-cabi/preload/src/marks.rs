//! What gives away an allocator inside of a program.

#![forbid(unsafe_code)]

use crate::elf::Elf;

/// An allocator, and its marks: names of functions that it defines, names of its functions that only blocks of its own can
/// come from or go to, which a program may call in a shared library, and texts that it holds even without symbols.
///
/// That a program needs an allocator's shared library is no mark: its `malloc` is found in a preloaded library first, and all
/// goes well while the program calls nothing but what both have, or what only asks and sets (`mallctl`).
struct Mark {
    allocator: &'static str,
    defines: &'static [&'static str],
    calls: &'static [&'static str],
    texts: &'static [&'static [u8]],
}

/// The first that matches is named.
const MARKS: [Mark; 9] = [
    Mark {
        allocator: "jemalloc",
        defines: &["je_malloc", "_rjem_malloc", "je_mallocx", "mallocx", "mallctl", "_rjem_mallctl"],
        calls: &[
            "mallocx",
            "rallocx",
            "xallocx",
            "dallocx",
            "sdallocx",
            "je_malloc",
            "je_mallocx",
            "je_free",
        ],
        texts: &[b"<jemalloc>: "],
    },
    Mark {
        allocator: "mimalloc",
        defines: &["mi_malloc", "mi_heap_malloc", "_mi_malloc_generic"],
        calls: &[
            "mi_malloc",
            "mi_calloc",
            "mi_realloc",
            "mi_new",
            "mi_free",
            "mi_heap_malloc",
            "mi_malloc_aligned",
        ],
        texts: &[b"mimalloc: warning: "],
    },
    Mark {
        allocator: "tcmalloc",
        defines: &["tc_malloc", "MallocExtension_Internal_GetStats"],
        calls: &["tc_malloc", "tc_calloc", "tc_realloc", "tc_new", "tc_free", "tc_memalign"],
        texts: &[b"TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES"],
    },
    Mark {
        allocator: "snmalloc",
        defines: &["sn_malloc", "sn_rust_alloc", "rust_alloc_snmalloc"],
        calls: &["sn_malloc", "sn_rust_alloc", "sn_free"],
        texts: &[],
    },
    Mark {
        allocator: "rpmalloc",
        defines: &["rpmalloc", "rpaligned_alloc"],
        calls: &["rpmalloc", "rpaligned_alloc", "rpfree"],
        texts: &[],
    },
    Mark {
        allocator: "oneTBB's",
        defines: &["scalable_malloc"],
        calls: &["scalable_malloc", "scalable_realloc", "scalable_aligned_malloc", "scalable_free"],
        texts: &[],
    },
    Mark { allocator: "Hoard", defines: &["xxmalloc"], calls: &["xxmalloc", "xxfree"], texts: &[] },
    // Its heap is asked for by `mmap`; only C code linked into the program calls malloc.
    Mark {
        allocator: "the Go runtime's",
        defines: &["runtime.mallocgc"],
        calls: &[],
        texts: &[b"\xff Go buildinf:"],
    },
    // Found before any preloaded library: the loader looks into the program first.
    Mark { allocator: "a malloc that the program defines", defines: &["malloc"], calls: &[], texts: &[] },
];

/// The allocator that a program brings, if any.
pub(crate) fn embedded(elf: &Elf<'_>, bytes: &[u8]) -> Option<&'static str> {
    let mut found = MARKS.len();
    for name in elf.defined() {
        found = found.min(position(name, |mark| mark.defines).unwrap_or(found));
    }
    for name in elf.imported() {
        found = found.min(position(name, |mark| mark.calls).unwrap_or(found));
    }
    let holds = |mark: &&Mark| mark.texts.iter().any(|text| contains(bytes, text));
    MARKS.iter().take(found).find(holds).or(MARKS.get(found)).map(|mark| mark.allocator)
}

/// The first mark that has the symbol in its list.
fn position(symbol: &[u8], list: impl Fn(&Mark) -> &'static [&'static str]) -> Option<usize> {
    // It may carry a version: `name@@VERSION`.
    let name = symbol.split(|&byte| byte == b'@').next().unwrap_or(symbol);
    MARKS.iter().position(|mark| list(mark).iter().any(|symbol| symbol.as_bytes() == name))
}

/// Whether `bytes` contain `text`, looking for its first byte first: files are large.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else { return false };
    let mut left = bytes;
    while let Some(at) = left.iter().position(|byte| byte == first) {
        left = left.get(at + 1..).unwrap_or_default();
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}
