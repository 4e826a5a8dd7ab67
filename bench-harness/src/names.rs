//! Names as users type them: lists, and the nearest valid name for one that is unknown.

#![forbid(unsafe_code)]

/// The valid name that is nearest to `word`, when it is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    if word.len() >= 3
        && let Some(name) = valid.iter().find(|name| name.starts_with(word))
    {
        return Some(name);
    }
    let steps = |name: &&'a str| (distance(word, name), *name);
    let (steps, name) = valid.iter().map(steps).min_by_key(|&(steps, _)| steps)?;
    let limit = (word.chars().count().max(name.chars().count()) / 3).max(2);
    (steps <= limit).then_some(name)
}

/// One line on an unknown name: the nearest valid one, or all of them.
#[must_use]
pub fn unknown(kind: &str, word: &str, valid: &[&str]) -> String {
    match nearest(word, valid) {
        Some(name) => format!("unknown {kind} `{word}`; did you mean `{name}`? `--list` shows all"),
        None => format!("unknown {kind} `{word}`; there are {}", valid.join(", ")),
    }
}

/// Text that cannot move a terminal's cursor: control characters become spaces.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Steps from one word to the other: insert, delete, replace a character, or swap two neighbours (the optimal string
/// alignment distance).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in to.iter().enumerate() {
            let replaced = above[column] + usize::from(a != b);
            let mut steps = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == to[column - 1] && from[row - 1] == b {
                steps = steps.min(before[column - 1] + 1);
            }
            current.push(steps);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("churn", "churn"), 0);
        assert_eq!(distance("chrun", "churn"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_name_is_told_only_when_it_is_near() {
        let valid = ["churn", "larson", "fragmentation"];
        assert_eq!(nearest("chrun", &valid), Some("churn"));
        assert_eq!(nearest("frag", &valid), Some("fragmentation"));
        assert_eq!(nearest("zzzzzzzz", &valid), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn an_unknown_name_gives_one_line() {
        assert_eq!(
            unknown("workload", "larsen", &["churn", "larson"]),
            "unknown workload `larsen`; did you mean `larson`? `--list` shows all"
        );
        assert_eq!(
            unknown("strategy", "tcmalloc-x", &["bump", "libc"]),
            "unknown strategy `tcmalloc-x`; there are bump, libc"
        );
    }
}
