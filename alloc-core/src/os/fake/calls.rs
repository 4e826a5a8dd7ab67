//! Which calls were made, and which of them fail.

#![forbid(unsafe_code)]

use crate::error::AllocError;
use crate::os::schedule::Schedule;

/// The kinds of calls, one for each method of [`Pages`](crate::os::Pages) and [`Break`](crate::os::Break).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Call {
    Reserve,
    Map,
    Commit,
    Decommit,
    Populate,
    Advise,
    Release,
    Remap,
    Sbrk,
}

impl Call {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Reserve,
        Self::Map,
        Self::Commit,
        Self::Decommit,
        Self::Populate,
        Self::Advise,
        Self::Release,
        Self::Remap,
        Self::Sbrk,
    ];
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    counts: [u64; Call::ALL.len()],
    schedule: Schedule,
    kind: Option<Call>,
    asked: u64,
}

impl Calls {
    pub(super) fn of(&self, kind: Call) -> u64 {
        self.counts[kind as usize]
    }

    pub(super) fn fail(&mut self, kind: Option<Call>, schedule: Schedule) {
        self.kind = kind;
        self.schedule = schedule;
        self.asked = 0;
    }

    /// Counts a call, and answers whether it may succeed.
    pub(super) fn enter(&mut self, kind: Call) -> Result<(), AllocError> {
        self.counts[kind as usize] += 1;
        if self.kind.is_some_and(|only| only != kind) {
            return Ok(());
        }
        self.asked += 1;
        if self.schedule.fails(self.asked) { Err(AllocError) } else { Ok(()) }
    }
}
