//! `cargo study visualize`: draws what the heads of a model look at, and prints the name of each file it wrote.

mod models;
mod options;

use candle_core::{Error, Result, bail};
use device::{Kind, choose};
use inside_heads::maps::LayerMaps;
use options::Options;
use places::root;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};
use transformer::reason::reason;

fn main() -> ExitCode {
    match Options::read(env::args().skip(1)).and_then(|options| draw(&options)) {
        Ok(files) => {
            files.iter().for_each(|file| println!("{}", file.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", reason(&error));
            ExitCode::FAILURE
        }
    }
}

fn draw(options: &Options) -> Result<Vec<PathBuf>> {
    let choice = choose(&options.device, &[Kind::Cpu])?;
    eprintln!("Device: {}", choice.said);
    let mut stacks = models::maps(&options.model, options.text.as_deref())?;
    let layers = stacks.iter().map(|(layer, _)| layer + 1).max().unwrap_or(0);
    let heads = stacks.first().map_or(Ok(0), |(_, maps)| maps.weights.dim(0))?;
    for (name, asked, count) in
        [("--layer", options.layer, layers), ("--head", options.head, heads)]
    {
        if let Some(asked) = asked.filter(|asked| *asked >= count) {
            bail!("{name}: expected 0 to {}; got {asked}", count.saturating_sub(1));
        }
    }
    stacks.retain(|(layer, _)| options.layer.is_none_or(|only| only == *layer));

    let name = Path::new(&options.model).file_stem().unwrap_or_default();
    let own = || root().join("target").join("figures").join("visualize").join(name);
    let folder = options.out.clone().unwrap_or_else(own);
    let fail =
        |error| Error::msg(format!("can't write into `{}`: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(fail)?;
    let write = |(_, maps): (usize, LayerMaps)| {
        let stem = maps.name.replace(' ', "-");
        let (stem, figure) = match options.head {
            Some(head) => (format!("{stem}-head-{head}"), maps.head(head)?),
            None => (stem, maps.heads()?),
        };
        let file = folder.join(format!("{stem}.svg"));
        figure.save(&file).map_err(fail)?;
        Ok(file)
    };
    stacks.into_iter().map(write).collect()
}
