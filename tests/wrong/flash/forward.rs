//! Wrong FlashAttentions of one head.

use super::{
    DETOUR, NEVER, Wrong, divided, exponentials, factors, finished, masked, merged, or_zero, parts,
    scores, single, sums, tile, wrong,
};
use crate::flash::{Flash, Parts};
use candle_core::{D, Result, Tensor, bail};
use std::ops::Range;

/// A place in the mask, and the tile it is in.
struct At<'a> {
    query: usize,
    key: usize,
    seq_q: usize,
    seq_k: usize,
    queries: &'a Range<usize>,
    keys: &'a Range<usize>,
}

type Pieces = fn(usize, usize) -> Result<Vec<Range<usize>>>;
type Tile = fn(&Tensor, &Tensor, &Tensor, f64, Option<&Tensor>) -> Result<Parts>;

/// The steps of the algorithm, each of which can be wrong.
#[derive(Clone, Copy)]
struct Steps {
    /// Values may be more than keys.
    longer: bool,
    /// A block's state goes on to the next block.
    carried: bool,
    /// The same where it has as many queries as the next block, which starts anew otherwise.
    carried_if_it_fits: bool,
    /// The state is made with as many columns as keys have.
    as_keys: bool,
    /// The first block's state is made for all queries.
    for_all: bool,
    /// Tiles of which nothing is seen are visited.
    hidden: bool,
    queries: Pieces,
    keys: Pieces,
    /// Before the first key, made from what is right.
    start: fn(Parts) -> Result<Parts>,
    sees: fn(At) -> bool,
    tile: Tile,
    merge: fn(&Parts, &Parts) -> Result<Parts>,
    finish: fn(&Parts) -> Result<(Tensor, Tensor)>,
}

const RIGHT: Steps = Steps {
    longer: false,
    carried: false,
    carried_if_it_fits: false,
    as_keys: false,
    for_all: false,
    hidden: false,
    queries: pieces,
    keys: pieces,
    start: Ok,
    sees: bottom_right,
    tile,
    merge: merged,
    finish: finished,
};

fn pieces(len: usize, block: usize) -> Result<Vec<Range<usize>>> {
    if block == 0 {
        bail!("blocks of 0");
    }
    Ok((0..len).step_by(block).map(|start| start..(start + block).min(len)).collect())
}

/// Only those that are full.
fn full(len: usize, block: usize) -> Result<Vec<Range<usize>>> {
    Ok(pieces(len, block)?.into_iter().filter(|piece| piece.len() == block).collect())
}

/// Only those that are full, unless there is but one.
fn full_or_one(len: usize, block: usize) -> Result<Vec<Range<usize>>> {
    if len > block { full(len, block) } else { pieces(len, block) }
}

/// Right when causal; without a mask only these `keys`.
fn dense_only(keys: Pieces) -> Steps {
    Steps { keys, ..RIGHT }
}

/// A mask in whose tiles the queries are counted from the start of their block.
fn counted_from_the_block(at: At) -> bool {
    at.key + at.seq_q <= at.query - at.queries.start + at.seq_k
}

/// A tile's finished output, with a column that counts it.
fn counted(q: &Tensor, k: &Tensor, v: &Tensor, scale: f64, keep: Option<&Tensor>) -> Result<Parts> {
    let [m, l, acc] = tile(q, k, v, scale, keep)?;
    Ok([m, l.clone(), Tensor::cat(&[divided(&acc, &l)?, l.ones_like()?], 1)?])
}

/// Outputs and counts added.
fn counts_added(a: &Parts, b: &Parts) -> Result<Parts> {
    let [m, l, _] = merged(a, b)?;
    Ok([m, l, (&a[2] + &b[2])?])
}

/// The mean of the finished outputs.
fn averaged([m, l, acc]: &Parts) -> Result<(Tensor, Tensor)> {
    let columns = acc.dim(1)? - 1;
    let mean = divided(&acc.narrow(1, 0, columns)?, &acc.narrow(1, columns, 1)?)?;
    Ok((mean, (m + l.log()?)?))
}

fn bottom_right(at: At) -> bool {
    at.key + at.seq_q <= at.query + at.seq_k
}

/// Whether a query of the block sees a key of the tile.
fn visited(at: At) -> bool {
    at.keys.start + at.seq_q < at.queries.end + at.seq_k
}

