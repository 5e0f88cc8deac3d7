//! The store of a server that may run at this moment.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::StartError;
use crate::clock::Clock;
use crate::config::StorePlace;
use crate::store::{Postgres, Sqlite, Store};

/// Opens what a server remembers, as it is, and the clock that goes with it.
///
/// # Errors
/// When there is none, or it was made by another version of Gander.
pub async fn store_beside(place: &StorePlace) -> Result<(Arc<dyn Store>, Clock), StartError> {
    let clock = Clock::system();
    let Some(address) = &place.database else {
        return Ok((Arc::new(Sqlite::beside(&place.file()).await?), clock));
    };
    let store = Postgres::beside(address.expose_secret(), &clock).await?;
    let clock = store.clock();
    Ok((Arc::new(store), clock))
}
