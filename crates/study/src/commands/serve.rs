//! `cargo study serve`: the pages in a browser.

use std::net::TcpListener;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::exit;
use crate::cargo::{cargo, clean, compile};
use crate::context::Context;
use crate::process;
use crate::tools::binary::MDBOOK;

/// Open the course's pages in your browser; a saved page reloads itself
#[derive(Args)]
#[command(
    after_help = "Example: cargo study serve --port 4000\n\nThe first time, it installs the pinned mdbook into `.study/bin` (a few minutes)."
)]
pub struct Serve {
    /// The local port to serve on
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// Build the pages into `target/book` and stop
    #[arg(long)]
    build_only: bool,
}

impl Serve {
    /// Builds the pages, and serves them until Ctrl-C.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let port = self.port.to_string();
        if !self.build_only && TcpListener::bind(("127.0.0.1", self.port)).is_err() {
            bail!(
                "port {port} is taken. Type `cargo study serve --port {}`.",
                self.port.wrapping_add(1).max(1024)
            );
        }
        let mdbook = MDBOOK.ensure(context)?;
        build_preprocessor(context)?;
        let mut command = clean(mdbook);
        command.current_dir(context.root());
        if self.build_only {
            command.arg("build");
        } else {
            command.args(["serve", "--port", &port]);
            if !self.no_open {
                command.arg("--open");
            }
            eprintln!(
                "The pages are at http://localhost:{port} once they are built. Ctrl-C stops the server."
            );
        }
        let status = process::foreground(command)?;
        Ok(exit(self.build_only && !status.success()))
    }
}

/// Builds what turns pages into notebooks and puts outputs under cells: mdbook calls it, silently, through cargo.
pub fn build_preprocessor(context: &Context) -> Result<()> {
    let build = ["build", "--package", "mdbook-cells"];
    let built = compile(cargo(context.root(), &build), "Compiling mdbook-cells")?;
    if !built.status.success() {
        process::foreground(cargo(context.root(), &[&build[..], &["--quiet"]].concat()))
            .context("mdbook-cells does not compile")?;
        bail!(
            "mdbook-cells does not compile; see above. Type `git status` to see whether one of the course's files was changed."
        );
    }
    Ok(())
}
