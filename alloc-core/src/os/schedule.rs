//! When a test double fails.

#![forbid(unsafe_code)]

/// Which calls fail, of those that a schedule is asked about. Calls count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// None.
    #[default]
    Never,
    /// This one alone.
    Nth(u64),
    /// This one and all after it.
    From(u64),
    /// Repeats every `period` calls (1 to 64): call `i` fails where bit `(i - 1) % period` is set.
    Pattern {
        /// One bit for each call of a period.
        bits: u64,
        /// Calls until it repeats. 0 is read as 1, more than 64 as 64.
        period: u32,
    },
}

impl Schedule {
    /// Whether call number `call` fails.
    #[must_use]
    pub const fn fails(self, call: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Nth(nth) => call == nth,
            Self::From(first) => call >= first,
            Self::Pattern { bits, period } => {
                let period = match period {
                    0 => 1,
                    1..=64 => period,
                    _ => 64,
                };
                bits >> (call.wrapping_sub(1) % period as u64) & 1 == 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Schedule;
    use std::vec::Vec;

    fn failing(schedule: Schedule) -> Vec<u64> {
        (1..=8).filter(|&call| schedule.fails(call)).collect()
    }

    #[test]
    fn each_names_its_calls() {
        assert_eq!(failing(Schedule::Never), []);
        assert_eq!(failing(Schedule::Nth(3)), [3]);
        assert_eq!(failing(Schedule::From(6)), [6, 7, 8]);
        assert_eq!(failing(Schedule::Pattern { bits: 0b101, period: 3 }), [1, 3, 4, 6, 7]);
        assert_eq!(failing(Schedule::Pattern { bits: 1, period: 0 }), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(Schedule::Pattern { bits: 1 << 63, period: u32::MAX }.fails(64));
    }
}
