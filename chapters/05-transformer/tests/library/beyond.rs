//! The models that are tried past the length that they were trained on.

use candle_core::Result;
use std::thread;
use transformer::beyond::{Positions, TRAINED, floor, losses_by_position, train};

#[test]
fn every_kind_of_positions_learns_something() {
    one_thread::candle();
    let learns = |positions: Positions| -> Result<()> {
        let mean = |steps| -> Result<f32> {
            let reader = train(positions, steps, 1)?;
            let losses = losses_by_position(&reader, [20, TRAINED], None)?;
            Ok(losses.iter().sum::<f32>() / losses.len() as f32)
        };
        let (before, after) = (mean(0)?, mean(25)?);
        let learned = after < before && f64::from(after) > floor();
        assert!(learned, "{positions}: {before} {after}");
        Ok(())
    };
    thread::scope(|scope| {
        for positions in Positions::ALL {
            scope.spawn(move || learns(positions).unwrap());
        }
    });
}
