//! Work of a tool that computes or waits for the disk, aside from the threads that serve everyone.
//!
//! Invariants: a call is answered when its time is up, whatever it is given, and at once when the
//! job is stopped; the work asks whether it is still wanted, and ends when it is not.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ToolFault;
use crate::workspace::patience::Patience;

/// How long a call that runs no command may take.
const TIME: Duration = Duration::from_secs(60);
/// How long it may take to notice that its time is up.
const GRACE: Duration = Duration::from_secs(10);

/// Does it on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    stop: &CancellationToken,
    work: impl FnOnce(&Patience) -> Result<T, ToolFault> + Send + 'static,
) -> Result<T, ToolFault> {
    within(TIME, stop, work).await
}

async fn within<T: Send + 'static>(
    time: Duration,
    stop: &CancellationToken,
    work: impl FnOnce(&Patience) -> Result<T, ToolFault> + Send + 'static,
) -> Result<T, ToolFault> {
    let stop = stop.child_token();
    // Also when nobody asks for the answer any more.
    let _stop_when_dropped = stop.clone().drop_guard();
    let patience = Patience::new(time, &stop);
    let working = tokio::task::spawn_blocking(move || work(&patience));
    tokio::select! {
        done = tokio::time::timeout(time + GRACE, working) => match done {
            Ok(Ok(answer)) => answer,
            Ok(Err(broke)) => Err(ToolFault::fatal(broke)),
            Err(_) => Err(too_long()),
        },
        () = stop.cancelled() => Err(stopped()),
    }
}

/// What a piece of work answers that finds its patience over.
pub(super) fn too_long() -> ToolFault {
    let seconds = TIME.as_secs();
    ToolFault::ForModel(format!(
        "This took longer than {seconds} s and was ended. Ask for less: a smaller directory, a \
         simpler pattern, a shorter text."
    ))
}

fn stopped() -> ToolFault {
    ToolFault::ForModel("The job was stopped.".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn endless(patience: &Patience) -> Result<(), ToolFault> {
        while !patience.is_over() {
            std::thread::yield_now();
        }
        Err(too_long())
    }

    #[tokio::test]
    async fn the_thread_of_the_caller_stays_free_and_time_ends_the_work() {
        let never = CancellationToken::new();
        let ended = within(Duration::from_millis(50), &never, endless);
        let (ended, free) = tokio::join!(ended, async { true });
        let Err(ToolFault::ForModel(words)) = ended else { panic!("{ended:?}") };
        assert!(free && words.contains("took longer"), "{words}");
    }

    #[tokio::test]
    async fn a_stopped_job_waits_for_nothing_and_the_work_notices() {
        let stop = CancellationToken::new();
        let (over, noticed) = mpsc::channel();
        let call = aside(&stop, move |patience| {
            let ended = endless(patience);
            let _ = over.send(());
            ended
        });
        let (ended, ()) = tokio::join!(call, async { stop.cancel() });
        assert!(matches!(ended, Err(ToolFault::ForModel(_))));
        noticed.recv_timeout(Duration::from_secs(30)).unwrap();
        // And so it does when the call is dropped.
        let (over, noticed) = mpsc::channel();
        let never = CancellationToken::new();
        let call = aside(&never, move |patience| {
            let ended = endless(patience);
            let _ = over.send(());
            ended
        });
        let _ = tokio::time::timeout(Duration::from_millis(10), call).await;
        noticed.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
