//! What the commands have in common that work beside a server, on the same database.

use std::path::PathBuf;
use std::sync::Arc;

use super::{AnyError, CommandResult, start_logging};
use crate::app::store_beside;
use crate::clock::Clock;
use crate::config::{StorePlace, variable};
use crate::core::audit::{AuditEntry, OPERATOR};
use crate::core::leak::KnownSecrets;
use crate::store::Store;

/// Where the server is told where everything is.
#[derive(Debug, clap::Args)]
pub(super) struct BesideServer {
    /// The server's configuration; variables come before it
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// What such a command works with.
pub(super) struct Beside {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) place: StorePlace,
}

impl BesideServer {
    pub(super) fn place(&self) -> Result<StorePlace, AnyError> {
        Ok(StorePlace::load(self.config.as_deref(), &|name| variable(name))?)
    }

    /// Opens the store, does something with it, and lets go of it.
    pub(super) fn with_store(
        &self,
        work: impl AsyncFnOnce(&Beside) -> CommandResult,
    ) -> CommandResult {
        start_logging("error", Arc::new(KnownSecrets::default()));
        let place = self.place()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let (store, clock) = store_beside(&place).await?;
            let beside = Beside { store, clock, place };
            let done = work(&beside).await;
            beside.store.close().await?;
            done
        })
    }
}

/// A row of the audit log about something that the operator did.
pub(super) fn by_operator(what: impl Into<String>) -> AuditEntry {
    AuditEntry { who: OPERATOR.to_owned(), what: what.into(), ..AuditEntry::default() }
}
