//! The order in which locks are taken, lowest first.

/// The list of instances of this process.
pub(crate) const INSTANCES: u8 = 16;
/// An instance's registry: arenas, attachments, thread caches.
pub(crate) const REGISTRY: u8 = 18;
/// An arena. Forking takes those of one instance by their order in the list.
pub(crate) const ARENA: u8 = 20;
/// Blocks with a mapping of their own.
pub(crate) const MAPPED: u8 = 22;
