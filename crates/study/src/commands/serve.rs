//! `cargo study serve`: the pages in a browser.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::exit;
use crate::context::Context;
use crate::process;
use crate::tools::program::Program;

/// Open the course's pages in your browser; a saved page reloads itself
#[derive(Args)]
#[command(after_help = "Examples: cargo study serve --port 4000
          cargo study serve --host 0.0.0.0 --no-open   (from a container: other machines may read, too)

The first time, it compiles what builds the pages (half a minute). Nothing is installed.")]
pub struct Serve {
    /// The local port to serve on
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The address to serve on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// Build the pages into `target/book` and stop
    #[arg(long)]
    build_only: bool,
}

/// Builds the pages with mdBook's library, and serves them.
const PAGES: Program = Program::new("pages");

impl Serve {
    /// Builds the pages, and serves them until Ctrl-C.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        PAGES.build(context)?;
        let mut command = PAGES.command(context, context.root());
        if self.build_only {
            command.arg("build");
        } else {
            command.args(["serve", "--host", &self.host, "--port", &self.port.to_string()]);
            if !self.no_open {
                command.arg("--open");
            }
        }
        let status = process::foreground(command)?;
        // A server that was stopped has done what it should.
        Ok(exit(!status.success() && !crate::interrupt::pressed()))
    }
}
