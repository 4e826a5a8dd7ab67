//! Allocation budgets count the calling thread's allocations, and no others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloc_trace::{allocations, assert_allocs, measure};

#[test]
fn counts_are_those_of_one_thread() {
    let stop = Arc::new(AtomicBool::new(false));
    let busy = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut rounds = 0_u64;
            loop {
                drop(std::hint::black_box(vec![0_u8; 100]));
                rounds += 1;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            rounds
        })
    };
    // So often that a count that others get into would show.
    for round in 0..10_000 {
        let (list, made) = measure(|| {
            let mut list = Vec::<u64>::with_capacity(4);
            list.extend([1, 2, 3, 4, 5]);
            list
        });
        assert_eq!((made.allocs, made.resizes, made.frees), (1, 1, 0), "{made:?}");
        assert_eq!(made.bytes, list.capacity() as u64 * 8);
        assert_allocs!(== 1, { vec![round] });
        if round % 50 == 0 {
            std::thread::yield_now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(busy.join().unwrap() > 0);
}

#[test]
fn every_relation_holds_or_says_what_it_found() {
    let text = assert_allocs!(<= 1, { String::from("a string that is on the heap") });
    assert_allocs!(== 0, { text.len() });
    assert_allocs!(< 2, { text.clone() });
    assert_allocs!(> 0, { text.clone() });
    assert_allocs!(>= 2, { (text.clone(), text.clone()) });
    assert_allocs!(bytes == 28, { text.clone() });
    assert_allocs!(bytes <= 28, { text.clone() });
    assert!(allocations().is_some());
    let panic = std::panic::catch_unwind(|| assert_allocs!(<= 1, { (text.clone(), text.clone()) }));
    let message = *panic.expect_err("a budget that does not hold").downcast::<String>().unwrap();
    assert!(message.starts_with("the block made 2 allocations, not <= 1: Allocations {"), "{message}");
}
