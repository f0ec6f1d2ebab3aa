//! A server for this machine's browser: pages, and the news that they have changed.
//!
//! [`Server::bind`] takes the port, [`Server::start`] answers from a function. Every HTML page is given a script that
//! loads it again when [`Running::tell`] says that the pages are new, or when another server has taken the port over.

mod media;
mod news;
mod path;

use std::io::Cursor;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use news::News;
use tiny_http::{Header, Response, ResponseBox};

/// Where pages ask for news.
const NEWS: &str = "/__news";
/// What makes them ask.
const RELOAD: &str = include_str!("reload.js");

/// What is asked for: the parts of the path, none of which leads out of a folder; none for `/`.
pub type Asked<'a> = &'a [String];

/// A server that has its port.
pub struct Server {
    http: tiny_http::Server,
    address: String,
}

impl Server {
    /// Takes `port` of the address `host`; 0 is any port that is free.
    ///
    /// # Errors
    ///
    /// With a sentence for the learner, when the port is taken or the address is not this machine's.
    pub fn bind(host: &str, port: u16) -> Result<Self, String> {
        let http = tiny_http::Server::http((host, port)).map_err(|error| {
            let other = port.wrapping_add(1).max(1024);
            format!(
                "can't listen at {host}:{port} ({error}). Type `cargo study serve --port {other}`."
            )
        })?;
        let port = http.server_addr().to_ip().map_or(port, |address| address.port());
        let here = ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"].contains(&host);
        let address = format!("http://{}:{port}", if here { "localhost" } else { host });
        Ok(Self { http, address })
    }

    /// What to type into a browser.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens the system's browser, if there is one.
    pub fn open(&self) {
        let program = match std::env::consts::OS {
            "windows" => "explorer",
            "macos" => "open",
            _ => "xdg-open",
        };
        let mut command = Command::new(program);
        command.arg(&self.address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(mut child) = command.spawn() {
            thread::spawn(move || child.wait());
        }
    }

    /// Answers with what `find` knows of, and with status 404 for the rest, in threads of its own.
    pub fn start(self, find: impl Fn(Asked) -> Found + Send + Sync + 'static) -> Running {
        let (http, news) = (Arc::new(self.http), Arc::new(News::new()));
        let (find, known) = (Arc::new(find), news.clone());
        let server = http.clone();
        thread::spawn(move || {
            for request in server.incoming_requests() {
                let (find, news) = (find.clone(), known.clone());
                thread::spawn(move || {
                    let (path, query) =
                        request.url().split_once('?').unwrap_or((request.url(), ""));
                    let answer = match path {
                        NEWS => {
                            let seen = query.strip_prefix("since=").unwrap_or_default();
                            response(200, "text/plain", news.after(seen).into_bytes())
                        }
                        _ => page(path::parts(path).map_or(Found::Nothing, |parts| find(&parts))),
                    };
                    // A browser may have left.
                    let _ = request.respond(answer);
                });
            }
        });
        Running { http, news }
    }
}

/// What there is under an address.
pub enum Found {
    /// A file's name, which tells its media type, and its content.
    Page(String, Vec<u8>),
    /// The page that says so.
    Missing(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A server that answers, until it is dropped.
pub struct Running {
    http: Arc<tiny_http::Server>,
    news: Arc<News>,
}

impl Running {
    /// Tells the open pages that they have changed.
    pub fn tell(&self) {
        self.news.tell();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.http.unblock();
    }
}

fn page(found: Found) -> ResponseBox {
    let (status, name, content) = match found {
        Found::Page(name, content) => (200, name, content),
        Found::Missing(content) => (404, "404.html".to_owned(), content),
        Found::Nothing => (404, "404.txt".to_owned(), b"There is no such page.".to_vec()),
    };
    let kind = media::kind(&name);
    let script = match kind.starts_with("text/html") {
        true => format!("<script>{RELOAD}</script>\n").into_bytes(),
        false => Vec::new(),
    };
    response(status, kind, [content, script].concat())
}

fn response(status: u16, kind: &str, content: Vec<u8>) -> ResponseBox {
    let mut response: Response<Cursor<Vec<u8>>> =
        Response::from_data(content).with_status_code(status);
    let headers = [
        ("Content-Type", kind),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    for header in headers.map(|(name, value)| Header::from_bytes(name, value)).into_iter().flatten()
    {
        response.add_header(header);
    }
    response.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    fn ask(port: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn pages_are_answered_ask_for_news_and_end_with_the_server() {
        let server = Server::bind("127.0.0.1", 0).unwrap();
        let port = server.address().rsplit(':').next().unwrap().to_owned();
        let running = server.start(|asked| match asked {
            [] => Found::Page("index.html".to_owned(), b"<p>Hello</p>".to_vec()),
            _ => Found::Nothing,
        });
        let page = ask(&port, "/");
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("<p>Hello</p><script>"),
            "{page}"
        );
        assert!(page.contains("Content-Type: text/html"), "{page}");
        for missing in ["/nothing.html", "/../Cargo.toml"] {
            assert!(ask(&port, missing).starts_with("HTTP/1.1 404"));
        }
        let news = |seen: &str| {
            let said = ask(&port, &format!("/__news?since={seen}"));
            said.rsplit("\r\n").next().unwrap().to_owned()
        };
        let first = news("");
        running.tell();
        assert_ne!(news(&first), first);
        drop(running);
        let until = Instant::now() + Duration::from_secs(30);
        while TcpListener::bind(format!("127.0.0.1:{port}")).is_err() {
            assert!(Instant::now() < until, "the port is still taken");
            thread::yield_now();
        }
    }

    #[test]
    fn a_port_that_is_taken_is_refused_with_another_to_try() {
        let taken = Server::bind("127.0.0.1", 0).unwrap();
        let port: u16 = taken.address().rsplit(':').next().unwrap().parse().unwrap();
        let said = Server::bind("127.0.0.1", port).err().unwrap();
        assert!(said.contains("cargo study serve --port"), "{said}");
    }
}
