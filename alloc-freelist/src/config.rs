//! What a heap is, as a type: how free blocks are found, what blocks carry, and when they are merged.

#![forbid(unsafe_code)]

use core::marker::PhantomData;

use alloc_core::OnMisuse;

use crate::coalesce::{Coalesce, Immediate};
use crate::fit::{Fit, Good};
use crate::header::{self, Header};

/// The parameters of a heap. [`Policy`] names the three policies and takes the defaults for the rest; a type of one's
/// own may set that too:
///
/// ```
/// use alloc_freelist::coalesce::Deferred;
/// use alloc_freelist::{Config, fit, header};
///
/// struct Server;
/// impl Config for Server {
///     type Fit = fit::Good;
///     type Header = header::Sized;
///     type Coalesce = Deferred;
///     const GROW: usize = 16 << 20;
/// }
/// ```
pub trait Config: 'static {
    /// How a free block is chosen.
    type Fit: Fit;
    /// What blocks in use carry.
    type Header: Header;
    /// When free blocks are merged.
    type Coalesce: Coalesce;

    /// The name in figures and messages.
    const NAME: &'static str = "freelist";

    /// The least number of bytes taken from the backend at a time. Asked for in less where that is refused.
    ///
    /// Memory that is never touched costs address space alone, where the backend maps pages; and the larger a zone, the easier it
    /// is to find room in it for large blocks among small ones.
    const GROW: usize = 8 << 20;

    /// The heap grows by its own size divided by this, where that is more than [`GROW`](Self::GROW): 4 means by a quarter.
    /// 0 means by `GROW` always, which keeps the heap small and makes the number of system calls linear in its size.
    const GROW_SHARE: usize = 4;

    /// Requests of this many bytes and more are spans of their own, from the heap's source of wide blocks.
    const WIDE: usize = 256 << 10;

    /// A span of at most this many bytes that is given back raises the threshold [`WIDE`](Self::WIDE) to its size, since
    /// such blocks come and go: the next ones are served from zones, which keep their pages. Pages of such blocks go back
    /// when twice the threshold was freed and not used again. (glibc's rules, and its figures.) 0 for a threshold that
    /// stays.
    const WIDE_MOST: usize = 32 << 20;

    /// Bytes that the cache of one thread may hold, in heaps [that have such](crate::SyncFreeList). 0 for none.
    const THREAD_CACHE: usize = 512 << 10;

    /// Whether sizes are rounded up to classes, as in front of thread caches.
    #[doc(hidden)]
    const CLASSES: bool = <Self::Coalesce as Coalesce>::CLASSES;

    /// Whether blocks are as large as their request until such come back, where quick lists are of classes.
    #[doc(hidden)]
    const TIGHT: bool = <Self::Coalesce as Coalesce>::CLASSES;

    /// What follows a message about misuse. Only [`header::Checked`] finds any.
    const ON_MISUSE: OnMisuse = OnMisuse::Abort;

    /// Fails to compile when the parameters contradict each other.
    #[doc(hidden)]
    const VALID: () = {
        assert!(Self::GROW >= 1 << 10, "a step holds the tables of a zone and something beyond them");
        assert!(Self::GROW <= isize::MAX as usize / 4);
        assert!(Self::WIDE >= 1 << 10, "wide blocks are worth their own header");
        assert!(
            !(Self::Header::EXACT && Self::Fit::READS_EDGES),
            "packed blocks are for fits by size: the first block that suffices may be 8 bytes too large"
        );
    };
}

/// Three policies, and the defaults for the rest.
///
/// ```
/// use alloc_freelist::{FixedFreeList, Policy, fit, header};
/// use core::mem::MaybeUninit;
///
/// let mut memory = [const { MaybeUninit::uninit() }; 8192];
/// let heap = FixedFreeList::<Policy<fit::First, header::Sized>>::over_in(&mut memory);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<F = Good, H = header::None, C = Immediate>(PhantomData<(F, H, C)>);

impl<F: Fit, H: Header, C: Coalesce> Config for Policy<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
}
