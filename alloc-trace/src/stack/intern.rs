//! Stacks as numbers: a tree of return addresses, in which a stack is its innermost frame's node.
//!
//! Nodes are found through an open-addressing table of words, each half a hash and half a node number. Both only ever
//! grow, and no thread waits for another. The tree is one for the process, so that all sinks share it.

use core::fmt;

use super::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Nodes that fit. A stack that needs more is cut to the frames that have nodes. Models have few.
pub(crate) const NODES: usize = if cfg!(alloc_loom) { 8 } else { 1 << 20 };
/// Nodes that are not handed out, for threads that all take the last one at once.
const SPARE: usize = NODES >> 14;
const SLOTS: usize = 2 * NODES;
/// Slots that are looked at for one node.
const PROBES: usize = 128;

/// A node that lost the race for its place, and stands for nothing.
const HOLE: u64 = u64::MAX;

/// The frame that stands for all those beyond the deepest that are kept.
pub(crate) const CUT: usize = 1;

/// A stack: the number of its innermost frame's node. 0 is the empty stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

struct Node {
    /// 0 until the node is ready.
    address: AtomicU64,
    parent: AtomicU32,
}

/// What stands in a node's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing yet.
    Pending,
    /// Nothing ever.
    Hole,
    /// A frame.
    Frame { parent: StackId, address: usize },
}

/// The tree. Valid when all bytes are zero.
pub(crate) struct Tree {
    /// Nodes handed out, counted from node 1.
    count: AtomicU32,
    refused: AtomicU32,
    nodes: [Node; NODES],
    slots: [AtomicU64; SLOTS],
}

fn hash(parent: StackId, address: usize) -> u64 {
    let mixed = (address as u64 ^ (u64::from(parent.0) << 40) ^ u64::from(parent.0))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

impl Tree {
    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            nodes: core::array::from_fn(|_| Node { address: AtomicU64::new(0), parent: AtomicU32::new(0) }),
            slots: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// The stack of `parent` and, called from it, a frame that returns to `address`. Where there is no room left, `parent`
    /// itself.
    pub(crate) fn child(&self, parent: StackId, address: usize) -> StackId {
        let hash = hash(parent, address);
        let tag = hash & 0xffff_ffff_0000_0000;
        let mut index = hash as usize % SLOTS;
        let mut made = None;
        for _ in 0..PROBES {
            let Some(slot) = self.slots.get(index) else { break };
            // Acquire: the node that the word names is seen as it was written.
            let mut word = slot.load(Ordering::Acquire);
            if word == 0 {
                let id = match made {
                    Some(id) => id,
                    None => match self.make(parent, address) {
                        Some(id) => *made.insert(id),
                        None => break,
                    },
                };
                // Release: who finds the word sees the node. Acquire on failure: as above.
                match slot.compare_exchange(0, tag | u64::from(id.0), Ordering::Release, Ordering::Acquire) {
                    Ok(_) => return id,
                    Err(now) => word = now,
                }
            }
            let id = StackId(word as u32);
            if word & 0xffff_ffff_0000_0000 == tag && self.frame(id) == Some((parent, address)) {
                self.drop_node(made);
                return id;
            }
            index = (index + 1) % SLOTS;
        }
        self.drop_node(made);
        self.refused.fetch_add(1, Ordering::Relaxed);
        parent
    }

    fn make(&self, parent: StackId, address: usize) -> Option<StackId> {
        // Relaxed: only the number's uniqueness matters. Checked first, so that the count cannot wrap.
        if self.count.load(Ordering::Relaxed) as usize >= NODES - SPARE - 1 {
            return None;
        }
        let id = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let node = self.nodes.get(id as usize)?;
        node.parent.store(parent.0, Ordering::Relaxed);
        // Release: a reader that goes through the nodes by number sees the parent with the address.
        node.address.store(address as u64, Ordering::Release);
        Some(StackId(id))
    }

    fn drop_node(&self, made: Option<StackId>) {
        if let Some(node) = made.and_then(|id| self.nodes.get(id.0 as usize)) {
            node.address.store(HOLE, Ordering::Release);
        }
    }

    /// Parent and return address of a stack's innermost frame; `None` for the empty stack.
    pub(crate) fn frame(&self, id: StackId) -> Option<(StackId, usize)> {
        match self.place(id.0) {
            Place::Frame { parent, address } => Some((parent, address)),
            _ => None,
        }
    }

    pub(crate) fn place(&self, number: u32) -> Place {
        let Some(node) = self.nodes.get(number as usize) else { return Place::Hole };
        // Acquire: pairs with the Release in `make`.
        match node.address.load(Ordering::Acquire) {
            0 => Place::Pending,
            HOLE => Place::Hole,
            address => Place::Frame {
                parent: StackId(node.parent.load(Ordering::Relaxed)),
                address: address as usize,
            },
        }
    }

    /// The highest node number handed out so far.
    pub(crate) fn last(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Stacks that were cut for want of room.
    pub(crate) fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Return addresses from the innermost frame outwards.
    pub(crate) fn addresses(&self, id: StackId) -> impl Iterator<Item = usize> {
        let mut at = id;
        core::iter::from_fn(move || {
            let (parent, address) = self.frame(at)?;
            at = parent;
            Some(address)
        })
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("count", &self.last()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(alloc_loom)))]
mod tests {
    extern crate std;
    use super::*;
    use crate::stack::tables;
    use std::vec::Vec;

    #[test]
    fn equal_stacks_are_one_number_on_all_threads() {
        let tree = &tables().unwrap().tree;
        let run = move || -> Vec<StackId> {
            (0..2000_usize)
                .map(|i| {
                    let outer = tree.child(StackId(0), 0x7100_0000 + i % 7);
                    tree.child(tree.child(outer, 0x7200_0000 + i % 13), 0x7300_0000 + i)
                })
                .collect()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(run)).collect();
        let mine = run();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), mine);
        }
        let stack: Vec<usize> = tree.addresses(mine[1999]).collect();
        assert_eq!(stack, [0x7300_0000 + 1999, 0x7200_0000 + 1999 % 13, 0x7100_0000 + 1999 % 7]);
        assert_eq!(tree.refused(), 0);
    }
}
