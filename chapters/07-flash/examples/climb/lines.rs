//! What is fetched from where: valgrind runs a rung on a simulated processor and counts. Its counts do not depend on
//! what else the machine does.

use crate::record::{Lines, Machine, RungLines};
use candle_core::{Error, Result, bail};
use flash::rungs;
use std::{env, process::Command, thread};

const SEQ: usize = 2048;
const DIM: usize = 64;
/// Bytes of the first and of the second cache, in lines of 64: those of a Zen 3 core.
const CACHES: [usize; 2] = [32 << 10, 512 << 10];

/// The program that valgrind runs: one head, by this rung, or `none` to draw the inputs only.
pub fn attend(name: &str) -> Result<()> {
    let draw = |seed| seeded::normal(seed, (1, 1, SEQ, DIM));
    let [q, k, v] = [draw(1)?, draw(2)?, draw(3)?];
    match rungs::ALL.iter().find(|(rung, _)| *rung == name) {
        Some((_, rung)) => rung(&q, &k, &v, false).map(drop),
        None if name == "none" => Ok(()),
        None => bail!("expected the name of a rung, or `none`; got {name:?}"),
    }
}

/// All rungs, each less what drawing the inputs takes.
pub fn count() -> Result<Lines> {
    let names = rungs::ALL.map(|(name, _)| name);
    let (nothing, counts) = thread::scope(|scope| {
        let runs = names.map(|name| scope.spawn(move || simulated(name)));
        let nothing = simulated("none");
        (nothing, runs.map(|run| run.join().unwrap_or_else(|_| bail!("a thread panicked"))))
    });
    let [instructions, first, second] = nothing?;
    let mut rungs = vec![];
    for (name, counts) in names.into_iter().zip(counts) {
        let [all, beyond_first, beyond_second] = counts?;
        rungs.push(RungLines {
            name: name.into(),
            instructions: all.saturating_sub(instructions),
            beyond_first: beyond_first.saturating_sub(first),
            beyond_second: beyond_second.saturating_sub(second),
        });
    }
    let version = Command::new("valgrind").arg("--version").output().map_err(Error::wrap)?;
    Ok(Lines {
        machine: Machine::here()?,
        valgrind: String::from_utf8_lossy(&version.stdout).trim().to_owned(),
        seq: SEQ,
        dim: DIM,
        caches: CACHES,
        rungs,
    })
}

/// Instructions, and lines that were missing in the first and in both caches.
fn simulated(name: &str) -> Result<[u64; 3]> {
    let [first, second] = CACHES;
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cachegrind-out-file=/dev/null"])
        .arg(format!("--D1={first},8,64"))
        .arg(format!("--LL={second},8,64"))
        .arg(env::current_exe().map_err(Error::wrap)?)
        .args(["rung", name])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .map_err(|error| Error::msg(format!("`valgrind` does not start: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name}: {said}");
    }
    // `==123== D1  misses:      1,234  (   567 rd   +   89 wr)`
    let number = |what: &str| -> Result<u64> {
        let line = said.lines().find(|line| line.contains(what));
        let after = line.and_then(|line| line.split(what).nth(1));
        let digits: Option<String> = after
            .and_then(|after| after.split_whitespace().next())
            .map(|number| number.replace(',', ""));
        digits
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| Error::msg(format!("no `{what}` in what valgrind says: {said}")))
    };
    Ok([number("I   refs:")?, number("D1  misses:")?, number("LLd misses:")?])
}