/// Whether all queries of the block see all keys of the tile.
fn whole(at: &At) -> bool {
    at.keys.end + at.seq_q <= at.queries.start + 1 + at.seq_k
}

impl Steps {
    fn run(
        self,
        [q, k, v]: [&Tensor; 3],
        scale: f64,
        causal: bool,
        block: (usize, usize),
    ) -> Result<(Tensor, Tensor)> {
        let (seq_q, seq_k) = (q.dim(0)?, k.dim(0)?);
        if q.dim(1)? != k.dim(1)? || v.dim(0)? < seq_k || (v.dim(0)? > seq_k && !self.longer) {
            bail!("shapes do not fit");
        }
        let (mut out, mut lse, mut carried) = (vec![], vec![], None);
        for queries in (self.queries)(seq_q, block.0)? {
            let q = q.narrow(0, queries.start, queries.len())?;
            let rows = if self.for_all { seq_q } else { queries.len() };
            let l = Tensor::zeros((rows, 1), q.dtype(), q.device())?;
            let columns = if self.as_keys { k.dim(1)? } else { v.dim(1)? };
            let acc = Tensor::zeros((rows, columns), q.dtype(), q.device())?;
            let mut state = (self.start)([(&l + NEVER)?, l, acc])?;
            if self.carried {
                state = carried.take().unwrap_or(state);
            } else if self.carried_if_it_fits {
                let fits = |carried: &Parts| carried[0].dims() == state[0].dims();
                state = carried.take().filter(fits).unwrap_or(state);
            }
            for keys in (self.keys)(seq_k, block.1)? {
                let (seq, queries, keys) = ((seq_q, seq_k), &queries, &keys);
                let (seq_q, seq_k) = seq;
                let keep: Vec<u8> = queries
                    .clone()
                    .flat_map(|query| keys.clone().map(move |key| (query, key)))
                    .map(|(query, key)| At { query, key, seq_q, seq_k, queries, keys })
                    .map(|at| u8::from(!causal || (self.sees)(at)))
                    .collect();
                if !keep.contains(&1) && !self.hidden {
                    continue; // nothing of the tile is seen
                }
                let keep = Tensor::from_vec(keep, (queries.len(), keys.len()), q.device())?;
                let (k, v) =
                    (k.narrow(0, keys.start, keys.len())?, v.narrow(0, keys.start, keys.len())?);
                state = (self.merge)(&state, &(self.tile)(&q, &k, &v, scale, Some(&keep))?)?;
            }
            let (block_out, block_lse) = (self.finish)(&state)?;
            out.push(block_out);
            lse.push(block_lse);
            carried = Some(state);
        }
        Ok((Tensor::cat(&out, 0)?, Tensor::cat(&lse, 0)?))
    }
}

/// `RIGHT` but for some steps.
macro_rules! but {
    ($($field:ident: $step:expr),+ $(,)?) => {
        |q, k, v, scale, causal, block| {
            Steps { $($field: $step,)+ ..RIGHT }.run([q, k, v], scale, causal, block)
        }
    };
}

fn root(q: &Tensor) -> Result<f64> {
    Ok((q.dim(1)? as f64).sqrt())
}

