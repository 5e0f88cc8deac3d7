//! Work that is shared out to several threads.

use std::num::NonZero;
use std::thread::ScopedJoinHandle;

/// Fewer are worked on by one thread.
const FEWEST_SHARED: usize = 8;

/// What becomes of each, in their order; worked on by several threads where there are many.
pub(super) fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = all.len().div_ceil(cores).max(FEWEST_SHARED);
    let work = &work;
    std::thread::scope(|scope| {
        let begin = |share: &'_ [T]| share.iter().map(work).collect::<Vec<R>>();
        let shares: Vec<ScopedJoinHandle<'_, Vec<R>>> =
            all.chunks(share).map(|share| scope.spawn(move || begin(share))).collect();
        let done = |share: ScopedJoinHandle<'_, Vec<R>>| {
            share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        shares.into_iter().flat_map(done).collect()
    })
}
