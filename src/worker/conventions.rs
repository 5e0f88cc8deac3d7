//! Reads the ways of a repository from its default branch and from what it did lately.
//!
//! Invariants: symbolic links are not read, and no file above a bound; what cannot be read is not
//! there.

use crate::core::conventions::{
    Conventions, Guides, PullTemplate, TitleStyle, commits_are_signed, file_that_asks, fragments,
    guide_paths, nested_paths, reads_conventional, template_path, text_asks,
};
use crate::core::id::Sha;
use crate::core::job::Kind;
use crate::core::path::RepoPath;
use crate::forge::RecentHistory;
use crate::worker::WorkError;
use crate::workspace::mirror::{EntryMode, Mirror, MirrorError};

/// So many bytes of one file are read.
const LARGEST: u64 = 200_000;

/// The ways of a repository, by the files of this commit.
///
/// # Errors
/// When the mirror cannot be read.
pub async fn conventions(
    mirror: &Mirror,
    commit: &Sha,
    history: &RecentHistory,
    kind: Kind,
) -> Result<Conventions, MirrorError> {
    let entries = mirror.list(commit).await?;
    let plain = entries.iter().filter(|entry| {
        matches!(entry.mode, EntryMode::File | EntryMode::Executable) && entry.size <= LARGEST
    });
    let paths = plain.filter_map(|entry| std::str::from_utf8(&entry.path).ok());
    let paths: Vec<&str> = paths.collect();
    let all = || paths.iter().copied();
    let read = |path: &str| {
        let path: RepoPath = path.parse().ok()?;
        let content = mirror.read_file(commit, &path, LARGEST).ok().flatten()?;
        Some(String::from_utf8_lossy(&content).into_owned())
    };
    let guides = guide_paths(&paths);
    let guides: Vec<(String, String)> =
        guides.into_iter().filter_map(|path| Some((path.to_owned(), read(path)?))).collect();
    let by_text = || guides.iter().find_map(|(path, text)| text_asks(path, text));
    let by_habit = || commits_are_signed(history.messages.iter().map(String::as_str));
    let template = template_path(all(), kind)
        .and_then(|path| Some(PullTemplate { path: path.to_owned(), text: read(path)? }));
    let subjects = history.messages.iter().filter_map(|message| message.lines().next());
    let titles: Vec<&str> = match history.titles.len() {
        0..FEWEST => subjects.collect(),
        _ => history.titles.iter().map(String::as_str).collect(),
    };
    Ok(Conventions {
        titles: match titles.len() {
            0..FEWEST => TitleStyle::default(),
            _ => TitleStyle::of(titles, reads_conventional(all())),
        },
        sign_off: file_that_asks(all()).or_else(by_text).or_else(by_habit),
        signature: None,
        template,
        fragments: fragments(&paths, read),
        guides: Guides::of(guides.clone(), nested_paths(all())),
    })
}

/// Fewer titles show no habit.
const FEWEST: usize = 8;

/// The same for a job on GitHub, with what is asked of GitHub for it.
pub(in crate::worker) async fn of_repository(
    ctx: &crate::worker::Context,
    job: &crate::core::job::Job,
    commit: &Sha,
    history: &RecentHistory,
) -> Result<Conventions, WorkError> {
    let mirror = ctx.mirror(job, commit).await?;
    let mut found = conventions(&mirror, commit, history, job.order.kind).await?;
    if found.sign_off.is_some() {
        found.signature = Some(ctx.forge.own_signature().await?);
    }
    Ok(found)
}
