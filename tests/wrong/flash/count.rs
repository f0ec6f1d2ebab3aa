//! Wrong counts of tiles, and of numbers that travel.

use super::{Wrong, wrong};
use crate::flash::{Traffic, Visit};
use candle_core::{Result, bail};
use std::ops::Range;

/// An error for queries that are none, or a tile without keys.
fn ask(queries: &Range<usize>, seq_q: usize, block_k: usize) -> Result<()> {
    if queries.is_empty() || queries.end > seq_q || block_k == 0 {
        bail!("no such queries, or no such tiles");
    }
    Ok(())
}

/// How many keys a query sees.
fn sees(query: usize, seq_q: usize, seq_k: usize) -> usize {
    (query + 1 + seq_k).saturating_sub(seq_q)
}

/// The first `whole` tiles, the last one too when the first query sees all keys.
fn whole(first: usize, seq_k: usize, block_k: usize) -> usize {
    if first >= seq_k { seq_k.div_ceil(block_k) } else { first / block_k }
}

/// How many keys the first and the last query see.
fn ends(queries: &Range<usize>, seq_q: usize, seq_k: usize) -> (usize, usize) {
    (sees(queries.start, seq_q, seq_k), sees(queries.end - 1, seq_q, seq_k))
}

/// Right tiles for such ends.
fn between((first, last): (usize, usize), seq_k: usize, block_k: usize) -> (usize, usize) {
    (last.div_ceil(block_k), whole(first, seq_k, block_k))
}

/// The same, where a number of keys may have wrapped round: it is more than all, and no case of its own.
fn wrapped((first, last): (usize, usize), seq_k: usize, block_k: usize) -> (usize, usize) {
    let whole = if first == seq_k { seq_k.div_ceil(block_k) } else { first / block_k };
    (last.div_ceil(block_k), whole)
}

fn right(
    queries: Range<usize>,
    seq_q: usize,
    seq_k: usize,
    block_k: usize,
) -> Result<(usize, usize)> {
    ask(&queries, seq_q, block_k)?;
    Ok(between(ends(&queries, seq_q, seq_k), seq_k, block_k))
}

