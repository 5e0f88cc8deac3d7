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
