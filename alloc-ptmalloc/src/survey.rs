//! Taking the figures of a heap in use: one arena locked at a time, and none while they are shown.

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use crate::arena::{Arena, State};
use crate::bins::fast::Fastbins;
use crate::bins::map::UNSORTED;
use crate::chunk::Chunk;
use crate::class::CLASSES;
use crate::config::{Era, Tunables};
use crate::figures::{ArenaFigures, BinFigures, Figures};
use crate::instance::Instance;
use crate::links::{BIN, Mask};
use crate::ptmalloc::Ptmalloc;
use crate::size::MIN_CHUNK;
use crate::source::Source;
use crate::tcache::slot::Slot;

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// Shows every arena, the main one first. No lock is held meanwhile: `show` may allocate from this heap. Takes time in
    /// proportion to the number of free chunks.
    pub fn arenas(&self, mut show: impl FnMut(&ArenaFigures)) {
        let Some(instance) = self.used() else { return };
        let mut number = 0;
        instance.each_arena(|arena| {
            let figures = {
                let Some(_inside) = self.enter() else { return Some(()) };
                instance.survey(arena, number)
            };
            show(&figures);
            number += 1;
            None
        });
    }

    /// The figures of the heap as a whole.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (Some(_inside), Some(instance)) = (self.enter(), self.used()) else {
            let config = self.config();
            return Figures {
                n_mmaps_max: config.n_mmaps_max,
                mmap_threshold: config.mmap_threshold,
                trim_threshold: config.trim_threshold,
                top_pad: config.top_pad,
                ..Figures::default()
            };
        };
        let (tunables, counters) = (&instance.source.tunables, instance.source.mapped.counters());
        let caches = instance.registry.lock().cached();
        Figures {
            arenas: instance.arenas(),
            n_mmaps: counters.n_mmaps,
            n_mmaps_max: Tunables::get(&tunables.n_mmaps_max),
            max_n_mmaps: counters.max_n_mmaps,
            mmapped_mem: counters.mmapped_mem,
            max_mmapped_mem: counters.max_mmapped_mem,
            dead_mmapped_mem: instance.source.mapped.dead_bytes(),
            mmap_threshold: Tunables::get(&tunables.mmap_threshold),
            trim_threshold: Tunables::get(&tunables.trim_threshold),
            top_pad: Tunables::get(&tunables.top_pad),
            thread_caches: caches.caches,
            cached_blocks: caches.blocks,
            cached_bytes: caches.bytes,
        }
    }
}

impl<B: Backend> Instance<B> {
    fn survey(&self, arena: &Arena, number: usize) -> ArenaFigures {
        let mut figures = ArenaFigures::new(number);
        // Relaxed: a figure of the moment.
        figures.attached_threads = arena.attached_threads.load(Ordering::Relaxed);
        figures.inbox_bytes = arena.inbox.bytes();
        arena.state.lock().survey(&self.source, &mut figures);
        figures
    }

    /// As much as can ever have been committed at once: the arenas' highest figures, the mappings' highest, and what is never
    /// given back. An upper bound, since not all need have been at their highest together; it never falls.
    pub(crate) fn committed_peak(&self) -> usize {
        let mut bytes = self.span().size + self.source.mapped.peak();
        self.registry.lock().each_span(|span| bytes += span.size);
        self.each_arena(|arena| {
            bytes += arena.state.lock().max_system_mem;
            None::<()>
        });
        bytes
    }
}

impl State {
    fn survey<B: Backend>(&self, source: &Source<B>, figures: &mut ArenaFigures) {
        figures.system_mem = self.system_mem;
        figures.max_system_mem = self.max_system_mem;
        figures.top = self.top_end() - self.top.address();
        // SAFETY: the last remainder is a free chunk, and the arena is held.
        figures.last_remainder = self.last_remainder.map_or(0, |chunk| unsafe { chunk.size() });
        figures.remainder_apart = self.last_remainder.is_some() && source.config.era == Era::Ours;
        let mut heap = Some(self.heap);
        while let Some(live) = heap {
            figures.heaps += 1;
            // SAFETY: an arena's heaps are live, and it is held.
            heap = unsafe { live.as_ref() }.previous();
        }
        let mask = Mask::new(source.config.check);
        for (number, figure) in figures.fastbins.iter_mut().enumerate() {
            let next = |chunk| {
                // SAFETY: fastbins are linked with this mask, and the arena is held.
                unsafe { mask.read(chunk) }.ok().flatten()
            };
            self.tally(figure, self.fastbins.head(number), Fastbins::size_of(number), next);
        }
        // SAFETY: a chunk in a bin has the links of one, and the arena is held.
        let after = |chunk| unsafe { BIN.after(chunk) };
        self.tally(&mut figures.unsorted, self.bins.head(UNSORTED), 0, after);
        for (bin, figure) in figures.bins.iter_mut().enumerate().filter(|(bin, _)| self.bins.map().get(*bin))
        {
            self.tally(figure, self.bins.head(bin), 0, after);
        }
        figures.depot_bytes = self.depot.bytes();
        figures.depot_magazines = (0..CLASSES).map(|class| self.depot.count(class)).sum();
    }

    /// Counts the chunks of a list from `head` on, all of them of `size` or, if that is 0, each of its own. Ends where the list
    /// does, or leads back to `head`.
    fn tally(
        &self,
        figure: &mut BinFigures,
        head: Option<Chunk>,
        size: usize,
        mut after: impl FnMut(Chunk) -> Option<Chunk>,
    ) {
        let mut next = head;
        // A list that was tampered with may go in circles. No more chunks than these can be on it.
        for _ in 0..self.max_system_mem / MIN_CHUNK {
            let Some(chunk) = next else { return };
            // SAFETY: a list of the arena leads to its chunks, and the arena is held.
            figure.add(if size == 0 { unsafe { chunk.size() } } else { size });
            next = after(chunk).filter(|&next| Some(next) != head);
        }
    }
}
