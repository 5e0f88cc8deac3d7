//! A browser without JavaScript, a GitHub to point it at, and the real program between them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use gander_emulator::{Emulator, Options, RepositorySpec};
use reqwest::StatusCode;
use url::Url;

/// What came back for one request.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) url: Url,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) html: String,
}

/// Follows links and sends forms, as a person does, and remembers all it was shown.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
    /// The one site that it asks, if it is held there.
    only: Option<url::Origin>,
    pub(crate) seen: String,
}

fn client() -> reqwest::Client {
    gander::egress::install_crypto();
    let builder = reqwest::Client::builder().no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Browser {
    /// Follows no way that leads to another site; it only says where that would be.
    pub(crate) fn staying_at(site: &Url) -> Self {
        Self { only: Some(site.origin()), ..Self::default() }
    }

    pub(crate) async fn open(&mut self, url: &str) -> Page {
        self.go(client().get(url), url.parse().unwrap()).await
    }

    /// Opens a page again and again, as it asks for, until it has all to show.
    pub(crate) async fn until_known(&mut self, url: &str) -> Page {
        loop {
            let page = self.open(url).await;
            assert_eq!(page.status, 200, "{}", page.text());
            if !page.html.contains("http-equiv=\"refresh\"") {
                return page;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Opens a page under another name than its own.
    pub(crate) async fn open_as(&mut self, url: &str, host: &str) -> Page {
        self.go(client().get(url).header("host", host), url.parse().unwrap()).await
    }

    /// Fills in the one form of this page that goes to an address ending in `to`, and sends it.
    pub(crate) async fn send(&mut self, page: &Page, to: &str, filled: &[(&str, &str)]) -> Page {
        let form = page.form(to);
        let mut fields: Vec<(String, String)> = form.fields.clone();
        for (name, value) in filled {
            fields.retain(|(known, _)| known != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut url = page.url.join(&form.action).unwrap();
        if form.method == "get" {
            url.query_pairs_mut().clear().extend_pairs(&fields);
            return self.go(client().get(url.clone()), url).await;
        }
        self.post(url.as_str(), &fields).await
    }

    pub(crate) async fn post(&mut self, url: &str, fields: &[(String, String)]) -> Page {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = client()
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish());
        self.go(request, url.parse().unwrap()).await
    }

    async fn go(&mut self, request: reqwest::RequestBuilder, mut url: Url) -> Page {
        let mut request = request;
        for _ in 0..6 {
            let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let cookies = cookies.collect::<Vec<_>>().join("; ");
            let answer = request.header("cookie", cookies).send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            for cookie in headers.get_all("set-cookie") {
                let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let html = answer.text().await.unwrap();
            self.seen.push_str(&html);
            let Some(to) = headers.get("location").filter(|_| status.is_redirection()) else {
                return Page { status, url, headers, html };
            };
            url = url.join(to.to_str().unwrap()).unwrap();
            if self.only.as_ref().is_some_and(|only| *only != url.origin()) {
                return Page { status, url, headers, html };
            }
            request = client().get(url.clone());
        }
        panic!("too many redirects, now at {url}");
    }
}

struct Form {
    action: String,
    method: String,
    fields: Vec<(String, String)>,
}

impl Page {
    pub(crate) fn title(&self) -> String {
        let rest = self.html.split("<h1>").nth(1).unwrap_or_else(|| panic!("{}", self.html));
        unescape(rest.split("</h1>").next().unwrap())
    }

    /// What is read on it.
    pub(crate) fn text(&self) -> String {
        let body = self.html.split("</style>").last().unwrap();
        let mut text = String::new();
        for piece in body.split('<') {
            text.push_str(piece.split_once('>').map_or("", |(_, text)| text));
            text.push(' ');
        }
        unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn links(&self) -> Vec<String> {
        let links = self.html.split("href=\"").skip(1);
        links.map(|rest| unescape(rest.split('"').next().unwrap())).collect()
    }

    fn form(&self, to: &str) -> Form {
        let forms = self.html.split("<form").skip(1).map(|form| {
            let form = form.split("</form>").next().unwrap();
            let (tag, inside) = form.split_once('>').unwrap();
            let mut fields: Vec<(String, String)> = Vec::new();
            for input in inside.split("<input").skip(1) {
                let input = input.split('>').next().unwrap();
                if attribute(input, "type").as_deref() != Some("checkbox") {
                    let value = attribute(input, "value").unwrap_or_default();
                    fields.extend(attribute(input, "name").map(|name| (name, value)));
                }
            }
            for area in inside.split("<textarea").skip(1) {
                let (tag, rest) = area.split_once('>').unwrap();
                let value = unescape(rest.split("</textarea>").next().unwrap());
                let value = value.trim_start_matches('\n').trim_end_matches(' ').to_owned();
                fields.extend(attribute(tag, "name").map(|name| (name, value)));
            }
            Form {
                action: attribute(tag, "action").unwrap_or_default(),
                method: attribute(tag, "method").unwrap_or_else(|| "get".to_owned()),
                fields,
            }
        });
        let path = |form: &Form| form.action.split('?').next().unwrap().to_owned();
        let mut fit = forms.filter(|form| path(form).ends_with(to));
        fit.next().unwrap_or_else(|| panic!("no form goes to {to}: {}", self.html))
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    Some(unescape(rest.split('"').next()?))
}

fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    for (coded, plain) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        text = text.replace(coded, plain);
    }
    text
}

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A GitHub with mona at the browser, who owns `mona/stats` and the organisation acme.
pub(crate) async fn github(folder: &Path) -> Emulator {
    let root = folder.join("github");
    std::fs::create_dir(&root).unwrap();
    let emulator = Emulator::start(Options { root, clock: Arc::new(now) }).await.unwrap();
    emulator.create_user("mona");
    emulator.create_user("hubert");
    emulator.create_organization("acme");
    emulator.make_owner("acme", "mona").unwrap();
    let files = [("README.md", "# Stats\n")];
    emulator.create_repository(RepositorySpec::new("mona", "stats", &files)).unwrap();
    emulator.create_repository(RepositorySpec::new("acme", "tools", &files)).unwrap();
    emulator.sign_in(Some("mona"));
    emulator
}

pub(crate) fn gander() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", "/tmp").stdin(Stdio::null());
    command
}

/// `gander setup`, waiting for a browser.
pub(crate) struct Setup {
    process: Child,
    out: BufReader<ChildStdout>,
    said: String,
    pub(crate) link: String,
    pub(crate) directory: PathBuf,
}

impl Setup {
    pub(crate) fn start(folder: &Path, github: &Url, arguments: &[&str]) -> Self {
        let directory = folder.join("app");
        let mut process = gander()
            .args(["setup", "--bind", "127.0.0.1:0", "--github", github.as_str(), "--dir"])
            .arg(&directory)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let (mut said, mut link) = (String::new(), String::new());
        while !link.starts_with("http://") {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                let mut why = String::new();
                process.stderr.take().unwrap().read_to_string(&mut why).unwrap();
                panic!("there is no link: {said}{why}");
            }
            said.push_str(&line);
            line.trim().clone_into(&mut link);
        }
        Self { process, out, said, link, directory }
    }

    /// The address of one of its pages.
    pub(crate) fn page(&self, path: &str) -> String {
        Url::parse(&self.link).unwrap().join(path).unwrap().into()
    }

    pub(crate) fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Waits for its end: the exit code, and all it said.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        self.out.read_to_string(&mut self.said).unwrap();
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let code = self.process.wait().unwrap().code();
        (code, format!("{}{errors}", std::mem::take(&mut self.said)))
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // Mostly it has ended already; a test that fails leaves nothing behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