pub fn tiles_to_visit() -> Vec<Wrong<Visit>> {
    vec![
        wrong!(
            "visit rounded down",
            "`visit` is rounded down: a tile of which the last query sees only some keys is left out, and with it those keys. Round up.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last / block_k, whole(first, seq_k, block_k)))
            }
        ),
        wrong!(
            "one more than rounded down",
            "`visit` is rounded down, plus one: that is one too many where a tile ends with the last key that is seen. `div_ceil` rounds up.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                let visit = if last == 0 { 0 } else { last / block_k + 1 };
                Ok((visit, whole(first, seq_k, block_k)))
            }
        ),
        wrong!(
            "index of the last tile",
            "`visit` is the index of the last tile, not how many there are: one too few.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last.saturating_sub(1) / block_k, whole(first, seq_k, block_k)))
            }
        ),
        wrong!(
            "whole rounded up",
            "`whole` is rounded up: a tile of which the first query sees only some keys would go without a mask, and leak. Round down.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last.div_ceil(block_k), first.div_ceil(block_k)))
            }
        ),
        wrong!(
            "top-left",
            "this is causal from the top left, query i with the keys up to i: where the numbers of queries and keys differ, it is the last query that sees all keys.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let top_left = ((queries.start + 1).min(seq_k), queries.end.min(seq_k));
                Ok(between(top_left, seq_k, block_k))
            }
        ),
        wrong!(
            "lengths swapped",
            "the diagonal is moved the wrong way: with more keys than queries each query sees more, + seq_k − seq_q.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let moved = |query| sees(query, seq_k, seq_q).min(seq_k);
                Ok(between((moved(queries.start), moved(queries.end - 1)), seq_k, block_k))
            }
        ),
        wrong!(
            "shift never below 0",
            "seq_k − seq_q stops at 0 before the query is added, so with more queries than keys nothing is moved: add first, and subtract afterwards.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let sees = |query: usize| query + 1 + seq_k.saturating_sub(seq_q);
                Ok(between((sees(queries.start), sees(queries.end - 1)), seq_k, block_k))
            }
        ),
        wrong!(
            "shift never below 0, at most all keys",
            "seq_k − seq_q stops at 0 before the query is added, so with more queries than keys nothing is moved: add first and subtract afterwards, and no upper limit is needed.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let sees = |query: usize| (query + 1 + seq_k.saturating_sub(seq_q)).min(seq_k);
                Ok(between((sees(queries.start), sees(queries.end - 1)), seq_k, block_k))
            }
        ),
        wrong!(
            "last key's index taken for the count",
            "`visit` is computed from the index of the last key that the last query sees: indexes start at 0, so it sees one key more than that.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last.saturating_sub(1).div_ceil(block_k), whole(first, seq_k, block_k)))
            }
        ),
        wrong!(
            "one key too few",
            "a query sees one key more than this: indexes start at 0, so \"up to key 2\" means three keys.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                let fewer = (first.saturating_sub(1), last.saturating_sub(1));
                Ok(between(fewer, seq_k, block_k))
            }
        ),
        wrong!(
            "one key too many",
            "a query sees one key fewer than this: its own is the last, not the one after it.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let more = |query| sees(query + 1, seq_q, seq_k).min(seq_k);
                Ok(between((more(queries.start), more(queries.end - 1)), seq_k, block_k))
            }
        ),
        wrong!(
            "end taken for the last query",
            "`queries.end` is the query after the last: a range excludes its end.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, _) = ends(&queries, seq_q, seq_k);
                let last = sees(queries.end, seq_q, seq_k).min(seq_k);
                Ok(between((first, last), seq_k, block_k))
            }
        ),
        wrong!(
            "visit by the first query",
            "`visit` is computed from the first query of the block: the last one sees the most keys.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, _) = ends(&queries, seq_q, seq_k);
                Ok(between((first, first), seq_k, block_k))
            }
        ),
        wrong!(
            "whole by the last query",
            "`whole` is computed from the last query of the block: a tile needs no mask only when every query sees all of it, and the first one sees the fewest keys.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (_, last) = ends(&queries, seq_q, seq_k);
                Ok(between((last, last), seq_k, block_k))
            }
        ),
        wrong!(
            "all but the last visited are whole",
            "all but the last tile are taken for whole: a block that is larger than a tile, or not aligned with the tiles, crosses several.",
            |queries, seq_q, seq_k, block_k| {
                let (visit, whole) = right(queries, seq_q, seq_k, block_k)?;
                Ok((visit, if whole == visit { whole } else { visit - 1 }))
            }
        ),
        wrong!(
            "one fewer whole than visited",
            "`whole` is `visit` − 1, as if always one tile needed a mask: there may be none, where the block's last key ends a tile, or several. Count it by the first query.",
            |queries, seq_q, seq_k, block_k| {
                let (visit, _) = right(queries, seq_q, seq_k, block_k)?;
                Ok((visit, visit.saturating_sub(1)))
            }
        ),
        wrong!(
            "short last tile never whole",
            "the last tile may have fewer keys than `block_k`, and rounding down says that it is not whole: for queries that see every key, it is.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last.div_ceil(block_k), first / block_k))
            }
        ),
        wrong!(
            "keys before the diagonal",
            "`whole` counts only the keys before the first query's own: it sees that one, too.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last.div_ceil(block_k), first.saturating_sub(1) / block_k))
            }
        ),
        wrong!(
            "places within the block",
            "the queries are counted from the start of their block: which keys they see depends on where they stand in the sequence.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                right(0..queries.len(), seq_q, seq_k, block_k)
            }
        ),
        wrong!(
            "usize below 0",
            "query + 1 + seq_k − seq_q is below 0 for queries that see nothing, and a usize can't be: such a query sees 0 keys.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                if queries.start + 1 + seq_k < seq_q {
                    panic!("attempt to subtract with overflow");
                }
                right(queries, seq_q, seq_k, block_k)
            }
        ),
        wrong!(
            "more keys than queries expected",
            "`seq_k - seq_q` panics where there are more queries than keys, since a usize can't be below 0: add first, subtract afterwards, and stop at 0.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let shift = match seq_k.checked_sub(seq_q) {
                    Some(shift) => shift,
                    None => panic!("attempt to subtract with overflow"),
                };
                Ok(between((queries.start + 1 + shift, queries.end + shift), seq_k, block_k))
            }
        ),
        wrong!(
            "usize wraps round",
            "query + 1 + seq_k − seq_q is below 0 for queries that see nothing, and a usize can't be: without overflow checks it wraps round to a huge number. Add first, subtract afterwards, and stop at 0.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let sees = |query: usize| (query + 1 + seq_k).wrapping_sub(seq_q);
                Ok(wrapped((sees(queries.start), sees(queries.end - 1)), seq_k, block_k))
            }
        ),
        wrong!(
            "at least one tile",
            "at least one tile is visited: where no query sees any key, there is nothing to visit.",
            |queries, seq_q, seq_k, block_k| {
                let (visit, whole) = right(queries, seq_q, seq_k, block_k)?;
                Ok((visit.max(1), whole))
            }
        ),
        wrong!(
            "all tiles visited",
            "all tiles are visited: with a mask the output is right, but half of the work is wasted. Stop where the last query stops seeing.",
            |queries, seq_q, seq_k, block_k| {
                let (_, whole) = right(queries, seq_q, seq_k, block_k)?;
                Ok((seq_k.div_ceil(block_k), whole))
            }
        ),
        wrong!(
            "how many need a mask",
            "the second number is how many tiles need a mask; it should be how many need none.",
            |queries, seq_q, seq_k, block_k| {
                let (visit, whole) = right(queries, seq_q, seq_k, block_k)?;
                Ok((visit, visit - whole))
            }
        ),
        wrong!(
            "keys instead of tiles",
            "these are numbers of keys: divide by `block_k`, `visit` rounded up, `whole` down.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, seq_q, block_k)?;
                let (first, last) = ends(&queries, seq_q, seq_k);
                Ok((last, first))
            }
        ),
        wrong!(
            "results swapped",
            "the two numbers are swapped: `visit` comes first, and is never the smaller one.",
            |queries, seq_q, seq_k, block_k| {
                let (visit, whole) = right(queries, seq_q, seq_k, block_k)?;
                Ok((whole, visit))
            }
        ),
        wrong!(
            "queries not checked",
            "queries beyond the last go through: refuse them with `bail!`.",
            |queries, seq_q, seq_k, block_k| {
                ask(&queries, queries.end, block_k)?;
                Ok(between(ends(&queries, seq_q, seq_k), seq_k, block_k))
            }
        ),
        wrong!(
            "empty range let through",
            "a range without queries goes through: it has no first query, and no last. Ask `is_empty()`.",
            |queries, seq_q, seq_k, block_k| {
                if queries.is_empty() {
                    return Ok((0, 0));
                }
                right(queries, seq_q, seq_k, block_k)
            }
        ),
        wrong!(
            "tiles of 0 keys",
            "a division by a `block_k` of 0 panics: refuse it with `bail!`.",
            |queries, seq_q, seq_k, block_k| {
                if block_k == 0 {
                    panic!("attempt to divide by zero");
                }
                right(queries, seq_q, seq_k, block_k)
            }
        ),
    ]
}

