//! The walker over an arena's invariants.
//!
//! [`Bump::check`](crate::Bump::check) runs it at will; builds with `--cfg alloc_deep_check` run it wherever the slow paths
//! end, and stop at the first flaw.

use core::fmt;

use crate::arena::Arena;
use crate::chunk::BumpChunk;
use crate::config::Config;

/// What contradicts itself in an arena. Addresses and sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The cursor or the limit is not a multiple of `MIN_ALIGN`.
    Unaligned {
        /// Which address.
        address: usize,
    },
    /// A cursor or limit lies outside of its chunk, or they are in the wrong order.
    OutOfOrder {
        /// Where the chunk's blocks begin.
        origin: usize,
        /// Where its next block goes.
        cursor: usize,
        /// Where its open part ends.
        limit: usize,
        /// Where the chunk ends.
        end: usize,
    },
    /// Neighbours in the list of chunks do not know each other.
    Links {
        /// The header of the first of them.
        chunk: usize,
    },
    /// The current chunk is not in the list.
    Lost {
        /// Its header.
        chunk: usize,
    },
    /// A figure that is kept is not the sum of its parts.
    Sum {
        /// Which one.
        figure: &'static str,
        /// As kept.
        kept: usize,
        /// As counted.
        counted: usize,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unaligned { address } => {
                write!(f, "bump: {address:#x} is not aligned to the arena's minimum")
            }
            Self::OutOfOrder { origin, cursor, limit, end } => write!(
                f,
                "bump: origin {origin:#x}, cursor {cursor:#x}, limit {limit:#x} and end {end:#x} are out of order"
            ),
            Self::Links { chunk } => write!(f, "bump: the chunk after {chunk:#x} does not point back to it"),
            Self::Lost { chunk } => write!(f, "bump: the current chunk {chunk:#x} is not in the list"),
            Self::Sum { figure, kept, counted } => {
                write!(f, "bump: {figure} is {kept}, its parts make {counted}")
            }
        }
    }
}

impl core::error::Error for Flaw {}

impl<C: Config> Arena<C> {
    pub(crate) fn check(&self) -> Result<(), Flaw> {
        let (cursor, limit) = (self.window().cursor().addr().get(), self.window().limit());
        for address in [cursor, limit] {
            if !address.is_multiple_of(C::MIN_ALIGN) {
                return Err(Flaw::Unaligned { address });
            }
        }
        let in_order = |origin: usize, cursor: usize, limit: usize, end: usize| {
            let ordered = if C::UP {
                origin <= cursor && cursor <= limit && limit <= end
            } else {
                origin >= cursor && cursor >= limit && limit >= end
            };
            if ordered { Ok(()) } else { Err(Flaw::OutOfOrder { origin, cursor, limit, end }) }
        };
        if self.first.get().is_none() {
            return in_order(self.origin(), cursor, limit, limit);
        }
        let (mut opened, mut reserved) = (0, 0);
        let mut found = false;
        for (chunk, cursor, limit) in self.chunks() {
            in_order(chunk.origin().addr().get(), cursor, limit, chunk.far_end())?;
            if chunk.depth(limit) < BumpChunk::<C>::ORIGIN {
                return Err(Flaw::OutOfOrder {
                    origin: chunk.header().0,
                    cursor,
                    limit,
                    end: chunk.far_end(),
                });
            }
            if let Some(next) = chunk.get().next.get()
                && next.get().previous.get() != Some(chunk)
            {
                return Err(Flaw::Links { chunk: chunk.header().0 });
            }
            found |= Some(chunk) == self.current.get();
            opened += chunk.depth(limit);
            reserved += chunk.span().size;
        }
        if let Some(current) = self.current.get()
            && !found
        {
            return Err(Flaw::Lost { chunk: current.header().0 });
        }
        for (figure, kept, counted) in
            [("opened", self.opened(), opened), ("reserved", self.reserved(), reserved)]
        {
            if kept != counted {
                return Err(Flaw::Sum { figure, kept, counted });
            }
        }
        if self.opened() > self.opened_peak() {
            return Err(Flaw::Sum {
                figure: "opened_peak",
                kept: self.opened_peak(),
                counted: self.opened(),
            });
        }
        Ok(())
    }

    /// Stops the program at a flaw, in builds for that. Elsewhere nothing is compiled.
    #[inline(always)]
    pub(crate) fn deep_check(&self) {
        #[cfg(alloc_deep_check)]
        if let Err(flaw) = self.check() {
            panic!("{flaw}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Down, Up};
    use core::ptr::NonNull;
    use std::string::ToString;

    #[test]
    fn a_wrong_cursor_is_found() {
        let mut buffer = [0_u64; 64];
        let bytes = NonNull::slice_from_raw_parts(NonNull::from(&mut buffer).cast::<u8>(), 512);
        // SAFETY: the buffer is the arena's while it is used.
        let arena = unsafe { Arena::<Up<8>>::over(bytes) };
        assert_eq!(arena.check(), Ok(()));
        let (cursor, limit) = (arena.window().cursor(), arena.window().limit());

        // SAFETY: the arena is not used in this state, but to look at it.
        unsafe { arena.window().move_to(cursor.map_addr(|a| a.checked_add(4).unwrap()), limit) };
        let flaw = arena.check().unwrap_err();
        assert_eq!(flaw, Flaw::Unaligned { address: cursor.addr().get() + 4 });
        assert!(flaw.to_string().contains("not aligned"), "{flaw}");

        // SAFETY: as above.
        unsafe { arena.window().move_to(cursor.map_addr(|a| a.checked_add(520).unwrap()), limit) };
        assert!(matches!(arena.check(), Err(Flaw::OutOfOrder { .. })));
    }

    #[test]
    fn an_arena_without_memory_is_whole() {
        assert_eq!(Arena::<Down>::new().check(), Ok(()));
    }
}
