//! Where the time goes: a rung is timed with all and with half of the numbers in its vectors.
//!
//! Q·Kᵀ does half the work when queries and keys have half the numbers, P·V when values have; the exponentials and the
//! passes over scores do not change. So the parts come out of whole runs, and nothing has to be taken apart. Sequences
//! are short for that, so that keys and values stay in the second cache: half the numbers are then half the work, and
//! not another level of memory. What the distance costs shows beside it, in long sequences with as many scores.

use crate::record::{Machine, Part, Product, RungTimes, Times};
use candle_core::Result;
use candle_nn::ops::softmax_last_dim;
use flash::rungs;
use rayon::prelude::*;
use std::{hint::black_box, time::Instant};

/// `[heads, seq]`
const LONG: [usize; 2] = [8, 2048];
/// `[heads, seq]`, with as many scores.
const SHORT: [usize; 2] = [128, 512];
const DIM: usize = 64;
/// Side of the product that is the yardstick.
const SIZE: usize = 2048;
const ROUNDS: usize = 5;

type Work<'a> = Box<dyn Fn() -> Result<()> + 'a>;

/// Everything, in rounds: what disturbs a round disturbs all its numbers.
pub fn measure() -> Result<Times> {
    let draw = |seed, [heads, seq]: [usize; 2], dim| seeded::normal(seed, (1, heads, seq, dim));
    let [far_q, far_k, far_v] = [draw(1, LONG, DIM)?, draw(2, LONG, DIM)?, draw(3, LONG, DIM)?];
    let [q, k, v] = [draw(4, SHORT, DIM)?, draw(5, SHORT, DIM)?, draw(6, SHORT, DIM)?];
    let half = DIM / 2;
    let [q2, k2, v2] = [draw(7, SHORT, half)?, draw(8, SHORT, half)?, draw(9, SHORT, half)?];
    let scores = far_q.matmul(&far_k.t()?)?;
    let weights = softmax_last_dim(&(&scores * 0.125)?)?;
    let [a, b] = [seeded::normal(10, (SIZE, SIZE))?, seeded::normal(11, (SIZE, SIZE))?];
    let mut works: Vec<Work> = vec![];
    for (_, rung) in rungs::ALL {
        for [q, k, v] in [[&far_q, &far_k, &far_v], [&q, &k, &v], [&q2, &k2, &v], [&q, &k, &v2]] {
            works.push(Box::new(move || rung(q, k, v, false).map(drop)));
        }
    }
    works.push(Box::new(|| far_q.matmul(&far_k.t()?).map(drop)));
    works.push(Box::new(|| (&scores * 0.125).map(drop)));
    works.push(Box::new(|| softmax_last_dim(&scores).map(drop)));
    works.push(Box::new(|| weights.matmul(&far_v).map(drop)));
    let library = |row: &mut [f32]| row.iter_mut().for_each(|x| *x = x.exp());
    works.push(Box::new(move || {
        exponentials(library);
        Ok(())
    }));
    works.push(Box::new(|| {
        exponentials(rungs::exponentials);
        Ok(())
    }));
    for dot in [rungs::dot as Dot, sixteen_sums] {
        works.push(Box::new(move || {
            dots(dot);
            Ok(())
        }));
    }
    works.push(Box::new(|| a.matmul(&b).map(drop)));

    let mut all = vec![vec![]; works.len()];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter().zip(&mut all) {
            work()?; // what the one before left in the caches is gone
            let start = Instant::now();
            work()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let medians: Vec<f64> = all.into_iter().map(median).collect();
    let (of_rungs, rest) = medians.split_at(4 * rungs::ALL.len());
    let rungs = rungs::ALL.iter().zip(of_rungs.as_chunks::<4>().0);
    let rungs = rungs.map(|((name, _), [long, short, half, half_values])| RungTimes {
        name: (*name).into(),
        long: *long,
        short: *short,
        scores: 2. * (short - half),
        values: 2. * (short - half_values),
    });
    let part = |(name, ms): (&str, &f64)| Part { name: name.into(), ms: *ms };
    let operations = ["Q·Kᵀ", "scale", "softmax", "P·V"];
    let exponentials = ["library", "polynomial"];
    Ok(Times {
        machine: Machine::here()?,
        long: LONG,
        short: SHORT,
        dim: DIM,
        rounds: ROUNDS,
        rungs: rungs.collect(),
        operations: operations.into_iter().zip(rest).map(part).collect(),
        exponentials: exponentials.into_iter().zip(&rest[4..]).map(part).collect(),
        dots: ["in order", "in sixteen sums"].into_iter().zip(&rest[6..]).map(part).collect(),
        product: Product { size: SIZE, ms: rest[8] },
    })
}

/// `exp` of as many numbers as there are scores, a row at a time and in the first cache.
fn exponentials(exp: impl Fn(&mut [f32]) + Sync) {
    let [heads, seq] = LONG;
    (0..heads * seq).into_par_iter().for_each(|row| {
        let mut numbers = [0f32; LONG[1]];
        let step = (row % 8) as f32 / seq as f32;
        numbers.iter_mut().enumerate().for_each(|(at, x)| *x = -(at as f32) * step);
        exp(&mut numbers);
        black_box(&numbers);
    });
}

type Dot = fn(&[f32], &[f32]) -> f32;

/// As [`rungs::dot`], in an order in which sixteen sums do not wait for each other.
fn sixteen_sums(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum()
}

/// As many dot products as there are scores, with a few keys that stay in the first cache.
fn dots(dot: Dot) {
    let [heads, seq] = LONG;
    (0..heads * seq).into_par_iter().for_each(|_| {
        let (query, keys) = ([0.5f32; DIM], [[0.25f32; DIM]; 64]);
        for at in 0..seq {
            black_box(dot(black_box(&query), black_box(&keys[at % 64])));
        }
    });
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