/// An error for blocks of 0 queries.
fn some(block_q: usize) -> Result<()> {
    if block_q == 0 {
        bail!("no queries in a block");
    }
    Ok(())
}

pub fn tiled_traffic() -> Vec<Wrong<Traffic>> {
    vec![
        wrong!(
            "keys and values once",
            "keys and values are counted once: every block of queries has to read all of them again, since the cache holds only one tile.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(4 * seq * d)
            }
        ),
        wrong!(
            "keys and values for each query",
            "keys and values are counted for each query: a block of queries shares one reading, and this is what tiles are for.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + seq * 2 * seq * d)
            }
        ),
        wrong!(
            "blocks rounded down",
            "the number of blocks is rounded down: a last block with fewer queries reads all keys and values as well.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + seq / block_q * 2 * seq * d)
            }
        ),
        wrong!(
            "full blocks only",
            "only the full blocks are counted, with their queries and outputs: a last block with fewer queries reads all keys and values as well.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(seq / block_q * (2 * block_q * d + 2 * seq * d))
            }
        ),
        wrong!(
            "last block counted as full",
            "the last block is counted as if it were full: it reads all keys and values, but only the queries that are left, and writes as many outputs.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(seq.div_ceil(block_q) * (2 * block_q * d + 2 * seq * d))
            }
        ),
        wrong!(
            "fractions of a block",
            "a last block that is half full is counted as half a block: it reads all keys and values, too.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + seq * 2 * seq * d / block_q)
            }
        ),
        wrong!(
            "one block too many",
            "seq / block_q + 1 is one block too many where the blocks fit: `div_ceil` rounds up.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + (seq / block_q + 1) * 2 * seq * d)
            }
        ),
        wrong!(
            "values forgotten",
            "the values are missing: each block reads all keys and all values.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + seq.div_ceil(block_q) * seq * d)
            }
        ),
        wrong!(
            "output forgotten",
            "the output is missing: it is written once, and what is written travels, too.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(seq * d + seq.div_ceil(block_q) * 2 * seq * d)
            }
        ),
        wrong!(
            "queries and output forgotten",
            "the queries and the outputs are missing: each travels once.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(seq.div_ceil(block_q) * 2 * seq * d)
            }
        ),
        wrong!(
            "everything in every block",
            "queries and outputs are counted anew for every block: a block reads and writes only its own.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(seq.div_ceil(block_q) * 4 * seq * d)
            }
        ),
        wrong!(
            "scores counted",
            "the scores are counted, written and read: in tiles they never leave the cache.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(4 * seq * d + 2 * seq * seq)
            }
        ),
        wrong!("bytes", "these are bytes of f32: count numbers instead.", |seq, d, block_q| {
            some(block_q)?;
            Ok(4 * (2 * seq * d + seq.div_ceil(block_q) * 2 * seq * d))
        }),
        wrong!(
            "d forgotten",
            "these are rows: each query, key, value and output is `d` numbers.",
            |seq, _, block_q| {
                some(block_q)?;
                Ok(2 * seq + seq.div_ceil(block_q) * 2 * seq)
            }
        ),
        wrong!(
            "block_q taken for how many blocks",
            "`block_q` is the size of a block, not how many there are.",
            |seq, d, block_q| {
                some(block_q)?;
                Ok(2 * seq * d + block_q * 2 * seq * d)
            }
        ),
        wrong!(
            "blocks of 0",
            "a division by a `block_q` of 0 panics: refuse it with `bail!`.",
            |seq, d, block_q| {
                if block_q == 0 {
                    panic!("attempt to divide by zero");
                }
                Ok(2 * seq * d + seq.div_ceil(block_q) * 2 * seq * d)
            }
        ),
    ]
}
