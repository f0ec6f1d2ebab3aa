//! Right answers in other styles than the solution's: the checks let them pass, edges and all.

use candle_core::{D, DType, Device, Error, Result, Tensor, bail};
use checks::{State, Verdict, flash as check};
use flash::{
    solution,
    tiles::{Partial, QueryBlock, blocks, keep_tile, lengths, tile_scores},
};
use std::ops::Range;

fn passes(verdict: Verdict) {
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

type Rows = Vec<Vec<f64>>;

fn rows(x: &Tensor) -> Result<Rows> {
    x.to_dtype(DType::F64)?.to_vec2()
}

fn tensor(numbers: Rows, columns: usize, like: &Tensor) -> Result<Tensor> {
    let shape = (numbers.len(), columns);
    Tensor::from_vec(numbers.concat(), shape, &Device::Cpu)?.to_dtype(like.dtype())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn online_softmax() {
    // A fold over pairs, in f64.
    passes(check::online_softmax(|scores| {
        let (m, l) = scores.iter().map(|&score| f64::from(score)).fold(
            (f64::NEG_INFINITY, 0.),
            |(m, l): (f64, f64), score| match m.max(score) {
                f64::NEG_INFINITY => (m, l),
                new => (new, l * (m - new).exp() + (score - new).exp()),
            },
        );
        (m as f32, l as f32)
    }));
    // The first score that counts starts; two branches.
    passes(check::online_softmax(|scores| {
        let mut seen = scores.iter().copied().filter(|score| score.is_finite());
        let Some(mut m) = seen.next() else { return (f32::NEG_INFINITY, 0.) };
        let mut l = 1.;
        for score in seen {
            if score <= m {
                l += (score - m).exp();
            } else {
                l = 1. + l * (m - score).exp();
                m = score;
            }
        }
        (m, l)
    }));
}

#[test]
fn lse() {
    passes(check::lse(|m, l| if l == 0. { f32::NEG_INFINITY } else { m + l.ln() }));
    passes(check::lse(|m, l| (f64::from(m) + f64::from(l).ln()) as f32));
    passes(check::lse(|m, l| l.log2() * std::f32::consts::LN_2 + m));
}

/// Loops over numbers.
fn tile_in_loops(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<Partial> {
    let (seq_q, seq_k) = lengths(q, k, v)?;
    if seq_k == 0 {
        bail!("no keys");
    }
    if keep.is_some_and(|keep| keep.dims() != [seq_q, seq_k]) {
        bail!("keep does not fit");
    }
    let (queries, keys, values, keep) = (rows(q)?, rows(k)?, rows(v)?, keep.map(rows).transpose()?);
    let (mut m, mut l, mut acc) = (vec![], vec![], vec![]);
    for (i, query) in queries.iter().enumerate() {
        let sees = |j: usize| keep.as_ref().is_none_or(|keep| keep[i][j] == 1.);
        let scores: Vec<(usize, f64)> =
            (0..seq_k).filter(|j| sees(*j)).map(|j| (j, dot(query, &keys[j]) * scale)).collect();
        let top = scores.iter().fold(f64::NEG_INFINITY, |top, (_, score)| top.max(*score));
        let (mut sum, mut row) = (0., vec![0.; v.dim(1)?]);
        for (j, score) in scores {
            let p = (score - top).exp();
            sum += p;
            row.iter_mut().zip(&values[j]).for_each(|(row, value)| *row += p * value);
        }
        m.push(vec![top]);
        l.push(vec![sum]);
        acc.push(row);
    }
    Ok(Partial { m: tensor(m, 1, q)?, l: tensor(l, 1, q)?, acc: tensor(acc, v.dim(1)?, q)? })
}

/// Exponentials first, then 0 where a query sees nothing.
fn tile_cleaned(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<Partial> {
    let s = tile_scores(q, k, scale, keep)?;
    let m = s.max_keepdim(D::Minus1)?;
    let nothing = m.eq(f64::NEG_INFINITY)?.broadcast_as(s.shape())?;
    let p = s.broadcast_sub(&m)?.exp()?;
    let p = nothing.where_cond(&p.zeros_like()?, &p)?;
    Ok(Partial { m, l: p.sum_keepdim(1)?, acc: p.matmul(&v.contiguous()?)? })
}

#[test]
fn tile_attention() {
    passes(check::tile_attention(tile_in_loops));
    passes(check::tile_attention(tile_cleaned));
}

/// Row by row.
fn merge_in_loops(a: &Partial, b: &Partial) -> Result<Partial> {
    if a.m.dims() != b.m.dims() || a.acc.dims() != b.acc.dims() {
        bail!("other queries");
    }
    let [m_a, l_a, acc_a] = [rows(&a.m)?, rows(&a.l)?, rows(&a.acc)?];
    let [m_b, l_b, acc_b] = [rows(&b.m)?, rows(&b.l)?, rows(&b.acc)?];
    let (mut m, mut l, mut acc) = (vec![], vec![], vec![]);
    for at in 0..m_a.len() {
        let top = m_a[at][0].max(m_b[at][0]);
        let down = |m: f64| if m == f64::NEG_INFINITY { 0. } else { (m - top).exp() };
        let (from_a, from_b) = (down(m_a[at][0]), down(m_b[at][0]));
        m.push(vec![top]);
        l.push(vec![l_a[at][0] * from_a + l_b[at][0] * from_b]);
        acc.push(acc_a[at].iter().zip(&acc_b[at]).map(|(a, b)| a * from_a + b * from_b).collect());
    }
    let columns = a.acc.dim(1)?;
    Ok(Partial { m: tensor(m, 1, &a.m)?, l: tensor(l, 1, &a.m)?, acc: tensor(acc, columns, &a.m)? })
}

/// The larger one stays, and the lower one is brought down by the difference of the two.
fn merge_by_difference(a: &Partial, b: &Partial) -> Result<Partial> {
    (&a.acc + &b.acc)?; // refuses what does not fit
    let m = a.m.maximum(&b.m)?;
    let down = |own: &Tensor| -> Result<Tensor> {
        let factor = (own - &m)?.exp()?;
        own.eq(f64::NEG_INFINITY)?.where_cond(&factor.zeros_like()?, &factor)
    };
    let (from_a, from_b) = (down(&a.m)?, down(&b.m)?);
    let l = ((&a.l * &from_a)? + (&b.l * &from_b)?)?;
    let acc = (a.acc.broadcast_mul(&from_a)? + b.acc.broadcast_mul(&from_b)?)?;
    Ok(Partial { m, l, acc })
}

#[test]
fn merge() {
    passes(check::merge(merge_in_loops));
    passes(check::merge(merge_by_difference));
}

fn finish_in_loops(partial: &Partial) -> Result<(Tensor, Tensor)> {
    let [m, l, acc] = [rows(&partial.m)?, rows(&partial.l)?, rows(&partial.acc)?];
    let columns = partial.acc.dim(1)?;
    let (mut out, mut lse) = (vec![], vec![]);
    for ((m, l), acc) in m.iter().zip(&l).zip(acc) {
        let divisor = if l[0] > 0. { l[0] } else { 1. };
        out.push(acc.into_iter().map(|x| x / divisor).collect());
        lse.push(vec![m[0] + l[0].ln()]);
    }
    Ok((tensor(out, columns, &partial.m)?, tensor(lse, 1, &partial.m)?))
}

#[test]
fn finish() {
    passes(check::finish(finish_in_loops));
    // Divided first, cleaned afterwards.
    passes(check::finish(|partial: &Partial| {
        let nothing = partial.l.eq(0.)?.broadcast_as(partial.acc.shape())?;
        let out = partial.acc.broadcast_div(&partial.l)?;
        let out = nothing.where_cond(&out.zeros_like()?, &out)?;
        Ok((out, (partial.l.log()? + &partial.m)?))
    }));
}

fn asked(queries: &Range<usize>, seq_q: usize, block_k: usize) -> Result<()> {
    if queries.is_empty() || queries.end > seq_q || block_k == 0 {
        bail!("no such queries, or no such tiles");
    }
    Ok(())
}

#[test]
fn tiles_to_visit() {
    // Pair by pair.
    passes(check::tiles_to_visit(|queries, seq_q, seq_k, block_k| {
        asked(&queries, seq_q, block_k)?;
        let sees = |query: usize, key: usize| key + seq_q <= query + seq_k;
        let (mut visit, mut whole) = (0, 0);
        for keys in blocks(seq_k, block_k)? {
            visit += usize::from(queries.clone().any(|i| keys.clone().any(|j| sees(i, j))));
            whole += usize::from(queries.clone().all(|i| keys.clone().all(|j| sees(i, j))));
        }
        Ok((visit, whole))
    }));
    // In signed numbers.
    passes(check::tiles_to_visit(|queries, seq_q, seq_k, block_k| {
        asked(&queries, seq_q, block_k)?;
        let shift = seq_k as isize - seq_q as isize + 1;
        let seen = |query: usize| (query as isize + shift).clamp(0, seq_k as isize) as usize;
        let (least, most) = (seen(queries.start), seen(queries.end - 1));
        let visit = most / block_k + usize::from(!most.is_multiple_of(block_k));
        let whole = (0..visit).filter(|tile| ((tile + 1) * block_k).min(seq_k) <= least).count();
        Ok((visit, whole))
    }));
}

#[test]
fn tiled_traffic() {
    passes(check::tiled_traffic(|seq, d, block_q| {
        let mut count = 0;
        for queries in blocks(seq, block_q)? {
            count += 2 * queries.len() * d + 2 * seq * d;
        }
        Ok(count)
    }));
    passes(check::tiled_traffic(|seq, d, block_q| {
        let rest = seq.checked_rem(block_q).ok_or_else(|| Error::msg("a block of 0"))?;
        let blocks = seq / block_q + usize::from(rest > 0);
        Ok(2 * d * seq * (1 + blocks))
    }));
}

/// Each query by itself, all keys that it sees in one tile: fewer than a block at a time.
fn flash_by_query(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    causal: bool,
    block: (usize, usize),
) -> Result<(Tensor, Tensor)> {
    let (seq_q, seq_k) = lengths(q, k, v)?;
    if block.0 == 0 {
        bail!("a block of 0");
    }
    let (mut out, mut lse) = (vec![], vec![]);
    for at in 0..seq_q {
        let seen = if causal { (at + 1 + seq_k).saturating_sub(seq_q) } else { seq_k };
        let (q, mut state) = (q.narrow(0, at, 1)?, Partial::empty(&q.narrow(0, at, 1)?, v)?);
        for keys in blocks(seen, block.1)? {
            let k = k.narrow(0, keys.start, keys.len())?;
            let v = v.narrow(0, keys.start, keys.len())?;
            state = merge_in_loops(&state, &tile_in_loops(&q, &k, &v, scale, None)?)?;
        }
        let (row, sum) = finish_in_loops(&state)?;
        out.push(row);
        lse.push(sum);
    }
    Ok((Tensor::cat(&out, 0)?, Tensor::cat(&lse, 0)?))
}

/// A mask on every tile that is visited, `while` loops, from the last tile to the first.
fn flash_backwards(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    causal: bool,
    (block_q, block_k): (usize, usize),
) -> Result<(Tensor, Tensor)> {
    let (seq_q, seq_k) = lengths(q, k, v)?;
    if block_q == 0 || block_k == 0 {
        bail!("a block of 0");
    }
    let (mut out, mut lse, mut start) = (vec![], vec![], 0);
    while start < seq_q {
        let queries = start..seq_q.min(start + block_q);
        let rows = q.narrow(0, start, queries.len())?;
        let seen = match causal {
            true => (queries.end + seq_k).saturating_sub(seq_q),
            false => seq_k,
        };
        let mut state = Partial::empty(&rows, v)?;
        for tile in (0..seen.div_ceil(block_k)).rev() {
            let keys = tile * block_k..seq_k.min((tile + 1) * block_k);
            let keep = keep_tile(&queries, &keys, (seq_q, seq_k), q)?;
            let keep = causal.then_some(&keep);
            let k = k.narrow(0, keys.start, keys.len())?;
            let v = v.narrow(0, keys.start, keys.len())?;
            let tile = tile_cleaned(&rows, &k, &v, scale, keep)?;
            state = merge_by_difference(&tile, &state)?;
        }
        let (block_out, block_lse) = solution::finish(&state)?;
        out.push(block_out);
        lse.push(block_lse);
        start = queries.end;
    }
    Ok((Tensor::cat(&out, 0)?, Tensor::cat(&lse, 0)?))
}

#[test]
fn flash_attention() {
    passes(check::flash_attention(flash_by_query));
    passes(check::flash_attention(flash_backwards));
}

#[test]
fn delta() {
    passes(check::delta(|out, d_out| {
        if out.dims() != d_out.dims() {
            bail!("shapes differ");
        }
        let sums = rows(out)?.iter().zip(&rows(d_out)?).map(|(a, b)| vec![dot(a, b)]).collect();
        tensor(sums, 1, out)
    }));
    // The diagonal of the products of all pairs.
    passes(check::delta(|out, d_out| {
        let pairs = (out * d_out).and_then(|_| out.matmul(&d_out.t()?))?;
        let mut diagonal = vec![];
        for at in 0..out.dim(0)? {
            diagonal.push(pairs.narrow(0, at, 1)?.narrow(1, at, 1)?);
        }
        Tensor::cat(&diagonal, 0)
    }));
}

#[test]
fn tile_backward() {
    // The scale in the queries on the way in, and on d_q on the way out.
    passes(check::tile_backward(
        |block: &QueryBlock, k: &Tensor, v: &Tensor, scale: f64, keep: Option<&Tensor>| {
            let q = (&block.q * scale)?;
            let s = tile_scores(&q, k, 1., keep)?;
            let p = s.broadcast_sub(&block.lse)?.exp()?;
            let nothing = block.lse.eq(f64::NEG_INFINITY)?.broadcast_as(p.shape())?;
            let p = nothing.where_cond(&p.zeros_like()?, &p)?;
            let d_p = block.d_out.matmul(&v.t()?.contiguous()?)?;
            let d_s = (&p * d_p.broadcast_sub(&block.delta)?)?;
            let d_q = (d_s.matmul(&k.contiguous()?)? * scale)?;
            Ok((
                d_q,
                d_s.t()?.contiguous()?.matmul(&q)?,
                p.t()?.contiguous()?.matmul(&block.d_out)?,
            ))
        },
    ));
    passes(check::tile_backward(backward_in_loops));
}

fn backward_in_loops(
    block: &QueryBlock,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (seq_q, seq_k) = lengths(&block.q, k, v)?;
    if block.d_out.dims() != [seq_q, v.dim(1)?] {
        bail!("d_out does not fit");
    }
    if keep.is_some_and(|keep| keep.dims() != [seq_q, seq_k]) {
        bail!("keep does not fit");
    }
    let [q, keys, values, d_out] = [rows(&block.q)?, rows(k)?, rows(v)?, rows(&block.d_out)?];
    let (lse, delta, keep) = (rows(&block.lse)?, rows(&block.delta)?, keep.map(rows).transpose()?);
    let (d, d_v) = (k.dim(1)?, v.dim(1)?);
    let zeros = |rows: usize, columns: usize| vec![vec![0.; columns]; rows];
    let (mut to_q, mut to_k, mut to_v) = (zeros(seq_q, d), zeros(seq_k, d), zeros(seq_k, d_v));
    let add = |to: &mut [f64], factor: f64, from: &[f64]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    };
    for i in 0..seq_q {
        for j in 0..seq_k {
            if keep.as_ref().is_some_and(|keep| keep[i][j] == 0.) || lse[i][0].is_infinite() {
                continue;
            }
            let p = (dot(&q[i], &keys[j]) * scale - lse[i][0]).exp();
            let d_s = p * (dot(&d_out[i], &values[j]) - delta[i][0]) * scale;
            add(&mut to_q[i], d_s, &keys[j]);
            add(&mut to_k[j], d_s, &q[i]);
            add(&mut to_v[j], p, &d_out[i]);
        }
    }
    Ok((tensor(to_q, d, k)?, tensor(to_k, d, k)?, tensor(to_v, d_v, k)?))
}
