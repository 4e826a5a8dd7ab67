//! Heaps: the spans that an arena's chunks lie in.
//!
//! ```text
//! base: a multiple of 64 MiB                                                                    end
//! +------+- - - - -+-------+-------+-----+-------+--------------------+- - - - - - - - - - - - -+
//! | Heap | (Arena) | chunk | chunk | ... | chunk | top                | not yet top             |   the newest heap
//! +------+- - - - -+-------+-------+-----+-------+--------------------+- - - - - - - - - - - - -+
//!                  first                         top        fresh     end of top
//!
//! +------+---------+-------+-----+--------------------------------------+----------+-----+
//! | Heap |         | chunk | ... | chunk, free at first                 | fence    | 0|P |          any older heap
//! +------+---------+-------+-----+--------------------------------------+----------+-----+
//!                  first                                                fence            end
//! ```
//!
//! A heap's memory is readable and writable from the start, and the kernel puts pages behind it as they are touched, so
//! that growing top is arithmetic. What was never touched, or was purged since, is known: it begins at `fresh` and reads
//! as zero. When an arena needs another heap, the rest of the old one becomes a chunk like any other, and two headers at
//! its end, the **fence**, stop whoever looks for a next chunk there. The first heap of an arena carries the
//! [`Arena`](crate::arena::Arena) behind its header.

use core::ptr::NonNull;

use alloc_core::backend::{Backend, Span};

use crate::chunk::{Chunk, PREV_IN_USE};
use crate::config::HugePages;
use crate::owner::{self, HEAP_ALIGN};
use crate::size::{ALIGN, MIN_CHUNK};
use crate::source::Source;

/// The header of a heap, at its base.
#[derive(Debug)]
pub(crate) struct Heap {
    /// The arena, as in the owner table. 0 while it is not published.
    id: u16,
    /// The heap that was the newest before this one.
    previous: Option<NonNull<Heap>>,
    /// What the backend gave.
    span: Span,
    /// Where the first chunk starts.
    first: NonNull<u8>,
    /// Where the last chunk, or top at its largest, ends.
    end: usize,
    /// From here to `end`, nothing was touched since the backend gave it: it reads as the backend's spans do.
    pub(crate) fresh: usize,
    /// Where the chunks end; `None` while this is the newest heap, and they end in top.
    fence: Option<Chunk>,
    /// Whether the kernel was asked for huge pages here.
    pub(crate) huge: bool,
}

/// Address space that a heap asks for first. Half of it, and so on, where that much cannot be had.
const LARGEST: usize = HEAP_ALIGN;

/// Heaps are not made smaller than this for want of address space, unless even that cannot be had.
const SMALLEST: usize = 256 << 10;

/// Bytes of a fence and the size word that ends it.
const FENCE: usize = 2 * ALIGN;

const HUGE_PAGE: usize = 2 << 20;

impl Heap {
    /// The most that chunks can take of a heap, and the largest chunk that [`create`](Self::create) can make room for.
    pub(crate) const CAPACITY: usize = LARGEST - Self::EXTRA_AT - MIN_CHUNK;

    /// A new heap of arena `id`, with `extra` bytes behind its header that are not chunks and room for `chunks` bytes of
    /// them. Published in the owner table. `None` when the backend refuses.
    ///
    /// `extra` is a multiple of 128, as the place behind the header is.
    pub(crate) fn create<B: Backend>(
        source: &Source<B>,
        id: u16,
        extra: usize,
        chunks: usize,
        previous: Option<NonNull<Heap>>,
    ) -> Option<NonNull<Heap>> {
        let need = Self::EXTRA_AT.checked_add(extra)?.checked_add(chunks)?;
        let span = Self::reserve(source, need).or_else(|| {
            // What dead mappings hold may be what lacks.
            (source.mapped.release_cache(source) > 0).then(|| Self::reserve(source, need)).flatten()
        })?;
        // Exposed for `holds`, which comes from any address.
        let base = span.start.as_ptr().expose_provenance();
        let size = span.size.min(LARGEST) / ALIGN * ALIGN;
        // SAFETY: the span holds `need` bytes, of which these are the first.
        let first = unsafe { span.start.add(Self::EXTRA_AT + extra) };
        let heap = span.start.cast::<Heap>();
        let header = Heap {
            id,
            previous,
            span,
            first,
            end: base + size,
            fresh: first.addr().get(),
            fence: None,
            huge: false,
        };
        if source.config.huge_pages != HugePages::Always {
            // Where the system uses huge pages unasked, the first touch of a heap would take 2 MiB. The arena asks when it is large.
            // SAFETY: the whole of a new span.
            unsafe { source.backend.advise_no_huge(span.start, span.size) };
        }
        // SAFETY: the span is ours, new, aligned far beyond a header's needs and larger than one.
        unsafe { heap.write(header) };
        if owner::publish(base, id) {
            return Some(heap);
        }
        // The kernel gave an address that the table does not reach to.
        // SAFETY: the span is new, and nobody has seen it.
        unsafe { source.backend.release_span(span) };
        None
    }

    /// Where what is not chunks starts, from the base.
    pub(crate) const EXTRA_AT: usize = size_of::<Heap>().next_multiple_of(128);

