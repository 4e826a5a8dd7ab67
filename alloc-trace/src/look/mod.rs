//! Looking into a heap: every byte accounted for, as a map; one address, with all that is known of it; what a history
//! remembers; and what is live, by stack.
//!
//! Maps and addresses stand on [`Inspect::walk`](alloc_core::Inspect::walk), and hence works for every strategy that shows its
//! blocks, decorated or behind a handle. Nothing here allocates, so that it may run inside the process that is looked at;
//! what is written to must not allocate from the same heap, whose locks may be held meanwhile.

mod about;
mod account;
mod cells;
mod events;
mod frames;
mod hexdump;
mod leaks;
mod map;
mod peek;
mod picture;

pub use about::{About, about, explain};
pub use account::{Account, account};
pub use events::events;
pub use frames::hide_own_frames;
pub use hexdump::hexdump;
pub use leaks::leaks;
pub use map::terminal;
pub use picture::{html, svg};

/// Whether text is coloured, by escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// It is.
    Always,
    /// It is not.
    Never,
}
