//! `pages`: the book in a browser. It stands in for the program `mdbook`, of which it uses the library: so nothing is
//! installed before the first page can be read.

mod book;
mod changes;
mod complaints;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use clap::{Parser, Subcommand};
use web::{Asked, Found, Server};
use workbook::Workspace;

/// The course's pages.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the pages into `target/book`; fails when there is anything to complain of.
    Build,
    /// Builds the pages, shows them on a local port, and builds them again when something is saved.
    Serve {
        /// The address to listen at.
        #[arg(long, default_value = "127.0.0.1")]
        host: String,
        /// The port to listen at.
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Open a browser once there is something to see.
        #[arg(long)]
        open: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let workspace = Workspace::find(Path::new("."))?;
    let root = workspace.root();
    complaints::listen();
    match arguments.command {
        Command::Build => {
            book::build(root)?;
            match complaints::count() {
                0 => Ok(()),
                count => bail!("the pages are built, with {count} complaints; see above"),
            }
        }
        Command::Serve { host, port, open } => {
            // Before the work, for it may be refused.
            let server = Server::bind(&host, port).map_err(Error::msg)?;
            let folder = book::build(root)?;
            println!("The pages are at {}. Ctrl-C stops the server.", server.address());
            if open {
                server.open();
            }
            let running = server.start(move |asked| find(&folder, asked));
            changes::follow(root, || match book::build(root) {
                Ok(_) => running.tell(),
                Err(error) => eprintln!("error: {error:#}\nThe pages stay as they were."),
            })
        }
    }
}

/// The file of the built book.
fn find(folder: &Path, asked: Asked) -> Found {
    let mut file = folder.join(asked.iter().collect::<std::path::PathBuf>());
    if file.is_dir() {
        file.push("index.html");
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    match fs::read(&file) {
        Ok(content) => Found::Page(name.unwrap_or_default(), content),
        Err(_) => fs::read(folder.join("404.html")).map_or(Found::Nothing, Found::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_index_and_what_is_missing_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), name).unwrap();
        let found = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&part| part.to_owned()).collect();
            match find(folder.path(), &asked) {
                Found::Page(name, content) => {
                    format!("{name}: {}", String::from_utf8_lossy(&content))
                }
                Found::Missing(_) => "missing".to_owned(),
                Found::Nothing => "nothing".to_owned(),
            }
        };
        write("index.html");
        assert_eq!(found(&[]), "index.html: index.html");
        assert_eq!(found(&["a", "b.html"]), "nothing");
        write("404.html");
        assert_eq!(found(&["a", "b.html"]), "missing");
    }
}
