//! Asking a model, and asking again where the failure may pass.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::core::fault::ErrorKind;
use crate::model::{Model, ModelError, ModelReply, Request};

/// How often a passing failure of the provider is met by asking again.
const RETRIES: u32 = 4;
/// The longest wait for the provider within an attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Asks, and asks again when the failure may pass.
pub(super) async fn ask(
    model: &dyn Model,
    request: &Request<'_>,
    first_pause: Duration,
    stop: &CancellationToken,
) -> Result<ModelReply, ModelError> {
    let mut pause = first_pause;
    for _ in 0..RETRIES {
        match model.respond(request).await {
            Err(error) => match error.kind() {
                ErrorKind::Retry { after_seconds } => {
                    tracing::warn!(%error, "asking the model again");
                    let wait = after_seconds.map_or(pause, Duration::from_secs).min(LONGEST_PAUSE);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.cancelled() => return Err(error),
                    }
                    pause *= 2;
                }
                ErrorKind::Permanent | ErrorKind::Withheld | ErrorKind::Bug => return Err(error),
            },
            reply => return reply,
        }
    }
    model.respond(request).await
}
