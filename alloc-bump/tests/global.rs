//! The shared arena behind a whole program: its own binary, since it replaces the test harness's allocator too.

#![cfg(all(feature = "std", feature = "libc"))]

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::thread;

use alloc_bump::SyncBump;
use alloc_core::Inspect;
use alloc_core::compat::Global;

#[global_allocator]
static GLOBAL: Global<SyncBump> = Global::new(SyncBump::new());

/// A value that allocates and frees while its thread's thread-locals are being destroyed.
struct Last(Vec<String>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.push(format!("thread-locals end here {}", self.0.len()));
        let copies: Vec<String> = self.0.clone();
        assert!(copies.last().unwrap().ends_with('1'));
    }
}

thread_local! {
    static LAST: Last = Last(vec!["first".into()]);
}

#[test]
fn collections_strings_and_large_buffers() {
    let mut words = HashMap::new();
    let mut order = BTreeMap::new();
    for number in 0..20_000_u32 {
        words.insert(format!("word {number}"), number);
        order.insert(number.reverse_bits(), vec![number; (number % 50) as usize]);
    }
    assert!((0..20_000).all(|number| words[&format!("word {number}")] == number));
    assert_eq!(order.values().map(Vec::len).sum::<usize>(), (0..20_000).map(|n| n % 50).sum::<usize>());
    let mut large: Vec<u64> = Vec::new();
    large.extend(0..1_000_000);
    assert!(large.iter().enumerate().all(|(index, &number)| number == index as u64));
    let zeroes = vec![0_u8; 10 << 20];
    assert!(zeroes.iter().all(|&byte| byte == 0));
    assert_eq!(GLOBAL.strategy().check(), Ok(()));
    assert!(GLOBAL.strategy().stats().live.get().unwrap() > 8 << 20);
}

#[test]
fn threads_come_hand_over_and_go() {
    let (sender, receiver) = mpsc::channel::<Vec<String>>();
    for round in 0..40 {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let sender = sender.clone();
                thread::spawn(move || {
                    LAST.with(|last| assert_eq!(last.0.len(), 1));
                    let lines = (0..100).map(|line| format!("{round} {thread} {line}")).collect();
                    sender.send(lines).unwrap();
                })
            })
            .collect();
        for _ in 0..4 {
            let mut lines = receiver.recv().unwrap();
            lines.push("grown and freed by another thread".into());
            assert_eq!(lines.len(), 101);
            assert!(lines[99].ends_with(" 99"));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
