//! Arenas, bins and boundary tags in the manner of ptmalloc, behind a thread cache that trades in magazines.

mod arena;
mod bins;
mod check;
mod chunk;
mod class;
mod clock;
mod config;
mod depot;
mod figures;
mod heap;
mod inbox;
mod inspect;
mod instance;
mod key;
mod links;
mod magazine;
mod mapped;
mod owner;
mod perturb;
mod process;
mod ptmalloc;
mod ranks;
mod registry;
mod resize;
mod size;
mod source;
mod strategy;
mod survey;
mod tcache;
mod top;
mod tune;

pub use config::{CheckLevel, Config, Era, MMAP_THRESHOLD_MAX};
pub use figures::{ArenaFigures, BinFigures, Figures};
pub use ptmalloc::Ptmalloc;
pub use tcache::slot::{CacheRef, ProcessSlot, SharedSlot, Slot};
pub use tune::TuneError;
