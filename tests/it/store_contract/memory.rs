//! The store in memory: it is opened twice by being handed out twice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use gander::store::{Memory, Store, StoreError};

use super::{Opened, Opening, at, delivery};

static OPENED: LazyLock<Mutex<HashMap<PathBuf, Opened>>> = LazyLock::new(Mutex::default);

pub(crate) fn open(directory: PathBuf) -> Opening {
    let mut opened = OPENED.lock().unwrap();
    let store = opened.entry(directory).or_insert_with(|| Arc::new(Memory::default()));
    let store = Arc::clone(store);
    Box::pin(async move { store })
}

#[tokio::test]
async fn a_closed_store_says_that_it_is_closed() {
    let store = Memory::default();
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    store.ping().await.unwrap();
    store.close().await.unwrap();
    let asked = store.claim(at(0)).await;
    assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
}
