//! Week 7's picture, computed with your code: how the running output becomes the exact one, tile by tile.

use compare::largest_error;
use figures::Lines;
use flash::{
    exercise::{finish, merge, tile_attention},
    solution::flash_attention,
    tiles::Partial,
};
use std::error::Error;

const KEYS: usize = 512;
const TILE: usize = 32;
const DIM: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let q = seeded::normal(1, (16, DIM))?;
    let (k, v) = (seeded::normal(2, (KEYS, DIM))?, seeded::normal(3, (KEYS, DIM))?);
    let scale = 1. / (DIM as f64).sqrt();
    let (exact, _) = flash_attention(&q, &k, &v, scale, false, (16, KEYS))?;
    let mut state = Partial::empty(&q, &v)?;
    let mut away = vec![];
    for start in (0..KEYS).step_by(TILE) {
        let (k, v) = (k.narrow(0, start, TILE)?, v.narrow(0, start, TILE)?);
        state = merge(&state, &tile_attention(&q, &k, &v, scale, None)?)?;
        let (output, _) = finish(&state)?;
        let largest = largest_error(&output, &exact)?;
        let shown = if largest < 1e-8 { 1e-8 } else { largest }; // 0 has no place on a logarithmic axis
        away.push((start + TILE, shown));
    }
    let figure = Lines::new("Your running output becomes the exact one")
        .x("keys seen")
        .y("largest difference from all keys at once")
        .log_y()
        .line("after each of your tiles", &away)
        .draw()?;
    println!("Your tiles, merged one after the other: behind the last one, only rounding is left:");
    println!("{}", figure.save_as("07-flash/mine.svg")?.display());
    Ok(())
}