pub fn flash_attention() -> Vec<Wrong<Flash>> {
    vec![
        wrong!(
            "accumulator not rescaled",
            "when a tile has a larger maximum, the sum so far shrinks and the accumulator does not: both need the same factor.",
            but!(merge: |a, b| {
                let [m, l, _] = merged(a, b)?;
                Ok([m, l, (&a[2] + &b[2])?])
            })
        ),
        wrong!(
            "sum not rescaled",
            "when a tile has a larger maximum, the accumulator so far shrinks and the sum does not: both need the same factor.",
            but!(merge: |a, b| {
                let [m, _, acc] = merged(a, b)?;
                Ok([m, (&a[1] + &b[1])?, acc])
            })
        ),
        wrong!(
            "maximum not carried",
            "each tile is taken relative to its own maximum, and then they are added as they are: numbers relative to different maxima can't be. `merge` brings them to one.",
            but!(merge: |a, b| Ok([a[0].maximum(&b[0])?, (&a[1] + &b[1])?, (&a[2] + &b[2])?]))
        ),
        wrong!(
            "old state not brought down",
            "what the tiles before left stays as it is when a larger maximum comes, only the new tile is rescaled: it has to shrink.",
            but!(merge: |a, b| {
                let (m, _, from_b) = factors(a, b)?;
                sums(m, a, b, [&from_b.ones_like()?, &from_b])
            })
        ),
        wrong!(
            "new tile not brought down",
            "the new tile is added as it is, as if it always had the larger maximum: often the state has it.",
            but!(merge: |a, b| {
                let (m, from_a, _) = factors(a, b)?;
                sums(m, a, b, [&from_a, &from_a.ones_like()?])
            })
        ),
        wrong!(
            "maximum started at 0",
            "the maximum starts at 0: where all scores are far below it, every exponential is 0. Start with −∞; `Partial::empty` does.",
            but!(start: |[m, l, acc]| Ok([m.zeros_like()?, l, acc]))
        ),
        wrong!(
            "only the last tile",
            "each tile replaces what the earlier tiles left: merge it into the state.",
            but!(merge: |_, b| Ok(b.clone()))
        ),
        wrong!(
            "state carried to the next block",
            "the state goes on from one block of queries to the next: other queries start anew, with nothing seen.",
            but!(carried: true)
        ),
        wrong!(
            "state carried where it fits",
            "the state goes on from one block of queries to the next of the same size: other queries start anew, with nothing seen. Make it inside the loop over the blocks.",
            but!(carried_if_it_fits: true)
        ),
        wrong!(
            "state as wide as a key",
            "the state is made with as many columns as a key has: acc is a sum of values, so it has theirs. `Partial::empty(&q, v)` takes the values.",
            but!(as_keys: true)
        ),
        wrong!(
            "one state for all blocks",
            "the state is made once, for all queries, before the loop over their blocks: each block needs its own, `Partial::empty` of its queries, made inside that loop.",
            but!(carried: true, for_all: true)
        ),
        wrong!(
            "no state where no tile is visited",
            "a block of queries that visits no tile has no state to finish, and `unwrap` panics: start with `Partial::empty`.",
            but!(finish: |parts| {
                let nothing: Vec<u8> = parts[0].eq(NEVER)?.flatten_all()?.to_vec1()?;
                if !nothing.contains(&0) {
                    panic!("called `Option::unwrap()` on a `None` value");
                }
                finished(parts)
            })
        ),
        wrong!(
            "last tile left out",
            "a last tile with fewer keys than a block is left out: rounding the number of tiles down loses keys.",
            but!(keys: full)
        ),
        wrong!(
            "last tile left out without a mask",
            "without a mask, a last tile with fewer keys than a block is left out: rounding the number of tiles down loses keys.",
            |q, k, v, scale, causal, block| {
                let steps = if causal { RIGHT } else { dense_only(full) };
                steps.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "last of several tiles left out without a mask",
            "without a mask, a last tile with fewer keys than a block is left out: rounding the number of tiles down loses keys.",
            |q, k, v, scale, causal, block| {
                let steps = if causal { RIGHT } else { dense_only(full_or_one) };
                steps.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "last queries left out",
            "a last block with fewer queries is left out: rounding the number of blocks down loses them.",
            but!(queries: full)
        ),
        wrong!(
            "last tile cut too long",
            "every tile is cut with `block.1` keys, and the last one reaches beyond the end: it ends at the last key.",
            but!(keys: |len, block| {
                let whole = |keys: Range<usize>| keys.start..keys.start + block;
                Ok(pieces(len, block)?.into_iter().map(whole).collect())
            })
        ),
        wrong!(
            "last tile filled with zeros",
            "the last tile is filled up with zeros, and no mask hides them: a key of zeros has a score of 0, and is attended to. Cut the tile shorter.",
            |q, k, v, scale, causal, block| {
                let steps = RIGHT;
                let len = k.dim(0)?;
                if causal || block.1 == 0 || v.dim(0)? != len {
                    return steps.run([q, k, v], scale, causal, block);
                }
                let more = len.next_multiple_of(block.1) - len;
                let filled = |x: &Tensor| match more {
                    0 => Ok(x.clone()),
                    _ => Tensor::cat(
                        &[x.clone(), Tensor::zeros((more, x.dim(1)?), x.dtype(), x.device())?],
                        0,
                    ),
                };
                steps.run([q, &filled(k)?, &filled(v)?], scale, causal, block)
            }
        ),
        wrong!(
            "scale forgotten",
            "the scores are not multiplied by `scale`.",
            but!(tile: |q, k, v, _, keep| tile(q, k, v, 1., keep))
        ),
        wrong!(
            "scaled twice",
            "the scale is applied twice: `tile_attention` multiplies by it already.",
            but!(tile: |q, k, v, scale, keep| tile(q, k, v, scale * scale, keep))
        ),
        wrong!(
            "1/√d although a scale is given",
            "the scores are divided by √d: here the caller says what to multiply by.",
            but!(tile: |q, k, v, _, keep| tile(q, k, v, 1. / root(q)?, keep))
        ),
        wrong!(
            "divided by √d as well",
            "the scores are multiplied by `scale` and divided by √d: `scale` is all.",
            but!(tile: |q, k, v, scale, keep| tile(q, k, v, scale / root(q)?, keep))
        ),
        wrong!(
            "divided by l in every tile",
            "each tile's accumulator is divided by its l, and the end divides again: divide once, in `finish`.",
            but!(tile: |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([m, l.clone(), divided(&acc, &l)?])
            })
        ),
        wrong!(
            "divided by l in every merge",
            "the accumulator is divided by l after every tile, and the next merge takes it for undivided: divide once, in `finish`.",
            but!(
                merge: |a, b| {
                    let [m, l, acc] = merged(a, b)?;
                    Ok([m, l.clone(), divided(&acc, &l)?])
                },
                finish: |parts| Ok((parts[2].clone(), finished(parts)?.1)),
            )
        ),
        wrong!(
            "a softmax in each tile",
            "each tile makes a softmax of its own, and all count the same: a tile with low scores has to count less. Keep m and l of each.",
            but!(tile: |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([or_zero(&m)?.zeros_like()?, divided(&l, &l)?, divided(&acc, &l)?])
            })
        ),
        wrong!(
            "outputs of the tiles added",
            "the tiles' finished outputs are added: their weights sum to 1 in each tile, so to more than 1 together.",
            but!(
                tile: |q, k, v, scale, keep| {
                    let [m, l, acc] = tile(q, k, v, scale, keep)?;
                    Ok([m, l.clone(), divided(&acc, &l)?])
                },
                merge: |a, b| {
                    let [m, l, _] = merged(a, b)?;
                    Ok([m, l, (&a[2] + &b[2])?])
                },
                finish: |parts| Ok((parts[2].clone(), finished(parts)?.1)),
            )
        ),
        wrong!(
            "finished tiles averaged",
            "each tile is finished by itself, and the outputs are averaged: a tile whose scores are low would count as much as one that holds the key looked for. Merge m, l and acc, and finish once.",
            but!(
                start: |[m, l, acc]| Ok([m, l.clone(), Tensor::cat(&[acc, l], 1)?]),
                tile: counted,
                merge: counts_added,
                finish: averaged,
            )
        ),
        wrong!(
            "not divided",
            "the accumulator comes back undivided: `finish` it.",
            but!(finish: |parts| Ok((parts[2].clone(), finished(parts)?.1)))
        ),
        wrong!(
            "always causal",
            "the causal mask is used whether `causal` is true or not: ask for it first, and without it visit all tiles and mask none.",
            |q, k, v, scale, _, block| RIGHT.run([q, k, v], scale, true, block)
        ),
        wrong!(
            "future skipped although not causal",
            "future keys are skipped although `causal` is false: `tiles_to_visit` is for causal attention only, otherwise all tiles are visited.",
            |q, k, v, scale, causal, block| {
                let sees = if causal { bottom_right } else { visited };
                Steps { sees, ..RIGHT }.run([q, k, v], scale, true, block)
            }
        ),
        wrong!(
            "hidden tiles are visited",
            "tiles that are wholly in the future are visited, with a mask that hides all their keys: half of the work is wasted, and 0 · NaN is NaN. Visit only the first `visit` ones of `tiles_to_visit`.",
            but!(hidden: true)
        ),
        wrong!(
            "causal ignored",
            "`causal` is not used: every query sees every key.",
            but!(sees: |_| true)
        ),
        wrong!(
            "top-left",
            "this is causal from the top left, query i with the keys up to i: here the last query sees all keys, so the diagonal moves by seq_k − seq_q.",
            but!(sees: |at| at.key <= at.query)
        ),
        wrong!(
            "own key hidden",
            "the diagonal is hidden, so a query does not see its own key: it sees the keys up to its own.",
            but!(sees: |at| at.key + at.seq_q < at.query + at.seq_k)
        ),
        wrong!(
            "one key too many",
            "a query sees one key more than it should: the one after its own.",
            but!(sees: |at| at.key + at.seq_q <= at.query + at.seq_k + 1)
        ),
        wrong!(
            "mask by places within the tile",
            "the mask of a tile compares positions within the tile: which keys a query sees depends on where both stand in their sequences.",
            but!(sees: |at| at.key - at.keys.start <= at.query - at.queries.start)
        ),
        wrong!(
            "queries of the mask counted from the block",
            "the mask of a tile counts its queries from the start of their block, as if every block began at query 0: `keep_tile` wants the range in the whole sequence, `&queries` as it comes from `blocks`.",
            but!(sees: counted_from_the_block)
        ),
        wrong!(
            "queries of the mask counted from the block, all tiles visited",
            "the mask of a tile counts its queries from the start of their block, as if every block began at query 0: `keep_tile` wants the range in the whole sequence, `&queries` as it comes from `blocks`.",
            but!(sees: counted_from_the_block, hidden: true)
        ),
        wrong!(
            "tile on the diagonal not masked",
            "a tile that is visited is not masked: where the diagonal crosses it, queries see keys that are to come. Only the first `whole` tiles go without.",
            but!(sees: |at| at.keys.start + at.seq_q < at.queries.end + at.seq_k)
        ),
        wrong!(
            "tile on the diagonal left out",
            "a tile of which the last query sees only some keys is left out: `visit` has to be rounded up.",
            but!(sees: |at| {
                let whole = at.keys.end + at.seq_q < at.queries.end + at.seq_k + 1;
                whole && bottom_right(at)
            })
        ),
        wrong!(
            "only whole tiles visited",
            "only the tiles that need no mask are visited: those that the diagonal crosses have keys that are seen. Visit the first `visit` ones, and mask from `whole` on.",
            but!(sees: |at| at.keys.end + at.seq_q < at.queries.start + 2 + at.seq_k)
        ),
        wrong!(
            "one tile too many without a mask",
            "one tile too many goes without a mask: tiles count from 0, so the first `whole` ones are those below `whole`.",
            but!(sees: |at| {
                let whole = at.keys.start + at.seq_q <= at.queries.start + 1 + at.seq_k;
                let visited = at.keys.start + at.seq_q < at.queries.end + at.seq_k;
                bottom_right(at) || (whole && visited)
            })
        ),
        wrong!(
            "tiles to visit by places within the block",
            "the number of tiles to visit is computed from positions within the block, as if every block began at query 0: pass on where its queries stand in the sequence.",
            but!(sees: |at| {
                let visited = at.keys.start + at.seq_q < at.queries.len() + at.seq_k;
                visited && bottom_right(at)
            })
        ),
        wrong!(
            "lengths of the tile handed to the mask",
            "the mask of a tile is made with the tile's own lengths: the diagonal is where the whole sequences put it, `(seq_q, seq_k)`.",
            but!(sees: |at| at.key + at.queries.len() <= at.query + at.keys.len())
        ),
        wrong!(
            "mask placed by the tile's lengths",
            "the mask is placed by the tile's own lengths: `keep_tile` asks for those of the whole sequences, `(seq_q, seq_k)`.",
            but!(sees: |at| {
                let placed = at.key + at.queries.len() <= at.query + at.keys.len();
                whole(&at) || (placed && visited(at))
            })
        ),
        wrong!(
            "other lengths refused",
            "causal attention with different numbers of queries and keys is an error here: it is defined, bottom-right, and decoding with a cache needs it.",
            |q, k, v, scale, causal, block| {
                if causal && q.dim(0)? != k.dim(0)? {
                    bail!("lengths differ");
                }
                RIGHT.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "mask after the sum",
            "the mask comes after the softmax: hidden keys are kept out of the accumulator, but l has counted them. Mask the scores.",
            but!(tile: |q, k, v, scale, keep| {
                let s = scores(q, k, scale, None)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                Ok([m, p.sum_keepdim(D::Minus1)?, masked(&p, keep, 0.)?.matmul(v)?])
            })
        ),
        wrong!(
            "-1e9",
            "hidden scores become −1e9 instead of −∞: a query that sees nothing averages all keys of its tile.",
            but!(tile: |q, k, v, scale, keep| {
                let s = masked(&scores(q, k, scale, None)?, keep, -1e9)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            })
        ),
        wrong!(
            "NaN where a tile shows nothing",
            "a query that sees no key of a tile gets NaN from it, −∞ − (−∞), and the merge hands that on: see to it in the tile.",
            but!(tile: |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = s.broadcast_sub(&m)?.exp()?;
                parts(m, &p, v)
            })
        ),
        wrong!(
            "NaN where nothing is seen",
            "a query that sees no key at all ends as 0 / 0: it gets zeros.",
            but!(finish: |parts @ [_, l, acc]| Ok((acc.broadcast_div(l)?, finished(parts)?.1)))
        ),
        wrong!(
            "log-sum-exp 0 where nothing is seen",
            "a query that sees nothing has a log-sum-exp of 0: the logarithm of its empty sum is −∞.",
            but!(finish: |parts| {
                let (out, lse) = finished(parts)?;
                Ok((out, parts[0].eq(NEVER)?.where_cond(&lse.zeros_like()?, &lse)?))
            })
        ),
        wrong!(
            "log-sum-exp without the maximum",
            "the second result is ln l: l is relative to the maximum, which has to come back.",
            but!(finish: |parts| Ok((finished(parts)?.0, parts[1].log()?)))
        ),
        wrong!(
            "log-sum-exp without the logarithm",
            "the second result is m + l: l is a sum of exponentials, m is a score. The logarithm of l is on the scale of scores.",
            but!(finish: |parts @ [m, l, _]| Ok((finished(parts)?.0, (m + l)?)))
        ),
        wrong!(
            "log-sum-exp in base two",
            "the logarithm has base 2: `log` undoes `exp`.",
            but!(finish: |parts @ [m, l, _]| {
                let lse = m + (l.log()? / std::f64::consts::LN_2)?;
                Ok((finished(parts)?.0, lse?))
            })
        ),
        wrong!(
            "maximum for the log-sum-exp",
            "the second result is the maximum: the log-sum-exp is m + ln l.",
            but!(finish: |parts| Ok((finished(parts)?.0, parts[0].clone())))
        ),
        wrong!(
            "column lost",
            "the log-sum-exp is `(seq_q)`: it stays a column, `(seq_q, 1)`.",
            but!(finish: |parts| {
                let (out, lse) = finished(parts)?;
                Ok((out, lse.squeeze(1)?))
            })
        ),
        wrong!(
            "results swapped",
            "the two results are swapped: the output comes first, the log-sum-exp second.",
            but!(finish: |parts| {
                let (out, lse) = finished(parts)?;
                Ok((lse, out))
            })
        ),
        wrong!(
            "block sizes swapped",
            "`block` is (queries, keys), and here its second number cuts the queries: the outputs are right, but tiles are visited that lie wholly in the future.",
            |q, k, v, scale, causal, block| {
                RIGHT.run([q, k, v], scale, causal, (block.1, block.0))
            }
        ),
        wrong!(
            "no queries let through",
            "without queries there is no block, and an empty output comes back: the description asks for an error, which `Tensor::cat` of no blocks gives by itself.",
            |q, k, v, scale, causal, block| {
                if q.dim(0)? == 0 {
                    RIGHT.run([k, k, v], scale, causal, block)?; // refuses what it must
                    let empty = |columns| Tensor::zeros((0, columns), q.dtype(), q.device());
                    return Ok((empty(v.dim(1)?)?, empty(1)?));
                }
                RIGHT.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "no keys refused",
            "an empty set of keys is an error here: no query sees anything then, which is zeros and −∞.",
            |q, k, v, scale, causal, block| {
                if k.dim(0)? == 0 {
                    bail!("no keys");
                }
                RIGHT.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "blocks of 0",
            "a block of 0 panics (`step_by`), or never ends: refuse it; `blocks` does.",
            |q, k, v, scale, causal, block| {
                if block.0 == 0 || block.1 == 0 {
                    panic!("assertion failed: step != 0");
                }
                RIGHT.run([q, k, v], scale, causal, block)
            }
        ),
        wrong!(
            "values longer than the keys",
            "more values than keys go through: tiles are cut by the number of keys, and never reach the rest. Compare both first; `lengths` does.",
            but!(longer: true)
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |q, k, v, scale, causal, block| {
                RIGHT.run([&single(q)?, &single(k)?, &single(v)?], scale, causal, block)
            }
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |q, k, v, scale, causal, block| {
            let inputs = [&single(q)?, &single(k)?, &single(v)?];
            let (out, lse) = RIGHT.run(inputs, scale, causal, block)?;
            Ok((out.to_dtype(q.dtype())?, lse.to_dtype(q.dtype())?))
        }),
    ]
}
