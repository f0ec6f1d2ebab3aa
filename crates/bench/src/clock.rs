//! Runs in milliseconds.

use anyhow::Result;
use std::time::Instant;

/// Seconds of a turn, unless a test asks for others; a way that takes longer runs once.
pub const SPAN: f64 = 0.2;
/// Seconds between two looks at the clock on a card: it answers before it is done, and to wait for it costs as long as a
/// small attention.
pub const LAP: f64 = 0.01;
/// Nothing is asked of a card more often in a lap.
const MOST_RUNS: usize = 1024;

/// The milliseconds of each run within `span` seconds; one run goes before, unless it takes as long.
pub fn times(span: f64, work: impl Fn() -> Result<()>) -> Result<Vec<f64>> {
    let run = || -> Result<f64> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (start, first) = (Instant::now(), run()?);
    if first > span {
        return Ok(vec![first * 1e3]);
    }
    let mut all = vec![];
    while all.is_empty() || (start.elapsed().as_secs_f64() < span + first && all.len() < 2000) {
        all.push(run()? * 1e3);
    }
    Ok(all)
}

/// The milliseconds of a run, lap by lap, within `span` seconds. A lap is as many runs as fill [`LAP`], and `wait` is
/// called before the clock is read, at both ends. The laps that find out how many go before, and warm up.
pub fn laps(
    span: f64,
    work: impl Fn() -> Result<()>,
    wait: impl Fn() -> Result<()>,
) -> Result<Vec<f64>> {
    let lap = |runs: usize| -> Result<f64> {
        wait()?;
        let start = Instant::now();
        for _ in 0..runs {
            work()?;
        }
        wait()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let mut runs = 1;
    lap(1)?; // loads code
    while lap(runs)? < LAP.min(span) && runs < MOST_RUNS {
        runs *= 2;
    }
    let (start, mut all) = (Instant::now(), vec![]);
    while all.is_empty() || start.elapsed().as_secs_f64() < span {
        all.push(lap(runs)? * 1e3 / runs as f64);
    }
    Ok(all)
}

/// The number of which this part of `sorted` is smaller.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * sorted.len().saturating_sub(1) as f64;
    let of = |at: f64| sorted.get(at as usize).copied().unwrap_or(f64::NAN);
    of(at.floor()) + (of(at.ceil()) - of(at.floor())) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A card that takes work and does it when it is waited for.
    #[test]
    fn a_lap_waits_at_both_ends_and_counts_all_its_runs() {
        let (asked, done, idle) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let work = || {
            asked.set(asked.get() + 1);
            Ok(())
        };
        let wait = || {
            if asked.get() == done.get() {
                idle.set(idle.get() + 1);
            }
            std::thread::sleep(std::time::Duration::from_millis(1) * (asked.get() - done.get()));
            done.set(asked.get());
            Ok(())
        };
        let all = laps(SPAN, work, wait).unwrap();
        assert_eq!(asked, done);
        assert!(idle.get() > all.len(), "each lap begins with nothing left to do");
        assert!(all.iter().all(|ms| *ms >= 1.), "{all:?}");
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!(quantile(&[1., 2., 4.], 0.5), 2.);
        assert_eq!(quantile(&[1., 2.], 0.75), 1.75);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
