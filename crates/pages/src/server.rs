//! A server for this machine's browser: files of one folder, and the news that they have changed.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Result, anyhow};
use tiny_http::{Header, Request, Response, ResponseBox};

/// Where pages ask for news.
const CHANGES: &str = "/__changes";
/// What makes them ask.
const RELOAD: &str = include_str!("reload.js");
/// A question for news is answered after so long, with the old news: a connection that says nothing is cut somewhere.
const PATIENCE: Duration = Duration::from_secs(25);

/// A server that has its port.
pub struct Server {
    http: tiny_http::Server,
    address: String,
}

impl Server {
    /// Takes the port.
    pub fn bind(host: &str, port: u16) -> Result<Self> {
        let http = tiny_http::Server::http((host, port)).map_err(|error| {
            anyhow!(
                "can't listen at {host}:{port} ({error}). Type `cargo study serve --port {}`.",
                port.wrapping_add(1).max(1024)
            )
        })?;
        let local = ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"].contains(&host);
        let address = format!("http://{}:{port}", if local { "localhost" } else { host });
        Ok(Self { http, address })
    }

    /// What to type into a browser.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens the system's browser; without one, the address has been told.
    pub fn open(&self) {
        let mut command = if cfg!(windows) {
            Command::new("explorer")
        } else if cfg!(target_os = "macos") {
            Command::new("open")
        } else {
            Command::new("xdg-open")
        };
        command.arg(&self.address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(mut child) = command.spawn() {
            thread::spawn(move || child.wait());
        }
    }

    /// Answers from `folder` in threads of its own; what it returns tells the open pages that they have changed.
    pub fn start(self, folder: PathBuf) -> impl Fn() {
        let news = Arc::new(News::default());
        let told = news.clone();
        thread::spawn(move || {
            for request in self.http.incoming_requests() {
                let (folder, news) = (folder.clone(), told.clone());
                thread::spawn(move || {
                    let answer = answer(&request, &folder, &news);
                    // A browser may have left.
                    let _ = request.respond(answer);
                });
            }
        });
        move || news.tell()
    }
}

/// How often the pages have been built, and who waits for the next time.
#[derive(Default)]
struct News {
    builds: Mutex<u64>,
    told: Condvar,
}

impl News {
    fn tell(&self) {
        *self.builds.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.told.notify_all();
    }

    /// The number of builds: at once when it is not `known`, else when it is another, or when patience ends.
    fn after(&self, known: Option<u64>) -> u64 {
        let builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |builds: &mut u64| Some(*builds) == known;
        match self.told.wait_timeout_while(builds, PATIENCE, same) {
            Ok((builds, _)) => *builds,
            Err(poisoned) => *poisoned.into_inner().0,
        }
    }
}

fn answer(request: &Request, folder: &Path, news: &News) -> ResponseBox {
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    if path == CHANGES {
        let known = query.strip_prefix("since=").and_then(|known| known.parse().ok());
        return text(200, "text/plain", news.after(known).to_string());
    }
    let found = file_of(path).map(|file| folder.join(file)).map(|file| match file.is_dir() {
        true => file.join("index.html"),
        false => file,
    });
    let read = found.as_ref().map(fs::read);
    match (read, found) {
        (Some(Ok(content)), Some(file)) => page(200, content, &file),
        (Some(Err(error)), _) if error.kind() != ErrorKind::NotFound => {
            text(500, "text/plain", format!("can't read the page: {error}"))
        }
        _ => match fs::read(folder.join("404.html")) {
            Ok(content) => page(404, content, Path::new("404.html")),
            Err(_) => text(404, "text/plain", "There is no such page.".to_owned()),
        },
    }
}

fn page(status: u16, content: Vec<u8>, file: &Path) -> ResponseBox {
    let kind = kind(file);
    let content = match kind.starts_with("text/html") {
        true => [content, format!("<script>{RELOAD}</script>\n").into_bytes()].concat(),
        false => content,
    };
    Response::from_data(content).with_status_code(status).with_headers(kind, "no-cache")
}

fn text(status: u16, kind: &str, text: String) -> ResponseBox {
    Response::from_data(text.into_bytes()).with_status_code(status).with_headers(kind, "no-store")
}

trait WithHeaders {
    fn with_headers(self, kind: &str, cache: &str) -> ResponseBox;
}

impl WithHeaders for Response<std::io::Cursor<Vec<u8>>> {
    fn with_headers(mut self, kind: &str, cache: &str) -> ResponseBox {
        let headers = [
            ("Content-Type", kind),
            ("Cache-Control", cache),
            ("X-Content-Type-Options", "nosniff"),
        ];
        for header in
            headers.map(|(name, value)| Header::from_bytes(name, value)).into_iter().flatten()
        {
            self.add_header(header);
        }
        self.boxed()
    }
}

/// The file that the path of a URL names, relative to the folder; none when it would lead out of it.
fn file_of(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(decoded(path)?.trim_start_matches('/'));
    file.components().all(|part| matches!(part, Component::Normal(_))).then_some(file)
}

/// A URL's path without its `%20`; none when it is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                rest = &after[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(['\\', '\0']))
}

/// The media type of a file, by its name.
fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" | "ipynb" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "rs" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_file_of_the_folder_or_none() {
        let file = |path| file_of(path).map(|file| file.to_string_lossy().replace('\\', "/"));
        assert_eq!(file("/02-scaling.html").as_deref(), Some("02-scaling.html"));
        assert_eq!(file("/a%20b/%C3%BC.svg").as_deref(), Some("a b/ü.svg"));
        assert_eq!(file("/").as_deref(), Some(""));
        for out in
            ["/../Cargo.toml", "/a/%2e%2e/%2e%2e/b", "/%", "/%zz", "/%ff", "/a%5C..%5Cb", "/%00"]
        {
            assert_eq!(file(out), None, "{out}");
        }
    }

    #[test]
    fn news_come_when_there_are_any() {
        let news = Arc::new(News::default());
        assert_eq!(news.after(None), 0);
        news.tell();
        assert_eq!(news.after(Some(0)), 1);
        let waiting = thread::spawn({
            let news = news.clone();
            move || news.after(Some(1))
        });
        news.tell();
        assert_eq!(waiting.join().unwrap(), 2);
    }

    #[test]
    fn pages_are_answered_and_ask_for_news() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), "<p>Hello</p>").unwrap();
        let server = Server::bind("127.0.0.1", 0).unwrap();
        let port = server.http.server_addr().to_ip().unwrap().port();
        let _changed = server.start(folder.path().to_owned());
        let ask = |path: &str| {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            said
        };
        let page = ask("/");
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("<p>Hello</p><script>"),
            "{page}"
        );
        assert!(page.contains("Content-Type: text/html"), "{page}");
        assert!(ask("/nothing.html").starts_with("HTTP/1.1 404"));
        assert!(ask("/../Cargo.toml").starts_with("HTTP/1.1 404"));
        assert!(ask("/__changes?since=").ends_with("\r\n\r\n0"));
    }
}
