//! Numbers as people read them: three significant digits or two decimals, a unit, never `NaN`.

use crate::schema::Interval;

/// What stands where there is no figure.
pub(super) const NONE: &str = "–";

/// Two decimals below 10, then three significant digits, then whole numbers: `0.83`, `12.3`, `480`.
pub(super) fn ratio(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value < 0.095 {
        format!("{value:.3}")
    } else if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A longer side of more than this share of its median makes an interval too lopsided for a `±`, which would often
/// reach below 0.
const LOPSIDED: f64 = 0.25;

/// `±0.02`, the longer side of the interval; `None` if that side is large, for which only bounds are honest.
pub(super) fn reach(interval: &Interval) -> Option<String> {
    let side = (interval.hi - interval.median).max(interval.median - interval.lo);
    (side <= LOPSIDED * interval.median).then(|| format!("±{}", like(side, interval.median)))
}

/// `0.83 ±0.02`, or `0.83 [0.61, 1.42]` where the interval is wide.
pub(super) fn ratio_and_reach(interval: &Interval) -> String {
    match reach(interval) {
        Some(reach) => format!("{} {reach}", ratio(interval.median)),
        None => ratio_and_bounds(interval),
    }
}

/// `0.83 [0.81, 0.85]`.
pub(super) fn ratio_and_bounds(ratio_: &Interval) -> String {
    format!("{} [{}, {}]", ratio(ratio_.median), ratio(ratio_.lo), ratio(ratio_.hi))
}

/// A spread with as many decimals as its median is shown with, rounded up: only a spread of 0 reads as 0.
fn like(spread: f64, median: f64) -> String {
    if !spread.is_finite() {
        return NONE.to_owned();
    }
    let decimals = ratio(median).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let scale = 10f64.powi(decimals as i32);
    // A hair less, or 0.84 - 0.80 would round up to 0.05.
    let up = (spread * scale - 1e-6).max(0.0).ceil() / scale;
    format!("{up:.decimals$}")
}

/// A fraction as a percentage: `2.1 %`, on one line.
pub(super) fn percent(fraction: f64) -> String {
    let value = fraction * 100.0;
    if value < 9.95 { format!("{value:.1}\u{a0}%") } else { format!("{value:.0}\u{a0}%") }
}

/// Three significant digits, without more than one would read.
pub(super) fn significant(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => NONE.to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Nanoseconds per operation in the unit that suits: `12.3 ns`, `4.56 µs`, `1.20 ms`.
pub(super) fn nanoseconds(value: f64) -> String {
    let (scale, unit) = match value {
        value if value < 999.5 => (1.0, "ns"),
        value if value < 999_500.0 => (1e3, "µs"),
        value if value < 999_500_000.0 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {unit}", significant(value / scale))
}

/// Milliseconds in the unit that suits: `400 µs`, `12.3 ms`, `1.23 s`.
pub(super) fn milliseconds(value: f64) -> String {
    nanoseconds(value * 1e6)
}

/// KiB in the unit that suits: `512 KiB`, `12.3 MiB`, `1.50 GiB`.
pub(super) fn memory(kib: u64) -> String {
    let value = kib as f64;
    if kib < 1024 {
        format!("{kib} KiB")
    } else if kib < 1024 * 1024 {
        format!("{} MiB", significant(value / 1024.0))
    } else {
        format!("{} GiB", significant(value / 1024.0 / 1024.0))
    }
}

/// Thousands in groups, divided by a narrow space: `1 234 567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 thread`, `8 threads`; `1 cell`, `45 cells`.
pub(super) fn plural(number: usize, what: &str) -> String {
    plural_of(number, what, &format!("{what}s"))
}

/// As [`plural`], for words that take more than an s.
pub(super) fn plural_of(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1 thread`, `8 threads`; for 0, which is a program, that it has its own.
pub(super) fn thread_count(count: usize) -> String {
    if count == 0 { OWN_THREADS.to_owned() } else { plural(count, "thread") }
}

/// How many threads a program has is not the harness's to say.
const OWN_THREADS: &str = "own threads";

/// `1 thread`; `1, 2 and 8 threads`. Programs are left out beside workloads.
pub(super) fn threads(counts: &[usize]) -> String {
    let chosen: Vec<usize> = counts.iter().copied().filter(|&count| count > 0).collect();
    match chosen.as_slice() {
        [] => OWN_THREADS.to_owned(),
        [only] => plural(*only, "thread"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(usize::to_string).collect();
            format!("{} and {last} threads", first.join(", "))
        }
    }
}

/// Minutes and seconds: `48 s`, `3 min 20 s`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.to_owned();
    }
    let whole = seconds.round() as u64;
    match (whole / 60, whole % 60) {
        (0, _) if seconds < 10.0 => format!("{seconds:.1} s"),
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// A moment in UTC: `2026-11-21 20:42 UTC`. From days to the date as in Howard Hinnant's "chrono-compatible low-level
/// date algorithms": years begin in March, so that the leap day comes last.
pub(super) fn moment(unix: u64) -> String {
    let days = unix / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (unix % 86_400 / 3_600, unix % 3_600 / 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_match_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(moment(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(moment(951_868_800), "2000-03-01 00:00 UTC");
        assert_eq!(moment(1_767_225_599), "2025-12-31 23:59 UTC");
    }

    #[test]
    fn digits_are_few_and_units_fit() {
        assert_eq!(ratio(0.8349), "0.83");
        assert_eq!(ratio(9.996), "10.0");
        assert_eq!(ratio(0.0213), "0.021");
        assert_eq!(ratio(480.4), "480");
        assert_eq!(ratio(f64::NAN), NONE);
        assert_eq!(ratio_and_reach(&Interval { median: 0.83, lo: 0.80, hi: 0.84 }), "0.83 ±0.03");
        assert_eq!(ratio_and_reach(&Interval { median: 0.83, lo: 0.829, hi: 0.831 }), "0.83 ±0.01");
        assert_eq!(ratio_and_reach(&Interval { median: 1.0, lo: 1.0, hi: 1.0 }), "1.00 ±0.00");
        assert_eq!(ratio_and_reach(&Interval { median: 12.34, lo: 12.0, hi: 12.5 }), "12.3 ±0.4");
        assert_eq!(ratio_and_reach(&Interval { median: 0.65, lo: 0.4, hi: 4.79 }), "0.65 [0.40, 4.79]");
        assert_eq!(reach(&Interval { median: 0.65, lo: 0.4, hi: 0.7 }), None);
        assert_eq!(nanoseconds(12.34), "12.3 ns");
        assert_eq!(nanoseconds(999.6), "1.00 µs");
        assert_eq!(memory(1023), "1023 KiB");
        assert_eq!(memory(1536), "1.50 MiB");
        assert_eq!(memory(3 * 1024 * 1024), "3.00 GiB");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(123), "123");
        assert_eq!(threads(&[1]), "1 thread");
        assert_eq!(threads(&[1, 2, 8]), "1, 2 and 8 threads");
        assert_eq!((threads(&[1, 0]), threads(&[0])), ("1 thread".to_owned(), OWN_THREADS.to_owned()));
        assert_eq!((thread_count(2), thread_count(0)), ("2 threads".to_owned(), OWN_THREADS.to_owned()));
        assert_eq!((milliseconds(0.4), milliseconds(1234.0)), ("400 µs".to_owned(), "1.23 s".to_owned()));
        assert_eq!(duration(200.4), "3 min 20 s");
        assert_eq!(duration(59.7), "1 min 0 s");
        assert_eq!(percent(0.0214), "2.1\u{a0}%");
    }
}
