//! The strategies of this process, one instance of each that can be asked for.

use alloc_bump::Bump;
use alloc_core::os::unix::Os;
use alloc_core::{Handle, OnMisuse, SizedBlocks, SizedHandle};
use alloc_freelist::coalesce::Deferred;
use alloc_freelist::fit::Good;
use alloc_freelist::header::{Checked, Keyed, Sized};
use alloc_freelist::mem_io::{MMAP_THRESHOLD, MemIo};
use alloc_freelist::{Config, PagesFreeList, Policy};

use crate::front::Front;
use crate::gate::Gate;
use crate::headed::Headed;
use crate::real::{self, Real};
use crate::settings::Choice;

/// A strategy that can serve the process, by itself or under decorators.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) choice: Choice,
    pub(crate) handle: SizedHandle<'static>,
}

impl Served {
    pub(crate) const fn new<S: SizedBlocks + Sync>(choice: Choice, strategy: &'static S) -> Self {
        match Handle::new_sized(strategy).sized() {
            Some(handle) => Self { choice, handle },
            None => panic!("a handle made by `new_sized` has the methods of sized blocks"),
        }
    }
}

type CheckedPolicy = Policy<Good, Checked<Keyed>, Deferred>;
/// As [`CheckedPolicy`], for programs that go on after a fault.
#[derive(Debug)]
struct ReportingPolicy;

impl Config for ReportingPolicy {
    type Fit = Good;
    type Header = Checked<Keyed>;
    type Coalesce = Deferred;
    const ON_MISUSE: OnMisuse = OnMisuse::Ignore;
}

type TrustingPolicy = Policy<Good, Sized, Deferred>;

static FREELIST: Gate<PagesFreeList<CheckedPolicy>> = Gate::new(PagesFreeList::with_policy());
static REPORTING_FREELIST: Gate<PagesFreeList<ReportingPolicy>> = Gate::new(PagesFreeList::with_policy());
static TRUSTING_FREELIST: Gate<PagesFreeList<TrustingPolicy>> = Gate::new(PagesFreeList::with_policy());
static MEM_IO: Gate<MemIo<Os, Os, MMAP_THRESHOLD, true>> = Gate::new(MemIo::on_os());
static FORGIVING_MEM_IO: Gate<MemIo> = Gate::new(MemIo::new());
static BUMP: Gate<Headed<Bump>> = Gate::new(Headed::new(Bump::new(), OnMisuse::Abort));
static REPORTING_BUMP: Gate<Headed<Bump>> = Gate::new(Headed::new(Bump::new(), OnMisuse::Ignore));

static SERVED_PTMALLOC: Served = Served::new(Choice::Ptmalloc, &Front);
static SERVED_FREELIST: Served = Served::new(Choice::Freelist, &FREELIST);
static SERVED_REPORTING_FREELIST: Served = Served::new(Choice::Freelist, &REPORTING_FREELIST);
static SERVED_TRUSTING_FREELIST: Served = Served::new(Choice::Freelist, &TRUSTING_FREELIST);
static SERVED_MEM_IO: Served = Served::new(Choice::MemIo, &MEM_IO);
static SERVED_FORGIVING_MEM_IO: Served = Served::new(Choice::MemIo, &FORGIVING_MEM_IO);
static SERVED_BUMP: Served = Served::new(Choice::Bump, &BUMP);
static SERVED_REPORTING_BUMP: Served = Served::new(Choice::Bump, &REPORTING_BUMP);
static SERVED_LIBC: Served = Served::new(Choice::Libc, &Real);

/// The instance for a choice, a level of checks and what follows a fault, or `None` where this process cannot have it.
pub(crate) fn find(choice: Choice, check: u8, then: OnMisuse) -> Option<&'static Served> {
    Some(match (choice, check) {
        (Choice::Ptmalloc, _) => &SERVED_PTMALLOC,
        (Choice::Freelist, 0) => &SERVED_TRUSTING_FREELIST,
        (Choice::Freelist, _) if then == OnMisuse::Ignore => &SERVED_REPORTING_FREELIST,
        (Choice::Freelist, _) => &SERVED_FREELIST,
        (Choice::MemIo, 0) => &SERVED_FORGIVING_MEM_IO,
        (Choice::MemIo, _) if then == OnMisuse::Ignore => &SERVED_FORGIVING_MEM_IO,
        (Choice::MemIo, _) => &SERVED_MEM_IO,
        (Choice::Bump, _) if then == OnMisuse::Ignore => &SERVED_REPORTING_BUMP,
        (Choice::Bump, _) => &SERVED_BUMP,
        (Choice::Libc, _) => {
            if !real::look_up() {
                return None;
            }
            &SERVED_LIBC
        }
    })
}

/// Every gate, in the order in which they are locked.
macro_rules! each_gate {
    ($method:ident) => {{
        FREELIST.$method();
        REPORTING_FREELIST.$method();
        TRUSTING_FREELIST.$method();
        MEM_IO.$method();
        FORGIVING_MEM_IO.$method();
        BUMP.$method();
        REPORTING_BUMP.$method();
    }};
}

/// Locks every strategy that has no fork handling of its own.
pub(crate) fn before_fork() {
    each_gate!(before_fork);
}

/// Opens them again.
pub(crate) fn after_fork() {
    each_gate!(after_fork);
}
