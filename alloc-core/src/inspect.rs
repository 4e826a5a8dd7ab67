//! Looking into a strategy: figures, a walk over its memory, ownership, block headers decoded, and giving memory back.
//!
//! Heap maps, hexdumps, `mallinfo2`, leak lists and tests stand on these five.

use core::ptr::NonNull;

use crate::field::{Field, Peek};
use crate::stats::Stats;
use crate::walk::{Block, Step, Visit, Walked};

/// Whether a strategy owns an address.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It lies in memory that the strategy manages. Says nothing on whether a live block is there.
    Mine = 1,
    /// It does not.
    NotMine = 0,
    /// The strategy cannot tell.
    Unknown = 2,
}

/// The looking-into side of every strategy. None of it allocates from the heap that it looks into.
pub trait Inspect {
    /// The name users type, as in `STRATA_STRATEGY`.
    fn name(&self) -> &'static str;

    /// The strategy's figures at this moment.
    fn stats(&self) -> Stats;

    /// Shows every zone and every block within it to `visit`, until that says stop. The visitor runs while the strategy
    /// may hold its locks: it must not allocate from, free to, or look into the same strategy.
    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked;

    /// Whether `address` lies in memory that this strategy manages. Any address may be asked for.
    fn owns(&self, address: NonNull<u8>) -> Ownership;

    /// Gives free memory back to the backend, keeping about `keep` bytes ready for coming requests. Returns the bytes
    /// given back.
    fn trim(&self, keep: usize) -> usize;

    /// Shows the fields and flags that the strategy keeps beside a block that a walk showed, decoded. Reads memory by `peek`
    /// alone: the block may be gone. Shows nothing where blocks carry nothing, and of what is no block.
    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        let _ = (block, peek, show);
    }
}

/// The methods of [`Inspect`](crate::Inspect), each calling the same method of `$target`, an expression over `$self`: for
/// decorators that show what they decorate.
#[macro_export]
macro_rules! forward_inspect {
    ($self:ident => $target:expr) => {
        fn name(&$self) -> &'static str {
            $target.name()
        }

        fn stats(&$self) -> $crate::Stats {
            $target.stats()
        }

        fn walk(&$self, visit: &mut dyn FnMut($crate::Step) -> $crate::Visit) -> $crate::Walked {
            $target.walk(visit)
        }

        fn owns(&$self, address: core::ptr::NonNull<u8>) -> $crate::Ownership {
            $target.owns(address)
        }

        fn trim(&$self, keep: usize) -> usize {
            $target.trim(keep)
        }

        fn header(&$self, block: $crate::Block, peek: $crate::Peek<'_>, show: &mut dyn FnMut($crate::Field)) {
            $target.header(block, peek, show);
        }
    };
}

impl<S: Inspect + ?Sized> Inspect for &S {
    forward_inspect!(self => (**self));
}
