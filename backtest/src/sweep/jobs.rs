//! Independent jobs on several threads, their results in the order of the jobs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Runs `work` for every item on up to `threads` threads. The first error, in the order of the items that were begun, ends it.
///
/// # Errors
/// That of a job.
pub fn run<T: Sync, R: Send, E: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
    done: impl Fn(usize) + Sync,
) -> Result<Vec<R>, E> {
    let (next, finished, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let results: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let turn = || {
        while !is_over.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            if result.is_err() {
                is_over.store(true, Ordering::Relaxed);
            }
            // A result is as good as before, whoever panicked while adding another.
            results
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((at, result));
            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, items.len().max(1)) {
            scope.spawn(turn);
        }
        turn();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        let items: Vec<usize> = (0..100).collect();
        let told = AtomicUsize::new(0);
        let tell = |done: usize| {
            told.fetch_max(done, Ordering::Relaxed);
        };
        let squares = run(4, &items, |item| Ok::<_, ()>(item * item), tell).unwrap();
        assert_eq!(squares, items.iter().map(|item| item * item).collect::<Vec<_>>());
        assert_eq!(told.into_inner(), 100);
        let none: [usize; 0] = [];
        assert_eq!(run(4, &none, |_| Ok::<usize, ()>(1), |_| {}), Ok(vec![]));
    }

    #[test]
    fn an_error_ends_it() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);
        let work = |item: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err("three") } else { Ok(()) }
        };
        assert_eq!(run(1, &items, work, |_| {}), Err("three"));
        assert_eq!(begun.into_inner(), 4);
    }
}
