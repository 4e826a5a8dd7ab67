//! Magazines: lists of blocks of one class, the currency between thread caches and arenas.
//!
//! The word is Bonwick's. The blocks of a magazine are in use as far as their arena can see, and are linked through their
//! own first words:
//!
//! ```text
//!              first block              next block               last block
//! block  -> +----------------+       +----------------+       +----------------+
//!           | next           | ----> | next           | ----> | null           |
//!           | key            |       | key            |       | key            |
//!           | label          |       |                |       |                |
//!           +----------------+       +----------------+       +----------------+
//! ```
//!
//! *key* marks the block as cached (see [`key`](crate::key)). *label* is written only when a magazine is sealed, to be
//! put on a stack of magazines: it packs the pointer to the magazine below with this one's class and count, so that a
//! stack needs one word and passing a magazine on touches one block of it.

use core::ptr::{self, NonNull};

use crate::class::CLASSES;

/// A block on a list.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node {
    /// The next block, or null.
    pub(crate) next: *mut Node,
    /// The cache key.
    pub(crate) key: usize,
    /// Of the first block of a sealed magazine only.
    label: Label,
}

impl Node {
    /// The node that a block holds while it is on a list.
    #[inline]
    pub(crate) fn of(block: NonNull<u8>) -> *mut Self {
        block.cast().as_ptr()
    }

    /// The next block, or null.
    ///
    /// # Safety
    /// At `node` is a block of a heap, which was linked.
    #[inline]
    pub(crate) unsafe fn next(node: *mut Self) -> *mut Self {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw const (*node).next };
        // SAFETY: the block is in a heap, and the word was written when it was linked.
        unsafe { place.read() }
    }

    /// Links a block to another.
    ///
    /// # Safety
    /// At `node` is a block of a chunk in use that nobody else uses.
    #[inline]
    pub(crate) unsafe fn set_next(node: *mut Self, next: *mut Self) {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw mut (*node).next };
        // SAFETY: the block is the caller's.
        unsafe { place.write(next) };
    }

    /// The word in which a cached block bears the key. In a live one it may be anything.
    ///
    /// # Safety
    /// At `node` is a block of a heap.
    #[inline]
    pub(crate) unsafe fn key(node: *mut Self) -> usize {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw const (*node).key };
        // SAFETY: heap memory is readable, and any bits are a number.
        unsafe { place.read() }
    }

    /// Marks a block as cached, with the key, or as not, with 0.
    ///
    /// # Safety
    /// As for [`set_next`](Self::set_next).
    #[inline]
    pub(crate) unsafe fn set_key(node: *mut Self, key: usize) {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw mut (*node).key };
        // SAFETY: the block is the caller's.
        unsafe { place.write(key) };
    }

    /// The label of a magazine's first block.
    ///
    /// # Safety
    /// At `node` is the first block of a sealed magazine.
    #[inline]
    unsafe fn label(node: *mut Self) -> Label {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw const (*node).label };
        // SAFETY: it was written when the magazine was sealed.
        unsafe { place.read() }
    }

    /// Labels a magazine's first block.
    ///
    /// # Safety
    /// As for [`set_next`](Self::set_next).
    #[inline]
    unsafe fn set_label(node: *mut Self, label: Label) {
        // SAFETY: the smallest block holds a node.
        let place = unsafe { &raw mut (*node).label };
        // SAFETY: the block is the caller's.
        unsafe { place.write(label) };
    }
}

/// What is known of a sealed magazine and which one lies below it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Label(*mut Node);

const COUNT_BITS: u32 = 13;
const CLASS_BITS: u32 = 8;
const ALIGN_BITS: u32 = 4;

const _: () = assert!(CLASSES <= 1 << CLASS_BITS);
// User addresses have 47 bits, of which the low 4 are zero.
const _: () = assert!(47 - ALIGN_BITS + CLASS_BITS + COUNT_BITS == 64);

/// Blocks of a magazine at most.
pub(crate) const MAX_COUNT: usize = (1 << COUNT_BITS) - 1;

