//! The first `cargo study serve`: the text of the pages while what builds them is compiled.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use web::{Running, Server};

use crate::{cant_start, cargo, early};

/// What is asked for, as far as it matters before the command line itself reads it.
#[derive(Debug, PartialEq)]
pub struct Serve {
    root: PathBuf,
    host: String,
    port: u16,
    open: bool,
}

impl Serve {
    /// None unless `arguments` ask for pages whose builder was never compiled. What can't be understood here is left to
    /// those who know all options.
    pub fn first(arguments: &[OsString], root: &Path) -> Option<Self> {
        let builder =
            env::current_exe().ok()?.with_file_name(format!("pages{}", env::consts::EXE_SUFFIX));
        if builder.exists() { None } else { Self::read(arguments, root) }
    }

    fn read(arguments: &[OsString], root: &Path) -> Option<Self> {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
        let ("serve", mut rest) = words.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        let mut serve =
            Self { root: root.to_owned(), host: "127.0.0.1".to_owned(), port: 3000, open: true };
        while let Some((&word, after)) = rest.split_first() {
            rest = after;
            let (name, mut value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            if value.is_none() && name != "--no-open" {
                let (&next, after) = rest.split_first()?;
                (value, rest) = (Some(next), after);
            }
            match (name, value) {
                ("--no-open", None) => serve.open = false,
                ("--port", Some(port)) => serve.port = port.parse().ok()?,
                ("--host", Some(host)) => serve.host = host.to_owned(),
                _ => return None,
            }
        }
        Some(serve)
    }

    /// Shows the text while it compiles; then the server of the whole pages, or how it ended.
    pub fn run(self) -> Result<Command, ExitCode> {
        let early = self.show();
        let mut build = cargo("build");
        build.args(["--package", "pages"]).current_dir(&self.root);
        let built = build.status().map_err(|error| cant_start(&error))?;
        let opened = early.is_some();
        drop(early); // the port is free for the pages
        if !built.success() {
            // Cargo has told why.
            return Err(ExitCode::FAILURE);
        }
        let mut pages = cargo("run");
        pages.args(["--package", "pages", "--", "serve", "--host", &self.host]);
        pages.args(["--port", &self.port.to_string()]).current_dir(&self.root);
        if self.open && !opened {
            pages.arg("--open");
        }
        Ok(pages)
    }

    /// Shows the text, unless the port is taken: that is told when the pages are to be served.
    fn show(&self) -> Option<Running> {
        let server = Server::bind(&self.host, self.port).ok()?;
        eprintln!(
            "You can read the text of the pages at {} now. Formulas, figures and outputs will appear on their own\nin about a minute, once what builds them is compiled.",
            server.address()
        );
        if self.open {
            server.open();
        }
        let book = self.root.join("book");
        Some(server.start(move |asked| early::find(&book, asked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Option<(String, u16, bool)> {
        let arguments: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        Serve::read(&arguments, Path::new("")).map(|serve| (serve.host, serve.port, serve.open))
    }

    #[test]
    fn only_what_is_understood_is_served_early() {
        let local = |port, open| Some(("127.0.0.1".to_owned(), port, open));
        assert_eq!(read("serve"), local(3000, true));
        assert_eq!(read("serve --port 4000 --no-open"), local(4000, false));
        assert_eq!(read("serve --no-open --port=4000"), local(4000, false));
        assert_eq!(read("serve --host 0.0.0.0"), Some(("0.0.0.0".to_owned(), 3000, true)));
        for other in [
            "",
            "check",
            "serve --help",
            "serve --build-only",
            "serve --port",
            "serve --port x",
            "serve 1",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
