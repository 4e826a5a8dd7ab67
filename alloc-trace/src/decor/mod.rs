//! Decorators: one concern each, stacked in any order on any strategy.

pub mod counting;
pub mod fault;
pub mod guard;
pub mod perturb;
pub mod quota;

pub use counting::{Counting, Counts};
pub use fault::FaultInject;
pub use guard::Guard;
pub use perturb::Perturb;
pub use quota::Quota;

/// The methods of `Inspect`, each calling the same method of `$target`, an expression over `$self`.
macro_rules! forward_inspect {
    ($self:ident => $target:expr) => {
        fn name(&$self) -> &'static str {
            $target.name()
        }

        fn stats(&$self) -> ::alloc_core::Stats {
            $target.stats()
        }

        fn walk(
            &$self,
            visit: &mut dyn FnMut(::alloc_core::Step) -> ::alloc_core::Visit,
        ) -> ::alloc_core::Walked {
            $target.walk(visit)
        }

        fn owns(&$self, address: ::core::ptr::NonNull<u8>) -> ::alloc_core::Ownership {
            $target.owns(address)
        }

        fn trim(&$self, keep: usize) -> usize {
            $target.trim(keep)
        }

        fn header(
            &$self,
            block: ::alloc_core::Block,
            peek: ::alloc_core::Peek<'_>,
            show: &mut dyn FnMut(::alloc_core::Field),
        ) {
            $target.header(block, peek, show);
        }
    };
}
use forward_inspect;
