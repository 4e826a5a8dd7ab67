//! What may be set while the heap is in use: `mallopt`.

use core::fmt;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{MMAP_THRESHOLD_MAX, Tunables};
use crate::ptmalloc::Ptmalloc;
use crate::size::{ALIGN, OVERHEAD};
use crate::tcache::slot::{Slot, token};

/// The largest request that fastbins can be set to take, as in glibc: 20 words.
const LARGEST_MXFAST: usize = 160;

/// Why a setting was left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TuneError {
    /// The value is not one that the setting can have.
    OutOfRange,
    /// The heap was not used before, and there is no memory to begin.
    OutOfMemory,
    /// The calling thread is a signal handler's that interrupted the heap at work.
    Interrupted,
}

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the value is out of the setting's range",
            Self::OutOfMemory => "there is no memory to begin the heap with",
            Self::Interrupted => "the heap was interrupted at work by this signal handler",
        })
    }
}

impl core::error::Error for TuneError {}

/// The settings of `mallopt`. Each of the first four also ends the automatic adjustment of the mapping and trim thresholds, as
/// in glibc. Relaxed throughout: a thread may go by the old value for a moment.
impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// `M_MMAP_THRESHOLD`: requests of `bytes` or more get a mapping of their own.
    ///
    /// # Errors
    /// [`TuneError::OutOfRange`] beyond [`MMAP_THRESHOLD_MAX`]; [`TuneError::OutOfMemory`].
    pub fn set_mmap_threshold(&self, bytes: usize) -> Result<(), TuneError> {
        if bytes > MMAP_THRESHOLD_MAX {
            return Err(TuneError::OutOfRange);
        }
        self.fix(bytes, |tunables| &tunables.mmap_threshold)
    }

    /// `M_TRIM_THRESHOLD`: `bytes` of free memory at the top of an arena are kept from the kernel; `usize::MAX` keeps all.
    ///
    /// # Errors
    /// [`TuneError::OutOfMemory`].
    pub fn set_trim_threshold(&self, bytes: usize) -> Result<(), TuneError> {
        self.fix(bytes, |tunables| &tunables.trim_threshold)
    }

    /// `M_TOP_PAD`: an arena that grows asks for `bytes` beyond its need, and keeps as many when it is trimmed.
    ///
    /// # Errors
    /// [`TuneError::OutOfRange`] beyond `isize::MAX`; [`TuneError::OutOfMemory`].
    pub fn set_top_pad(&self, bytes: usize) -> Result<(), TuneError> {
        if isize::try_from(bytes).is_err() {
            return Err(TuneError::OutOfRange);
        }
        self.fix(bytes, |tunables| &tunables.top_pad)
    }

    /// `M_MMAP_MAX`: so many blocks may have mappings of their own at once; 0 for none.
    ///
    /// # Errors
    /// [`TuneError::OutOfMemory`].
    pub fn set_mmap_max(&self, count: usize) -> Result<(), TuneError> {
        self.fix(count, |tunables| &tunables.n_mmaps_max)
    }

    /// `M_ARENA_MAX`: there are so many arenas at most; 0 for three to two processors, or eight to each in the
    /// eras of glibc. Arenas that are there stay.
    ///
    /// # Errors
    /// [`TuneError::OutOfRange`] for more than 65535; [`TuneError::OutOfMemory`]; [`TuneError::Interrupted`].
    pub fn set_arena_max(&self, count: usize) -> Result<(), TuneError> {
        if count > usize::from(u16::MAX) {
            return Err(TuneError::OutOfRange);
        }
        let instance = self.instance().map_err(|_| TuneError::OutOfMemory)?;
        let _inside = self.enter().ok_or(TuneError::Interrupted)?;
        instance.registry.lock().set_limit(count);
        Ok(())
    }

    /// `M_MXFAST`: freed blocks of requests up to `bytes` go to fastbins; 0 for none. What is there goes into the bins first. Era
    /// `Classic`.
    ///
    /// # Errors
    /// [`TuneError::OutOfRange`] for more than 160; [`TuneError::OutOfMemory`]; [`TuneError::Interrupted`].
    pub fn set_mxfast(&self, bytes: usize) -> Result<(), TuneError> {
        if bytes > LARGEST_MXFAST {
            return Err(TuneError::OutOfRange);
        }
        let instance = self.instance().map_err(|_| TuneError::OutOfMemory)?;
        let chunk = if bytes == 0 { 0 } else { (bytes + OVERHEAD) / ALIGN * ALIGN };
        let _inside = self.enter().ok_or(TuneError::Interrupted)?;
        instance.source.tunables.max_fast.store(chunk, Ordering::Relaxed);
        instance.consolidate();
        Ok(())
    }

    /// `M_PERTURB`: new blocks are filled with the complement of `byte`, freed ones with it; 0 ends that.
    ///
    /// The calling thread gives its cache up, and no thread gets one from now on. Other threads keep the caches that they have,
    /// and what they have there is not filled: best set before there are other threads.
    ///
    /// # Errors
    /// [`TuneError::OutOfMemory`]; [`TuneError::Interrupted`].
    pub fn set_perturb(&self, byte: u8) -> Result<(), TuneError> {
        let instance = self.instance().map_err(|_| TuneError::OutOfMemory)?;
        if self.is_interrupted() {
            return Err(TuneError::Interrupted);
        }
        instance.source.tunables.perturb.store(usize::from(byte), Ordering::Relaxed);
        if byte != 0 {
            S::forget(instance.id);
            let _inside = self.enter().ok_or(TuneError::Interrupted)?;
            instance.thread_exit(token());
        }
        Ok(())
    }

    /// Sets one of those that end the automatic adjustment.
    fn fix(&self, value: usize, which: impl FnOnce(&Tunables) -> &AtomicUsize) -> Result<(), TuneError> {
        let instance = self.instance().map_err(|_| TuneError::OutOfMemory)?;
        let tunables = &instance.source.tunables;
        tunables.dynamic_threshold.store(0, Ordering::Relaxed);
        which(tunables).store(value, Ordering::Relaxed);
        Ok(())
    }
}
