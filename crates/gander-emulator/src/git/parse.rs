//! What git writes, read.

/// One line of `git ls-tree`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mode: String,
    pub(crate) kind: String,
    pub(crate) sha: String,
    pub(crate) size: Option<u64>,
    pub(crate) path: String,
}

/// Who made a commit, and when (seconds since 1970).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Signature,
    pub(crate) committer: Signature,
    pub(crate) message: String,
    pub(crate) signature: Option<String>,
    /// What was signed.
    pub(crate) payload: String,
}

pub(crate) struct CgiAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(super) fn parse_entry(line: &str) -> Option<Entry> {
    let (head, path) = line.split_once('\t')?;
    let mut fields = head.split_whitespace();
    Some(Entry {
        mode: fields.next()?.to_owned(),
        kind: fields.next()?.to_owned(),
        sha: fields.next()?.to_owned(),
        size: fields.next()?.parse().ok(),
        path: path.to_owned(),
    })
}

pub(super) fn parse_commit(sha: &str, raw: &str) -> Commit {
    let (head, message) = raw.split_once("\n\n").unwrap_or((raw, ""));
    let nobody = Signature { name: String::new(), email: String::new(), at: 0 };
    let mut commit = Commit {
        sha: sha.to_owned(),
        tree: String::new(),
        parents: Vec::new(),
        author: nobody.clone(),
        committer: nobody,
        message: message.to_owned(),
        signature: None,
        payload: String::new(),
    };
    let mut signature: Option<String> = None;
    for line in head.lines() {
        if let (Some(rest), Some(text)) = (line.strip_prefix(' '), signature.as_mut()) {
            text.push('\n');
            text.push_str(rest);
            continue;
        }
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if key == "gpgsig" {
            signature = Some(value.to_owned());
            continue;
        }
        match key {
            "tree" => commit.tree = value.to_owned(),
            "parent" => commit.parents.push(value.to_owned()),
            "author" => commit.author = parse_signature(value),
            "committer" => commit.committer = parse_signature(value),
            _ => {}
        }
        commit.payload.push_str(line);
        commit.payload.push('\n');
    }
    commit.payload.push('\n');
    commit.payload.push_str(message);
    commit.signature = signature;
    commit
}

fn parse_signature(text: &str) -> Signature {
    let (name, rest) = text.split_once(" <").unwrap_or((text, ""));
    let (email, when) = rest.split_once("> ").unwrap_or((rest, ""));
    let at = when.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    Signature { name: name.to_owned(), email: email.to_owned(), at }
}

pub(super) fn parse_cgi(output: &[u8]) -> CgiAnswer {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, start) = match end {
        Some(end) => (String::from_utf8_lossy(&output[..end]).into_owned(), end + 4),
        None => (String::new(), 0),
    };
    let mut answer = CgiAnswer { status: 200, headers: Vec::new(), body: output[start..].to_vec() };
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            answer.status = value.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(500);
        } else {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    answer
}

/// Finds a line in a patch, counted in the old file or the new one: the hunk down to that line, and
/// how far below the first hunk's head it stands.
pub(crate) fn find_line(patch: &str, in_old: bool, line: u64) -> Option<(String, u64)> {
    let (mut old, mut new, mut start) = (0, 0, 0);
    let lines: Vec<&str> = patch.lines().collect();
    for (at, text) in lines.iter().enumerate() {
        if let Some(head) = hunk_head(text) {
            (old, new, start) = (head.old.0, head.new.0, at);
            continue;
        }
        let (has_old, has_new) = match text.chars().next() {
            Some('-') => (true, false),
            Some('+') => (false, true),
            Some('\\') => (false, false),
            _ => (true, true),
        };
        if (in_old && has_old && old == line) || (!in_old && has_new && new == line) {
            return Some((lines.get(start..=at)?.join("\n"), at as u64));
        }
        old += u64::from(has_old);
        new += u64::from(has_new);
    }
    None
}

/// Where a line went in a patch without context; `None` when the patch touches it.
pub(super) fn moved_line(patch: &str, line: u64) -> Option<u64> {
    let mut now = line;
    for head in patch.lines().filter_map(hunk_head) {
        let (start, count) = head.old;
        // What is only added stands behind the line it names.
        let behind = if count == 0 { start < line } else { start + count <= line };
        if behind {
            now = now + head.new.1 - count;
        } else if count > 0 && start <= line {
            return None;
        }
    }
    Some(now)
}

/// The first line and the number of lines, in the old file and the new one.
struct Hunk {
    old: (u64, u64),
    new: (u64, u64),
}

fn hunk_head(line: &str) -> Option<Hunk> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let range = |text: &str| -> Option<(u64, u64)> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some(Hunk { old: range(old)?, new: range(new)? })
}
