//! A bounded queue between threads that ends when its last sender has.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out; its memory is taken when it is made.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something came, or nothing more will.
    came: Condvar,
    /// Something was taken.
    taken: Condvar,
    bound: usize,
}

struct State<T> {
    items: VecDeque<T>,
    senders: usize,
}

impl<T> Queue<T> {
    /// An empty queue of at most `bound` items, for `senders` threads that each call [`Queue::leave`] at their end.
    pub(super) fn new(bound: usize, senders: usize) -> Queue<T> {
        let state = State { items: VecDeque::with_capacity(bound), senders };
        Queue { state: Mutex::new(state), came: Condvar::new(), taken: Condvar::new(), bound }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `item`, when there is room.
    pub(super) fn send(&self, item: T) {
        let mut state = self.lock();
        while state.items.len() == self.bound {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.items.push_back(item);
        drop(state);
        self.came.notify_one();
    }

    /// A sender ends.
    pub(super) fn leave(&self) {
        self.lock().senders -= 1;
        self.came.notify_all();
    }

    /// The oldest item, when there is one; `None` after the last of the last sender.
    pub(super) fn receive(&self) -> Option<T> {
        let mut state = self.lock();
        while state.items.is_empty() && state.senders > 0 {
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let item = state.items.pop_front();
        drop(state);
        self.taken.notify_one();
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_arrives_once_and_all_receivers_end() {
        let queue = Queue::new(3, 2);
        let sum: u64 = std::thread::scope(|scope| {
            for start in [0, 1000] {
                let queue = &queue;
                scope.spawn(move || {
                    (start..start + 1000).for_each(|item: u64| queue.send(item));
                    queue.leave();
                });
            }
            let receivers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| std::iter::from_fn(|| queue.receive()).sum::<u64>())).collect();
            receivers.into_iter().map(|receiver| receiver.join().expect("no panic")).sum()
        });
        assert_eq!(sum, (0..2000).sum::<u64>());
    }
}
