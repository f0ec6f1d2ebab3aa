//! Where the time goes: a rung is timed with all and with half of the numbers in its vectors.
//!
//! Q·Kᵀ does half the work when queries and keys have half the numbers, P·V when values have; the exponentials and the
//! passes over scores do not change. So the parts come out of whole runs, and nothing has to be taken apart. Sequences
//! are short for that, so that keys and values stay in the second cache: half the numbers are then half the work, and
//! not another level of memory. What the distance costs shows beside it, in long sequences with as many scores.
//!
//! All of it runs on one thread, and what counts is the time that this thread had the processor: other programs disturb
//! that far less than the time on the clock.

use crate::record::{Machine, Part, Product, RungTimes, Times};
use candle_core::{Error, Result};
use candle_nn::ops::softmax_last_dim;
use flash::rungs;
use rayon::prelude::*;
use std::{fs, hint::black_box, sync::LazyLock, thread, time::Instant};

/// `[heads, seq]`
const LONG: [usize; 2] = [4, 2048];
/// `[heads, seq]`, with as many scores.
const SHORT: [usize; 2] = [64, 512];
const DIM: usize = 64;
/// Side of the product that is the yardstick.
const SIZE: usize = 2048;
const ROUNDS: usize = 9;
/// Seconds that a work is repeated for in a round, if one run takes less.
const AT_LEAST: f64 = 0.03;

type Work<'a> = Box<dyn Fn() -> Result<()> + 'a>;

/// Everything on one thread, in rounds, of which the fastest counts: what disturbs it only ever adds.
pub fn measure() -> Result<Times> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(Error::wrap)?;
    pool.install(in_rounds)
}

/// Seconds that this thread had the processor; on the clock, where the system does not say. The count is up to date
/// when a thread has offered to let others go first.
fn spent() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    thread::yield_now();
    let counted = fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = counted.ok().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

fn in_rounds() -> Result<Times> {
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

    let mut fastest = vec![f64::INFINITY; works.len()];
    for _ in 0..ROUNDS {
        for (work, fastest) in works.iter().zip(&mut fastest) {
            let start = spent();
            let mut before = start;
            while before - start < AT_LEAST {
                work()?;
                let now = spent();
                *fastest = fastest.min((now - before) * 1e3);
                before = now;
            }
        }
    }
    let (of_rungs, rest) = fastest.split_at(4 * rungs::ALL.len());
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
        machine: Machine { threads: 1, ..Machine::here()? },
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
