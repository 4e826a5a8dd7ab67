//! Threads that run operations on one strategy at once and hand blocks to each other.
//!
//! Blocks change hands through a plain exchange, a row of locked places; the lock orders the hand-over, so that whatever
//! goes wrong with a block's contents is the strategy's doing. Each round starts fresh threads, and blocks that lie in
//! the exchange outlive the threads that made them. The number of steps is fixed: no clock decides anything.

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use crate::breach::{Breach, Violation};
use crate::drive::{Driver, Options, Report};
use crate::ops::generate;
use crate::shadow::Tracked;
use crate::subject::{Limits, Shared};

/// The shape of a run with threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Threads that run at once.
    pub threads: usize,
    /// How often all of them end and fresh ones start.
    pub rounds: usize,
    /// Operations of each thread in a round.
    pub steps: usize,
    /// Places in the exchange.
    pub places: usize,
    /// A thread visits the exchange after this many operations.
    pub exchange_every: usize,
    /// Which operations are drawn.
    pub seed: u64,
}

impl Mix {
    /// Mostly each thread for itself: four threads, three rounds, a hand-over every 16 operations.
    pub const APART: Self =
        Self { threads: 4, rounds: 3, steps: 300, places: 32, exchange_every: 16, seed: 0xa9a7 };

    /// Mostly blocks of others: a hand-over at every operation.
    pub const TOGETHER: Self =
        Self { threads: 4, rounds: 3, steps: 300, places: 128, exchange_every: 1, seed: 0x7061 };
}

/// A block on its way between threads.
struct Parcel(Tracked);

// SAFETY: a parcel stands for a live block of a strategy that is `Sync`, so that any thread may use it and give it back;
// who holds the parcel is the block's only holder.
unsafe impl Send for Parcel {}

type Exchange = [Mutex<Option<Parcel>>];

/// Runs a mix on a strategy, then verifies and gives back what is left in the exchange. The options' limits hold;
/// budgets hold for each thread and round.
///
/// # Errors
/// The first breach that a thread found.
pub fn mix(shared: Shared<'_>, shape: &Mix, options: &Options) -> Result<Report, Violation> {
    let exchange: Vec<Mutex<Option<Parcel>>> = (0..shape.places).map(|_| Mutex::new(None)).collect();
    let mut report = Report::default();
    for round in 0..shape.rounds {
        let barrier = Barrier::new(shape.threads);
        let reports = thread::scope(|scope| {
            let (barrier, exchange) = (&barrier, &exchange[..]);
            let threads: Vec<_> = (0..shape.threads)
                .map(|index| {
                    let index = round * shape.threads + index;
                    scope.spawn(move || worker(shared, shape, options, index, barrier, exchange))
                })
                .collect();
            // All are joined before any answer is looked at: none may outlive the round.
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for answer in reports {
            report = report.and(answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
    }
    let rest = settle(shared, options, &exchange).map_err(|breach| Violation { at: None, breach })?;
    Ok(report.and(rest))
}

fn worker(
    shared: Shared<'_>,
    shape: &Mix,
    options: &Options,
    index: usize,
    barrier: &Barrier,
    exchange: &Exchange,
) -> Result<Report, Violation> {
    let seed = shape.seed.wrapping_add(index as u64);
    let ops = generate::sample(seed, shape.steps);
    let mut driver = Driver::new(shared.subject(), &in_company(options, seed));
    barrier.wait();
    for (step, &op) in ops.iter().enumerate() {
        let at = |breach| Violation { at: Some((step, op)), breach };
        driver.step(op).map_err(at)?;
        if step % shape.exchange_every == 0 {
            visit(&mut driver, exchange, index.wrapping_mul(31).wrapping_add(step)).map_err(at)?;
        }
    }
    let end = |breach| Violation { at: None, breach };
    driver.verify_all().map_err(end)?;
    driver.free_all().map_err(end)?;
    Ok(driver.report())
}

/// Others take memory and change the figures meanwhile.
fn in_company(options: &Options, seed: u64) -> Options {
    let Limits { total, .. } = options.limits;
    Options {
        may_fail: options.may_fail || total.is_some(),
        concurrent: true,
        seed: seed.wrapping_mul(0xd134_2543_de82_ef95),
        ..*options
    }
}

/// Leaves the oldest block in a place of the exchange and takes the one that lay there.
fn visit(driver: &mut Driver<'_>, exchange: &Exchange, place: usize) -> Result<(), Breach> {
    let Some(place) = place.checked_rem(exchange.len()) else { return Ok(()) };
    let own = (!driver.shadow().is_empty()).then(|| Parcel(driver.give(0)));
    let mut place = exchange[place].lock().unwrap_or_else(PoisonError::into_inner);
    let taken = core::mem::replace(&mut *place, own);
    drop(place);
    match taken {
        // SAFETY: parcels come from drivers of the same strategy, and this one left the exchange.
        Some(Parcel(tracked)) => unsafe { driver.accept(tracked) },
        None => Ok(()),
    }
}

/// Takes what is left, with every thread gone: the blocks do not overlap each other, and all figures add up.
fn settle(shared: Shared<'_>, options: &Options, exchange: &Exchange) -> Result<Report, Breach> {
    let alone = Options { may_fail: true, ..*options };
    let mut driver = Driver::new(shared.subject(), &alone);
    for place in exchange {
        let taken = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Parcel(tracked)) = taken {
            // SAFETY: parcels come from drivers of the same strategy, and this one left the exchange.
            unsafe { driver.accept(tracked) }?;
        }
    }
    driver.finish()
}
