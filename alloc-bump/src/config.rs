//! What an arena is, as a type: the direction it fills in, and the alignment that its cursor always keeps.

#![forbid(unsafe_code)]

/// The parameters of an arena. [`Up`] and [`Down`] are all that most programs need; a type of one's own may set the
/// sizes of chunks as well:
///
/// ```
/// use alloc_bump::{Config, FixedBump};
///
/// struct Nodes;
/// impl Config for Nodes {
///     const UP: bool = true;
///     const MIN_ALIGN: usize = 16;
///     const FIRST_CHUNK: usize = 64 << 10;
/// }
///
/// let mut buffer = [const { core::mem::MaybeUninit::uninit() }; 256];
/// let nodes = FixedBump::<Nodes>::over_in(&mut buffer);
/// assert!(std::ptr::from_mut(nodes.alloc(1_u8)).addr().is_multiple_of(16));
/// ```
pub trait Config: 'static {
    /// Whether addresses rise (`true`) or fall from one block to the next.
    const UP: bool;

    /// A power of two up to 4096 that the cursor is always a multiple of. Requests aligned to this or less skip the
    /// alignment step; sizes are rounded up to it.
    const MIN_ALIGN: usize = 1;

    /// Bytes of the first chunk from a backend whose spans cost memory at once (all but those of pages, see
    /// [`RESERVE`](Self::RESERVE)): chunks double from there.
    const FIRST_CHUNK: usize = 512;

    /// Bytes of the first chunk from a backend of pages (its granule is at least 4096 and its spans read as zero), where a
    /// span is address space until it is touched. Asked for in smaller pieces when it is refused.
    const RESERVE: usize = if usize::BITS >= 64 { 1 << 30 } else { 1 << 26 };

    /// Over a backend of pages, the bytes after which a chunk asks for huge pages: a multiple of 4096. Clearing a huge page
    /// takes as long as about 35 small ones, and an arena that has just begun one holds up to 2 MiB more than it uses.
    /// `usize::MAX` for never.
    const HUGE_FROM: usize = 512 << 10;
}

/// Fails to compile when the parameters of a configuration contradict each other. Not a constant of the trait, which an
/// implementation could replace: the window relies on the alignment.
pub(crate) const fn validate<C: Config>() {
    assert!(C::MIN_ALIGN.is_power_of_two(), "MIN_ALIGN is a power of two");
    assert!(C::MIN_ALIGN <= 4096, "MIN_ALIGN is at most 4096");
    assert!(C::FIRST_CHUNK >= 256, "a first chunk holds its header and something beyond it");
    assert!(C::FIRST_CHUNK <= isize::MAX as usize / 4 && C::RESERVE <= isize::MAX as usize / 4);
    assert!(C::HUGE_FROM == usize::MAX || C::HUGE_FROM.is_multiple_of(4096), "HUGE_FROM is whole pages");
    assert!(C::RESERVE >= 1 << 16, "a reservation is worth its system call");
}

/// Fills from low to high addresses: the last block grows and shrinks without being copied, which is what makes a `Vec`
/// in an arena cheap. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Up<const MIN_ALIGN: usize = 1>;

/// Fills from high to low addresses: an instruction less for each allocation; the last block grows in place, but its
/// contents move down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Down<const MIN_ALIGN: usize = 1>;

impl<const MIN_ALIGN: usize> Config for Up<MIN_ALIGN> {
    const UP: bool = true;
    const MIN_ALIGN: usize = MIN_ALIGN;
}

impl<const MIN_ALIGN: usize> Config for Down<MIN_ALIGN> {
    const UP: bool = false;
    const MIN_ALIGN: usize = MIN_ALIGN;
}
