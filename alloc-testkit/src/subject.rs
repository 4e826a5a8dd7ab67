//! What is put to the test, and what it has declared about itself.

#![forbid(unsafe_code)]

use alloc_core::{SizedBlocks, Strategy};

/// A strategy under test. Cheap to copy; the checks behind it are compiled once, for all strategies.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    strategy: &'a dyn Strategy,
    sized: Option<&'a dyn SizedBlocks>,
}

impl<'a> Subject<'a> {
    /// A strategy that is asked for the methods of [`Strategy`] only.
    pub fn plain(strategy: &'a dyn Strategy) -> Self {
        Self { strategy, sized: None }
    }

    /// A strategy that is asked for the methods of [`SizedBlocks`] too.
    pub fn sized(strategy: &'a dyn SizedBlocks) -> Self {
        Self { strategy, sized: Some(strategy) }
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> &'a dyn Strategy {
        self.strategy
    }

    /// The strategy's side that knows its blocks' sizes, where it has one.
    #[must_use]
    pub fn sized_blocks(&self) -> Option<&'a dyn SizedBlocks> {
        self.sized
    }
}

impl core::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.strategy.name())
            .field("sized", &self.sized.is_some())
            .finish()
    }
}

/// A strategy under test that many threads call at once.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    strategy: &'a (dyn Strategy + Sync),
    sized: Option<&'a (dyn SizedBlocks + Sync)>,
}

impl<'a> Shared<'a> {
    /// As [`Subject::plain`].
    pub fn plain(strategy: &'a (dyn Strategy + Sync)) -> Self {
        Self { strategy, sized: None }
    }

    /// As [`Subject::sized`].
    pub fn sized<S: SizedBlocks + Sync>(strategy: &'a S) -> Self {
        Self { strategy, sized: Some(strategy) }
    }

    /// The same for one thread.
    #[must_use]
    pub fn subject(&self) -> Subject<'a> {
        match self.sized {
            Some(sized) => Subject::sized(sized),
            None => Subject::plain(self.strategy),
        }
    }
}

impl core::fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.subject().fmt(f)
    }
}

/// Which freed memory a strategy serves again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// All of it.
    Any,
    /// What was handed out last, when it is given back in reverse order (`bump`). Padding between blocks may stay lost.
    Last,
    /// None before a reset.
    None,
}

/// What a strategy under test declares about itself. The suite holds it to that.
///
/// The default is a general-purpose strategy over the operating system's memory, with an instance of its own per test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request whose size and alignment together are at most this many bytes is served by a fresh instance.
    /// Default: 2 GiB + 64 KiB, enough for one block at an alignment of 1 GiB.
    pub serves: usize,
    /// No instance ever holds more live bytes than this. `None` (default): only the operating system sets a bound, and
    /// then requests within [`serves`](Self::serves) are never refused.
    pub total: Option<usize>,
    /// Which freed memory is served again. Default: [`Reuse::Any`].
    pub reuse: Reuse,
    /// Whether `walk` shows the blocks. Default: yes.
    pub walkable: bool,
    /// Whether everything that the figures count belongs to the test. Default: yes. Not so for the C library's heap,
    /// which serves the rest of the process too.
    pub exclusive: bool,
}

impl Limits {
    /// The default.
    pub const UNLIMITED: Self = Self {
        serves: (2 << 30) + (64 << 10),
        total: None,
        reuse: Reuse::Any,
        walkable: true,
        exclusive: true,
    };

    /// A source of `total` bytes, of which single requests may take half.
    #[must_use]
    pub const fn bytes(total: usize) -> Self {
        Self { serves: total / 2, total: Some(total), ..Self::UNLIMITED }
    }

    /// The same with another [`serves`](Self::serves).
    #[must_use]
    pub const fn serving(self, serves: usize) -> Self {
        Self { serves, ..self }
    }

    /// The same with another [`reuse`](Self::reuse).
    #[must_use]
    pub const fn reusing(self, reuse: Reuse) -> Self {
        Self { reuse, ..self }
    }

    /// The same for a strategy that answers `Unsupported` to a walk.
    #[must_use]
    pub const fn without_walk(self) -> Self {
        Self { walkable: false, ..self }
    }

    /// The same for a heap that serves others besides the test.
    #[must_use]
    pub const fn shared_with_others(self) -> Self {
        Self { exclusive: false, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::UNLIMITED
    }
}
