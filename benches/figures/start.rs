//! From `exec` to the first 202.

use std::path::Path;

use gander::clock::Clock;

use super::sample::Sample;
use super::served::{Box, README, Served};
use super::table::{Table, Wanted};

const STARTS: usize = 20;

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let github = Box::start(&home.join("start-github"), README, Clock::system()).await;
        let (mut fresh, mut existing) = (Vec::new(), Vec::new());
        for n in 0..STARTS {
            let data = home.join(format!("start-{n}"));
            for times in [&mut fresh, &mut existing] {
                times.push(Served::start(&data, &github).await.1);
            }
        }
        let wanted = Wanted::AtMost(50.0);
        let fresh = Sample::of_times(fresh);
        table.sample("cold start to the first 202, no data yet", "ms", &fresh, wanted);
        let existing = Sample::of_times(existing);
        table.sample("cold start to the first 202, data there", "ms", &existing, wanted);
    });
}
