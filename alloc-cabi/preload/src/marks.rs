//! What gives away an allocator inside of a program.

#![forbid(unsafe_code)]

use crate::elf::Elf;

/// An allocator, and its marks: names of functions that it defines, starts of its library's name, and texts that it holds
/// even without symbols.
struct Mark {
    allocator: &'static str,
    symbols: &'static [&'static str],
    library: &'static str,
    texts: &'static [&'static [u8]],
}

/// The first that matches is named.
const MARKS: [Mark; 9] = [
    Mark {
        allocator: "jemalloc",
        symbols: &["je_malloc", "_rjem_malloc", "je_mallocx", "mallocx", "mallctl", "_rjem_mallctl"],
        library: "libjemalloc",
        texts: &[b"<jemalloc>: "],
    },
    Mark {
        allocator: "mimalloc",
        symbols: &["mi_malloc", "mi_heap_malloc", "_mi_malloc_generic"],
        library: "libmimalloc",
        texts: &[b"mimalloc: warning: "],
    },
    Mark {
        allocator: "tcmalloc",
        symbols: &["tc_malloc", "MallocExtension_Internal_GetStats"],
        library: "libtcmalloc",
        texts: &[b"TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES"],
    },
    Mark {
        allocator: "snmalloc",
        symbols: &["sn_malloc", "sn_rust_alloc", "rust_alloc_snmalloc"],
        library: "libsnmalloc",
        texts: &[],
    },
    Mark {
        allocator: "rpmalloc",
        symbols: &["rpmalloc", "rpaligned_alloc"],
        library: "librpmalloc",
        texts: &[],
    },
    Mark { allocator: "oneTBB's", symbols: &["scalable_malloc"], library: "libtbbmalloc", texts: &[] },
    Mark { allocator: "Hoard", symbols: &["xxmalloc"], library: "libhoard", texts: &[] },
    // Its heap is asked for by `mmap`; only C code linked into the program calls malloc.
    Mark {
        allocator: "the Go runtime's",
        symbols: &["runtime.mallocgc"],
        library: "",
        texts: &[b"\xff Go buildinf:"],
    },
    // Found before any preloaded library: the loader looks into the program first.
    Mark { allocator: "a malloc that the program defines", symbols: &["malloc"], library: "", texts: &[] },
];

/// The allocator that a program brings, if any.
pub(crate) fn embedded(elf: &Elf<'_>, bytes: &[u8]) -> Option<&'static str> {
    let mut found = MARKS.len();
    for name in elf.defined() {
        // A symbol may carry a version: `name@@VERSION`.
        let name = name.split(|&byte| byte == b'@').next().unwrap_or(name);
        let position =
            MARKS.iter().position(|mark| mark.symbols.iter().any(|symbol| symbol.as_bytes() == name));
        found = found.min(position.unwrap_or(found));
    }
    for name in elf.needed() {
        let is = |mark: &Mark| !mark.library.is_empty() && name.starts_with(mark.library.as_bytes());
        found = found.min(MARKS.iter().position(is).unwrap_or(found));
    }
    let holds = |mark: &&Mark| mark.texts.iter().any(|text| contains(bytes, text));
    MARKS.iter().take(found).find(holds).or(MARKS.get(found)).map(|mark| mark.allocator)
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
