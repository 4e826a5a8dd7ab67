//! Arena (bump) allocation.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "std", test))]
extern crate std;

mod arena;
mod buffer;
mod bump;
mod bumping;
mod checkpoint;
mod chunk;
mod config;
mod fail;
mod growth;
mod inspect;
mod methods;
#[cfg(feature = "libc")]
mod pages;
mod scope;
mod strategy;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod sync;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod tlab;
mod typed;
mod window;

pub use buffer::Buffer;
pub use bump::{Bump, FixedBump};
pub use checkpoint::Checkpoint;
pub use config::{Config, Down, Up};
#[cfg(feature = "libc")]
pub use pages::Pages;
pub use scope::Scope;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub use sync::SyncBump;

/// Where arenas take their memory from unless told otherwise: pages of the operating system.
#[cfg(feature = "libc")]
pub type DefaultBackend = Pages;

/// Where arenas take their memory from unless told otherwise: without the feature `libc`, nowhere.
#[cfg(not(feature = "libc"))]
pub type DefaultBackend = Buffer<'static>;
