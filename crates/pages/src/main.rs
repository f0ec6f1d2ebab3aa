//! `pages`: the book in a browser. It stands in for the program `mdbook`, of which it uses the library: so nothing is
//! installed before the first page can be read.

mod book;
mod changes;
mod complaints;
mod server;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use server::Server;
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
            let server = Server::bind(&host, port)?; // before the work, for it may be refused
            let folder = book::build(root)?;
            println!("The pages are at {}. Ctrl-C stops the server.", server.address());
            if open {
                server.open();
            }
            let changed = server.start(folder);
            changes::follow(root, || match book::build(root) {
                Ok(_) => changed(),
                Err(error) => eprintln!("error: {error:#}\nThe pages stay as they were."),
            })
        }
    }
}
