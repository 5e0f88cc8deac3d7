//! What the model is told when it uses the file tools well, badly, or on what git converts.

use std::fs::{self, File};

use super::*;

struct Desk {
    directory: tempfile::TempDir,
    files: FilesContext,
}

impl Desk {
    fn with_attributes(attributes: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(File::open(directory.path()).unwrap()).seen_at("/work".into());
        let attributes = Attributes::new(vec![(Vec::new(), attributes.into())]);
        let files = FilesContext {
            root: Arc::new(root),
            attributes: Arc::new(attributes),
            origins: Arc::default(),
            stop: CancellationToken::new(),
        };
        Self { directory, files }
    }

    fn has(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.directory.path().join(path), content).unwrap();
    }

    async fn edits(&self, arguments: Value) -> Result<String, String> {
        words(Edit(self.files.clone()).call(arguments).await)
    }

    async fn reads(&self, arguments: Value) -> Result<String, String> {
        words(Read(self.files.clone()).call(arguments).await)
    }
}

fn words(answer: Result<String, ToolFault>) -> Result<String, String> {
    answer.map_err(|fault| match fault {
        ToolFault::ForModel(words) | ToolFault::EndsAttempt(words) => words,
        ToolFault::Fatal(error) => panic!("{error}"),
    })
}

#[tokio::test]
async fn a_listing_that_is_cut_says_so_and_how_to_see_the_rest() {
    let desk = Desk::with_attributes("");
    for number in 0..5000 {
        desk.has(&format!("file-{number:04}"), "");
    }
    let mut seen = Vec::new();
    let mut from = 1;
    while from <= 5000 {
        let part = desk.reads(json!({"path": "/work", "from": from})).await.unwrap();
        let (names, end) = part.rsplit_once('\n').unwrap();
        let last = seen.len() + names.lines().count();
        assert_eq!(
            end,
            format!("[names {from} to {last} of 5000: give `from` and `to` for the others]")
        );
        assert!(part.chars().count() < RESULT_CAP);
        seen.extend(names.lines().map(str::to_owned));
        from = last + 1;
    }
    assert_eq!(seen.len(), 5000);
    let two = desk.reads(json!({"from": 7, "to": 8})).await.unwrap();
    assert!(two.starts_with("file-0006\nfile-0007\n[names 7 to 8 of 5000"), "{two}");
    assert!(desk.reads(json!({"from": 5001})).await.unwrap_err().contains("only 5000 names"));
}

#[tokio::test]
async fn what_git_would_not_keep_is_not_written() {
    let desk = Desk::with_attributes(
        "[attr]big filter=lfs -text\n*.bin big\nfree.bin -filter\n*.u working-tree-encoding=UTF-16\n\
         *.id ident\n*.txt text eol=crlf\n*.md text=auto\nraw.md -text\n",
    );
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    desk.has("a.bin", pointer);
    let shown = desk.reads(json!({"path": "a.bin"})).await.unwrap();
    assert!(shown.ends_with("can be neither read nor changed.]"), "{shown}");
    for (path, content, why) in [
        ("b.bin", "x", "filter=lfs"),
        ("b.u", "x", "working-tree-encoding=UTF-16"),
        ("b.id", "$Id: 4711 $", "$Id$"),
        ("b.txt", "a\r\n", "CRLF"),
        ("b.md", "a\r\n", "CRLF"),
    ] {
        let create = json!({"path": path, "action": "create", "new": content});
        let refused = desk.edits(create).await.unwrap_err();
        assert!(refused.starts_with(&format!("{path} must not be written here: ")), "{refused}");
        assert!(refused.contains(why), "{refused}");
    }
    let refused =
        desk.edits(json!({"path": "a.bin", "old": "size 5", "new": "x"})).await.unwrap_err();
    assert!(refused.contains("filter=lfs"), "{refused}");
    let rename = |to: &str| json!({"path": "a.bin", "action": "rename", "to": to});
    let refused = desk.edits(rename("a.txt")).await.unwrap_err();
    assert!(refused.contains("filter=lfs"), "{refused}");
    desk.edits(rename("moved.bin")).await.unwrap();
    desk.edits(json!({"path": "moved.bin", "action": "delete"})).await.unwrap();
    for (path, content) in [
        ("free.bin", "x"),
        ("c.id", "$Id$"),
        ("c.txt", "a\n"),
        ("c.md", "a\n"),
        ("raw.md", "a\r\n"),
        ("c.rs", "a\r\n"),
    ] {
        let create = json!({"path": path, "action": "create", "new": content});
        desk.edits(create).await.unwrap_or_else(|words| panic!("{path}: {words}"));
        assert!(desk.files.origins.is_edited(&path.parse().unwrap()), "{path}");
    }
    // The file breaks the rule already: its other lines are not this edit's business.
    desk.has("dos.txt", "a\r\nb\r\n");
    desk.edits(json!({"path": "dos.txt", "old": "b", "new": "c"})).await.unwrap();
}

#[test]
fn words_that_would_fill_the_store_are_refused_and_the_model_is_told() {
    let read = |words: &str, answer: &str| {
        let answers = json!([{"thread": 1, "fixed": true, "words": answer}]);
        let arguments = json!({"summary": words, "answers": answers});
        Finish::read("finish", &arguments).unwrap().map(|_| ())
    };
    read("done", "so be it").unwrap();
    let long = "x".repeat(MOST_WORDS);
    for (words, answer) in [(&*long, "y"), ("y", &*long)] {
        assert!(read(words, answer).unwrap_err().contains("65536 bytes together"));
    }
}