impl Label {
    #[inline]
    fn new(below: *mut Node, class: usize, count: usize) -> Self {
        debug_assert!(class < CLASSES && count <= MAX_COUNT);
        Self(below.map_addr(|address| {
            (address >> ALIGN_BITS << (CLASS_BITS + COUNT_BITS)) | (class << COUNT_BITS) | count
        }))
    }

    #[inline]
    fn below(self) -> *mut Node {
        self.0.map_addr(|address| address >> (CLASS_BITS + COUNT_BITS) << ALIGN_BITS)
    }

    #[inline]
    fn class(self) -> usize {
        (self.0.addr() >> COUNT_BITS) & ((1 << CLASS_BITS) - 1)
    }

    #[inline]
    fn count(self) -> usize {
        self.0.addr() & MAX_COUNT
    }
}

/// A list of blocks of one class, and how many they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Magazine {
    /// The first block, or null when there is none.
    pub(crate) head: *mut Node,
    /// Blocks.
    pub(crate) count: usize,
    /// Their class.
    pub(crate) class: usize,
}

impl Magazine {
    /// A magazine without blocks.
    #[inline]
    pub(crate) const fn empty(class: usize) -> Self {
        Self { head: ptr::null_mut(), count: 0, class }
    }

    /// Puts a block in front.
    ///
    /// # Safety
    /// `block` is in use, of this class or larger, and nobody else's.
    #[inline]
    pub(crate) unsafe fn push(&mut self, block: NonNull<u8>, key: usize) {
        let node = Node::of(block);
        // SAFETY: the block is the caller's, and ours from now on.
        unsafe { Node::set_next(node, self.head) };
        // SAFETY: as above.
        unsafe { Node::set_key(node, key) };
        self.head = node;
        self.count += 1;
    }

    /// Takes the first block.
    ///
    /// # Safety
    /// The blocks are linked as `push` does, and nobody else's.
    #[inline]
    pub(crate) unsafe fn pop(&mut self) -> Option<NonNull<u8>> {
        let head = NonNull::new(self.head)?;
        // SAFETY: a block on the list is a node.
        self.head = unsafe { Node::next(head.as_ptr()) };
        self.count -= 1;
        Some(head.cast())
    }
}

/// A stack of sealed magazines, known by the first block of the one on top. Of one thread or behind a lock; the stack that
/// several threads push on is [`inbox`](crate::inbox).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack(*mut Node);

impl Stack {
    /// A stack without magazines.
    pub(crate) const EMPTY: Self = Self(ptr::null_mut());

    /// The stack whose top magazine starts with `head`.
    ///
    /// # Safety
    /// `head` is null or came from [`into_raw`](Self::into_raw) or [`seal`].
    #[inline]
    pub(crate) const unsafe fn from_raw(head: *mut Node) -> Self {
        Self(head)
    }

    /// Whether there is none.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_null()
    }

    /// Puts a magazine on top.
    ///
    /// # Safety
    /// The magazine is not empty, whole, and nobody else's.
    #[inline]
    pub(crate) unsafe fn push(&mut self, magazine: Magazine) {
        // SAFETY: the caller's promises are the callee's.
        self.0 = unsafe { seal(magazine, self.0) };
    }

    /// Takes the magazine on top.
    ///
    /// # Safety
    /// The stack is nobody else's.
    #[inline]
    pub(crate) unsafe fn pop(&mut self) -> Option<Magazine> {
        let head = self.0;
        if head.is_null() {
            return None;
        }
        // SAFETY: the first block of a sealed magazine has a label.
        let label = unsafe { Node::label(head) };
        self.0 = label.below();
        Some(Magazine { head, count: label.count(), class: label.class() })
    }
}

/// Writes the label of a magazine that goes on top of the one that starts with `below`, and returns its first block.
///
/// # Safety
/// The magazine is not empty, whole, and nobody else's.
#[inline]
pub(crate) unsafe fn seal(magazine: Magazine, below: *mut Node) -> *mut Node {
    debug_assert!(!magazine.head.is_null());
    let label = Label::new(below, magazine.class, magazine.count);
    // SAFETY: the first block is a node and ours.
    unsafe { Node::set_label(magazine.head, label) };
    magazine.head
}
