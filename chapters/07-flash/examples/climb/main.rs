//! What limits each rung of week 7: counted, simulated and timed. The page shows the tables that this writes.
//!
//! ```text
//! cargo run -p flash --example climb             # the tables again, from the file
//! cargo run -p flash --example climb -- times    # measures (minutes), one thread's time on the processor
//! cargo run -p flash --example climb -- lines    # counts cache lines with valgrind (two minutes, in any company)
//! ```

mod lines;
mod record;
mod tables;
mod times;

use candle_core::{Error, Result, bail};
use record::{Elsewhere, Record};
use std::{env, fs, path::PathBuf};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench");
    let file = folder.join("climb.json");
    let mut record = Record::load(&file)?;
    match arguments[..] {
        [] => {}
        ["times"] => record.times = Some(times::measure()?),
        ["lines"] => record.lines = Some(lines::count()?),
        ["rung", name] => return lines::attend(name),
        _ => bail!("expected `times`, `lines` or nothing; got {arguments:?}"),
    }
    record.save(&file)?;
    let recorded = Elsewhere::load(&folder.join("intel-xeon.json"))?;
    for (name, text) in tables::all(&record, &recorded) {
        println!("{text}");
        fs::write(folder.join(name), text).map_err(Error::wrap)?;
    }
    Ok(())
}
