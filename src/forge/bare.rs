//! A request that no token of the App stands behind.
//!
//! Invariants: it is sent once; no error shows its address or what it carries.

use http_body_util::{BodyExt, Limited};

use super::{ANSWER_LIMIT, ANSWER_TIMEOUT, ApiResponse, ForgeError, not_sent};
use crate::egress::{Egress, EgressError};

enum ExchangeError {
    Send(EgressError),
    Read(Box<dyn std::error::Error + Send + Sync>),
}

/// Sends it, and reads the whole answer.
pub(super) async fn exchange(
    egress: &Egress,
    request: http::Request<reqwest::Body>,
    doing: &str,
) -> Result<ApiResponse, ForgeError> {
    let exchange = async {
        let (parts, body) = egress.send(request).await.map_err(ExchangeError::Send)?.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(ExchangeError::Read)?;
        Ok::<_, ExchangeError>((parts, body.to_bytes()))
    };
    let (parts, body) = match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(ExchangeError::Send(EgressError::Denied(denied)))) => {
            return Err(ForgeError::Denied { doing: doing.to_owned(), source: denied.into() });
        }
        Ok(Err(ExchangeError::Send(error))) => return Err(not_sent(doing, error.into())),
        Ok(Err(ExchangeError::Read(error))) => return Err(not_sent(doing, error)),
        Err(late) => return Err(not_sent(doing, late.into())),
    };
    Ok(ApiResponse { status: parts.status, headers: parts.headers, body })
}