    /// A span of the largest size that the backend has, of at least `need` bytes.
    fn reserve<B: Backend>(source: &Source<B>, need: usize) -> Option<Span> {
        if need > LARGEST {
            return None;
        }
        let smallest = need.max(SMALLEST);
        let mut size = LARGEST;
        while size > smallest {
            if let Ok(span) = source.backend.allocate_span(size, HEAP_ALIGN) {
                return Some(span);
            }
            size /= 2;
        }
        let last = |size| source.backend.allocate_span(size, HEAP_ALIGN).ok();
        last(smallest).or_else(|| if need < smallest { last(need) } else { None })
    }

    /// Gives a heap back.
    ///
    /// # Safety
    /// `heap` came from [`create`](Self::create) with this source, and nothing in it is used any more.
    pub(crate) unsafe fn release<B: Backend>(heap: NonNull<Heap>, source: &Source<B>) {
        owner::retract(heap.addr().get());
        // SAFETY: the heap is live until the next line.
        let span = unsafe { heap.as_ref() }.span;
        // SAFETY: the span is the backend's, as it came, and unused as the caller promises.
        unsafe { source.backend.release_span(span) };
    }

    /// The heap that was the newest before this one.
    pub(crate) fn previous(&self) -> Option<NonNull<Heap>> {
        self.previous
    }

    /// The id of its arena.
    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    /// Its span.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Its first chunk.
    pub(crate) fn first(&self) -> Chunk {
        Chunk::at(self.first)
    }

    /// The address that top may grow to.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// Where its chunks end, unless it is its arena's newest: there they end in top.
    pub(crate) fn fence(&self) -> Option<Chunk> {
        self.fence
    }

    /// Ends the chunks of a heap that will not be the newest any more: in place of `top`, which nobody may use from then on,
    /// come a fence and before it, where there is room, a chunk in use. Returns that chunk.
    ///
    /// ```text
    ///  top, 64 bytes or more                                48                        32
    ///  +----------------------------------+             +-----------------+       +---------+
    ///  | rest                 | 16|P | 0|P|             | 32|P      | 0|P |       | 16|P|0|P|
    ///  +----------------------------------+             +-----------------+       +---------+
    ///                          ^ fence                   ^ fence                   ^ fence
    /// ```
    ///
    /// The fence is a chunk in use that nobody frees: the P behind it says so, whatever becomes of the chunk before it.
    ///
    /// # Safety
    /// `top` is the top chunk in this heap and ends where the heap does; chunks carry `arena_flags`; the arena is held.
    pub(crate) unsafe fn fence_off(heap: NonNull<Heap>, top: Chunk, arena_flags: usize) -> Option<Chunk> {
        // SAFETY: the heap is live, and its header is the arena's alone.
        let header = unsafe { &mut *heap.as_ptr() };
        let size = header.end - top.address();
        let rest = if size < FENCE + MIN_CHUNK { 0 } else { size - FENCE };
        // SAFETY: so much lies in top.
        let fence = unsafe { top.at_offset(rest) };
        // SAFETY: top is at least a smallest chunk, hence as large as a fence.
        let last = unsafe { top.at_offset(size - ALIGN) };
        if rest > 0 {
            // SAFETY: the memory of top is the arena's to shape. What is before it is in use.
            unsafe { top.set_head(rest | PREV_IN_USE | arena_flags) };
        }
        // SAFETY: as above; 16 bytes, its size word among them, are the least that is left.
        unsafe { fence.set_head((size - rest - ALIGN) | PREV_IN_USE | arena_flags) };
        // SAFETY: as above: the last 16 bytes of the heap.
        unsafe { last.set_head(PREV_IN_USE | arena_flags) };
        header.fence = Some(fence);
        header.fresh = header.end;
        (rest > 0).then_some(top)
    }

    /// Asks for huge pages behind all that was never touched, from where one begins.
    pub(crate) fn ask_huge<B: Backend>(&self, backend: &B) {
        let base = self.span.start.addr().get();
        let from = if self.fresh < base + HUGE_PAGE { base } else { self.fresh.next_multiple_of(HUGE_PAGE) };
        if from < self.end {
            // SAFETY: the address lies in the span.
            let start = unsafe { self.span.start.add(from - base) };
            // SAFETY: up to the end of the span, which is live.
            unsafe { backend.advise_huge(start, self.end - from) };
        }
    }
}

/// Whether `address` lies in a heap of this process. Any address may be asked for: only the header of a heap is read.
#[inline]
pub(crate) fn holds(address: usize) -> bool {
    if owner::of(address) == 0 {
        return false;
    }
    let base = core::ptr::with_exposed_provenance::<Heap>(address & !(HEAP_ALIGN - 1));
    // Not through a reference: other fields may be written at this moment.
    // SAFETY: the owner table knows live heaps only, and a heap has its header at its base.
    let span = unsafe { &raw const (*base).span };
    // SAFETY: as above; the field was written before the heap was published, and never again.
    let span = unsafe { span.read() };
    // A heap for which there was no room may be smaller than what its entry in the table stands for.
    span.contains(address)
}

/// Whether two addresses lie in the same heap, when each lies in one.
#[inline]
pub(crate) fn same(one: usize, other: usize) -> bool {
    (one ^ other) < HEAP_ALIGN
}
