//! Resident set over time, sampled from outside, so that the cell does not measure itself.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::machine;
use crate::schema::Sample;

/// Time between samples.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// At most this many samples are kept.
const KEPT: usize = 200;

/// The samples of one process.
#[derive(Debug)]
pub(super) struct Timeline {
    page_size: usize,
    samples: Vec<Sample>,
}

impl Timeline {
    pub(super) const fn new(page_size: usize) -> Self {
        Self { page_size, samples: Vec::new() }
    }

    /// Looks at the process, `since` after it began.
    pub(super) fn look(&mut self, process: u32, since: Duration) {
        if let Some(rss_kib) = machine::resident_kib(process, self.page_size) {
            self.samples.push(Sample { ms: since.as_secs_f64() * 1000.0, rss_kib });
        }
    }

    pub(super) fn into_samples(self) -> Vec<Sample> {
        thin(&self.samples, KEPT)
    }
}

/// At most `most` of the samples: the highest of each of as many neighbours as it takes.
fn thin(samples: &[Sample], most: usize) -> Vec<Sample> {
    let neighbours = samples.len().div_ceil(most).max(1);
    let highest = |group: &[Sample]| group.iter().copied().max_by_key(|sample| sample.rss_kib);
    samples.chunks(neighbours).filter_map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u64) -> Vec<Sample> {
        (0..count).map(|n| Sample { ms: n as f64 * 2.0, rss_kib: (n * 37) % 101 }).collect()
    }

    #[test]
    fn few_samples_are_kept_as_they_are() {
        assert_eq!(thin(&samples(200), 200), samples(200));
        assert_eq!(thin(&[], 200), []);
    }

    #[test]
    fn many_are_thinned_and_the_peak_stays() {
        let mut all = samples(1234);
        all[777].rss_kib = 9999;
        let kept = thin(&all, 200);
        assert!(kept.len() <= 200 && kept.len() > 100);
        assert!(kept.contains(&all[777]));
        assert!(kept.windows(2).all(|pair| pair[0].ms < pair[1].ms));
    }

    #[test]
    fn this_process_can_be_sampled() {
        let mut line = Timeline::new(machine::page_size());
        line.look(std::process::id(), Duration::from_millis(3));
        let samples = line.into_samples();
        assert_eq!(samples.len(), 1);
        assert!(samples[0].rss_kib > 0 && samples[0].ms == 3.0);
    }
}
