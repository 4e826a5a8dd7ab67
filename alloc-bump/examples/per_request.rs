//! An arena for each request: everything a request needs is taken from it, and a reset gives all of it back at once.
//!
//! Run with `cargo run -p alloc-bump --example per_request`.

use alloc_bump::Bump;
use alloc_core::Inspect;

#[derive(Debug)]
struct Request<'a> {
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
}

/// A request in the arena: no part of it is a copy, all of it is gone with the next reset.
fn parse<'a>(bump: &'a Bump, line: &'a str) -> &'a Request<'a> {
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    bump.alloc(Request { path, query: bump.alloc_iter(pairs) })
}

fn answer<'a>(bump: &'a Bump, request: &Request<'_>) -> &'a str {
    let names = bump.alloc_iter(
        request.query.iter().map(|(name, value)| &*bump.alloc_fmt(format_args!("{name} is {value}"))),
    );
    bump.alloc_fmt(format_args!("{}: {}", request.path, names.join(", ")))
}

fn main() {
    let mut bump = Bump::new();
    let mut longest = 0;
    for number in 0..10_000 {
        let line = format!("/search?page={number}&words=arena&sort=size");
        let text = answer(&bump, parse(&bump, &line));
        assert_eq!(text, format!("/search: page is {number}, words is arena, sort is size"));
        longest = longest.max(text.len());
        bump.reset();
    }
    println!("10000 requests, the longest answer had {longest} bytes");
    println!("the arena holds {} bytes of memory", bump.stats().committed);
}
