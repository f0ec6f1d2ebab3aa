//! How long a step will still take, from how long it took before and how far it is.

use serde::{Deserialize, Serialize};

/// How a step went, in seconds from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When each tenth of its parts was done, but for the last.
    pub tenths: [f64; 9],
    /// When it ended.
    pub whole: f64,
}

impl Run {
    /// A step of `whole` seconds with parts that take equally long.
    pub fn even(whole: f64) -> Self {
        Self { tenths: std::array::from_fn(|tenth| whole * (tenth + 1) as f64 / 10.), whole }
    }

    /// A build of `whole` seconds: what much else is made of is small and comes first. (The shares are this course's.)
    pub fn build(whole: f64) -> Self {
        const SHARE: [f64; 9] = [0.03, 0.07, 0.11, 0.17, 0.35, 0.47, 0.57, 0.68, 0.82];
        Self { tenths: SHARE.map(|share| share * whole), whole }
    }

    /// Python packages that take `whole` seconds: the parts are what is fetched, and then all is unpacked in one go.
    pub fn packages(whole: f64) -> Self {
        const SHARE: [f64; 9] = [0.26, 0.3, 0.32, 0.34, 0.38, 0.41, 0.47, 0.51, 0.53];
        Self { tenths: SHARE.map(|share| share * whole), whole }
    }
}

/// An estimate that is corrected at each tenth.
pub struct Estimate {
    expected: Option<Run>,
    /// How many times as long as expected it takes.
    rate: f64,
    /// When each tenth was done.
    tenths: Vec<f64>,
    share: f64,
}

/// A step that is this many seconds off says little about its pace.
const NOISE: f64 = 3.;

impl Estimate {
    /// Of a step that is expected to go like `expected`, if anything is known.
    pub fn new(expected: Option<Run>) -> Self {
        Self { expected, rate: 1., tenths: Vec::new(), share: 0. }
    }

    /// From now on, another run is the one to compare with.
    pub fn expect(&mut self, expected: Run) {
        self.expected = Some(expected);
    }

    /// `share` of its parts, from 0 to 1, are done after `elapsed` seconds.
    pub fn reached(&mut self, share: f64, elapsed: f64) {
        self.share = share;
        while self.tenths.len() < 9 && share * 10. + 1e-9 >= (self.tenths.len() + 1) as f64 {
            self.tenths.push(elapsed);
            if let Some(expected) = &self.expected {
                let planned = expected.tenths[self.tenths.len() - 1];
                self.rate = (elapsed + NOISE) / (planned + NOISE);
            }
        }
    }

    /// The seconds left after `elapsed`; nothing when nothing is known, or when it takes longer than expected.
    pub fn left(&self, elapsed: f64) -> Option<f64> {
        let whole = match &self.expected {
            Some(expected) => self.rate * expected.whole,
            None if self.share > 0. && elapsed >= NOISE => elapsed / self.share,
            None => return None,
        };
        (whole > elapsed).then_some(whole - elapsed)
    }

    /// How it went, when it ended after `elapsed` seconds.
    pub fn ended(&self, elapsed: f64) -> Run {
        let mut run = Run::even(elapsed);
        let known = self.tenths.len();
        run.tenths[..known].copy_from_slice(&self.tenths);
        // Of what came after the last that is known, no more is known than that.
        for at in known.max(1)..9 {
            run.tenths[at] = run.tenths[at].max(run.tenths[at - 1]);
        }
        run
    }
}

/// Seconds that are left, as a learner reads them.
pub fn words(left: f64) -> String {
    if left < 10. {
        "a few seconds left".to_owned()
    } else if left < 95. {
        format!("about {:.0} s left", (left / 10.).round() * 10.)
    } else {
        format!("about {:.0} min left", (left / 60.).round().max(2.))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_before_goes_again() {
        let mut estimate = Estimate::new(Some(Run::build(100.)));
        assert_eq!(estimate.left(0.), Some(100.));
        assert_eq!(estimate.left(30.), Some(70.));
        // Nine tenths of the parts are done, and the last part takes its time.
        estimate.reached(0.9, 82.);
        assert_eq!(estimate.left(85.), Some(15.));
        assert_eq!(estimate.left(101.), None);
    }

    #[test]
    fn a_slower_machine_is_noticed() {
        let mut estimate = Estimate::new(Some(Run::even(100.)));
        estimate.reached(0.5, 103.);
        assert_eq!(estimate.left(103.), Some(97.));
        let mut quicker = Estimate::new(Some(Run::even(100.)));
        quicker.reached(0.5, 23.5);
        assert_eq!(quicker.left(25.), Some(25.));
    }

    #[test]
    fn a_step_that_is_not_known_goes_on_as_it_began() {
        let mut estimate = Estimate::new(None);
        assert_eq!(estimate.left(10.), None);
        estimate.reached(0.25, 10.);
        assert_eq!(estimate.left(10.), Some(30.));
    }

    #[test]
    fn a_run_is_kept_by_its_tenths() {
        let mut estimate = Estimate::new(None);
        estimate.reached(0.35, 1.);
        estimate.reached(1., 4.);
        let run = estimate.ended(10.);
        assert_eq!(run, Run { tenths: [1., 1., 1., 4., 4., 4., 4., 4., 4.], whole: 10. });
        let mut slow = Estimate::new(None);
        slow.reached(0.7, 9.);
        assert_eq!(slow.ended(10.).tenths[6..], [9., 9., 9.]);
    }

    #[test]
    fn what_is_left_reads_well() {
        let all = [3., 12., 44., 94., 96., 150., 290.].map(words);
        assert_eq!(
            all,
            [
                "a few seconds left",
                "about 10 s left",
                "about 40 s left",
                "about 90 s left",
                "about 2 min left",
                "about 3 min left",
                "about 5 min left"
            ]
        );
    }
}
