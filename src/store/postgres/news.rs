//! Telling other machines that something was queued: `NOTIFY`, and `LISTEN`.
//!
//! Invariants: a hint and nothing else. What is told after a write is lost without harm: everybody
//! looks at the queue each second anyway. It is told outside of the write's transaction, because
//! transactions that notify are committed one after the other.

use std::sync::Weak;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;

const CHANNEL: &str = "gander_work";
const PAUSE: Duration = Duration::from_secs(1);

/// Tells others, once for all that was queued meanwhile, until the store is gone.
pub(super) async fn tell(pool: PgPool, queued: Weak<Notify>) {
    while let Some(queued) = queued.upgrade() {
        tokio::select! {
            () = queued.notified() => {}
            () = pool.close_event() => return,
            // Looks whether the store is still there.
            () = tokio::time::sleep(60 * PAUSE) => continue,
        }
        drop(queued);
        let _ = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&pool).await;
    }
}

/// Hears what others tell, until the store is gone.
pub(super) async fn hear(pool: PgPool, heard: Weak<Notify>) {
    while heard.strong_count() > 0 && !pool.is_closed() {
        // What was told while nobody listened is made up for by a look.
        let ended = listen(&pool, &heard).await;
        if let Err(error) = ended
            && !pool.is_closed()
        {
            tracing::debug!(%error, "nothing is heard of what others queue; listening again");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = pool.close_event() => return,
        }
    }
}

async fn listen(pool: &PgPool, heard: &Weak<Notify>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    while let Some(heard) = heard.upgrade() {
        heard.notify_one();
        drop(heard);
        // Looks now and then whether the store is still there.
        if let Ok(message) = tokio::time::timeout(60 * PAUSE, listener.try_recv()).await
            && message?.is_none()
        {
            return Ok(());
        }
    }
    Ok(())
}
