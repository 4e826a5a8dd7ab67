//! Scopes: a search that takes memory at every step and gives it back when it turns around.
//!
//! Run with `cargo run -p alloc-bump --example scoped`.

use alloc_bump::{Bump, Scope};
use alloc_core::Inspect;

/// The ways to put `left` more queens on a board, given the columns of those above. Each step's board lives in a scope of
/// its own; those of the steps above stay usable in it.
fn queens(scope: &mut Scope<'_>, board: &[usize], size: usize) -> usize {
    if board.len() == size {
        return 1;
    }
    let row = board.len();
    (0..size)
        .filter(|&column| {
            board
                .iter()
                .enumerate()
                .all(|(above, &other)| other != column && other.abs_diff(column) != row - above)
        })
        .map(|column| {
            scope.scope(|inner| {
                let next = inner.alloc_iter(board.iter().copied().chain([column]));
                queens(inner, next, size)
            })
        })
        .sum()
}

fn main() {
    let mut bump = Bump::new();
    let ways = bump.scope(|scope| queens(scope, &[], 8));
    assert_eq!(ways, 92);
    println!("eight queens stand on a board in {ways} ways");
    println!(
        "{} bytes are live after the search, {} were ever open",
        bump.stats().live,
        bump.stats().committed_peak
    );
}
