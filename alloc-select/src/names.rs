//! The strategies that were compiled in, by name.

use alloc_core::Handle;
use std::fmt;

/// A strategy under the name that users type.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// The one instance of it that this process shares.
    pub handle: Handle<'static>,
}

#[cfg(feature = "ptmalloc")]
mod ptmalloc {
    use alloc_core::backend::PagesBackend;
    use alloc_core::os::unix::Os;
    use alloc_ptmalloc::{Config, Era, ProcessSlot, Ptmalloc};

    /// The one whose threads find their caches with a single load.
    pub(crate) type Process = Ptmalloc<PagesBackend<Os>, ProcessSlot>;

    // SAFETY: no other value of the process has this slot, as long as one copy of this crate is linked; never dropped.
    pub(crate) static OURS: Process = unsafe { Ptmalloc::for_process(Config::new(Era::Ours)) };
    pub(crate) static CLASSIC: Ptmalloc = Ptmalloc::new(Config::new(Era::Classic));
    pub(crate) static MODERN: Ptmalloc = Ptmalloc::new(Config::new(Era::Modern));
}
#[cfg(feature = "ptmalloc")]
pub(crate) use ptmalloc::{OURS as PTMALLOC, Process as ProcessPtmalloc};

#[cfg(feature = "freelist")]
pub(crate) static FREELIST: alloc_freelist::SyncFreeList = alloc_freelist::SyncFreeList::new();

#[cfg(feature = "mem_io")]
pub(crate) static MEM_IO: alloc_freelist::mem_io::MemIo = alloc_freelist::mem_io::MemIo::new();

#[cfg(feature = "bump")]
pub(crate) static BUMP: alloc_bump::SyncBump = alloc_bump::SyncBump::new();

/// In the order of precedence: the first is the default.
static STRATEGIES: &[Named] = &[
    #[cfg(feature = "ptmalloc")]
    Named { name: "ptmalloc", handle: Handle::new_sized(&PTMALLOC) },
    #[cfg(feature = "libc")]
    Named { name: "libc", handle: Handle::libc() },
    #[cfg(feature = "freelist")]
    Named { name: "freelist", handle: Handle::new(&FREELIST) },
    #[cfg(feature = "mem_io")]
    Named { name: "mem_io", handle: Handle::new_sized(&MEM_IO) },
    #[cfg(feature = "bump")]
    Named { name: "bump", handle: Handle::new(&BUMP) },
    #[cfg(feature = "ptmalloc")]
    Named { name: "ptmalloc_classic", handle: Handle::new_sized(&ptmalloc::CLASSIC) },
    #[cfg(feature = "ptmalloc")]
    Named { name: "ptmalloc_modern", handle: Handle::new_sized(&ptmalloc::MODERN) },
];

/// The strategies compiled in, the default first.
#[must_use]
pub fn strategies() -> &'static [Named] {
    STRATEGIES
}

/// The strategy of this name.
///
/// # Errors
/// [`UnknownStrategy`] when none of this name was compiled in. Its text lists those that were.
pub fn by_name(name: &str) -> Result<Handle<'static>, UnknownStrategy<'_>> {
    find(name).map(|named| named.handle).ok_or(UnknownStrategy { name })
}

pub(crate) fn find(name: &str) -> Option<&'static Named> {
    STRATEGIES.iter().find(|named| named.name == name)
}

/// No strategy of this name was compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStrategy<'a> {
    /// The name asked for.
    pub name: &'a str,
}

impl fmt::Display for UnknownStrategy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown strategy `{}`; compiled in:", self.name)?;
        for (index, named) in STRATEGIES.iter().enumerate() {
            write!(f, "{} {}", if index == 0 { "" } else { "," }, named.name)?;
        }
        if STRATEGIES.is_empty() {
            f.write_str(" none (enable a Cargo feature of alloc-select)")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStrategy<'_> {}
