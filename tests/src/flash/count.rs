//! What the tiles that a causal mask leaves, and the numbers that travel, must hold.

use super::{NO_KEYS, RANGE, SHORT, ZERO};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        compare::{refused, value},
        show::remember,
        why,
    },
    wrong,
};
use candle_core::Result;
use std::ops::Range;

/// `tiles_to_visit`: queries, seq_q, seq_k, block_k to how many tiles to visit, and how many of them whole.
pub type Visit = dyn Fn(Range<usize>, usize, usize, usize) -> Result<(usize, usize)>;
/// `tiled_traffic`: seq, d, block_q to a count.
pub type Traffic = dyn Fn(usize, usize, usize) -> Result<usize>;

pub(super) fn zoo() -> Vec<Proof> {
    [visit_laws().proofs(), traffic_laws().proofs()].into_iter().flatten().collect()
}

/// Checks which tiles of keys a block of queries visits under a causal mask, bottom-right.
pub fn tiles_to_visit(
    answer: impl Fn(Range<usize>, usize, usize, usize) -> Result<(usize, usize)> + 'static,
) -> Verdict {
    visit_laws().judge(&answer)
}

type Case = (Range<usize>, usize, usize, usize);

fn visit_given((queries, seq_q, seq_k, block_k): &Case) -> String {
    remember(format!("queries: {queries:?}\nseq_q: {seq_q}\nseq_k: {seq_k}\nblock_k: {block_k}"))
}

fn visits(f: &Visit, case: Case, expected: (usize, usize)) -> Outcome {
    let given = visit_given(&case);
    let got = value(&given, f(case.0, case.1, case.2, case.3))?;
    match got == expected {
        true => Ok(()),
        false => {
            let text = |(visit, whole)| format!("visit {visit}, whole {whole}");
            Err(Breach::text(&given, &text(expected), &text(got)))
        }
    }
}

/// Pair by pair of a query and a key.
fn looked_up((queries, seq_q, seq_k, block_k): &Case) -> (usize, usize) {
    let tiles: Vec<Range<usize>> =
        (0..*seq_k).step_by(*block_k).map(|start| start..(start + block_k).min(*seq_k)).collect();
    let sees = |query: usize, key: usize| key + seq_q <= query + seq_k;
    let any =
        |tile: &Range<usize>| queries.clone().any(|query| tile.clone().any(|key| sees(query, key)));
    let all =
        |tile: &Range<usize>| queries.clone().all(|query| tile.clone().all(|key| sees(query, key)));
    let visit = tiles.iter().rposition(any).map_or(0, |last| last + 1);
    (visit, tiles.iter().take_while(|tile| all(tile)).count())
}

fn visit_laws() -> Check<Visit> {
    Check::new("flash::tiles_to_visit", wrong::flash::tiles_to_visit())
        .law(
            Masks,
            "tiles of one key: query 2 sees the keys 0, 1, 2, so it visits three tiles, all whole",
            |f| visits(f, (2..3, 4, 4, 1), (3, 3)),
        )
        .law(
            Masks,
            "tiles of two: queries 0 and 1 visit the first, and need a mask, since query 0 does not see key 1",
            |f| visits(f, (0..2, 4, 4, 2), (1, 0)),
        )
        .law(
            Masks,
            "queries 2 and 3 visit both tiles; of the first they see all, the second needs a mask",
            |f| visits(f, (2..4, 4, 4, 2), (2, 1)),
        )
        .law(
            Masks,
            "a tile of which the last query sees a single key is visited",
            |f| visits(f, (1..3, 6, 6, 2), (2, 1)),
        )
        .law(
            Masks,
            "five keys in tiles of two: the last tile has one key, and for query 4, which sees all keys, it is whole",
            |f| {
                visits(f, (4..5, 5, 5, 2), (3, 3))?;
                visits(f, (3..5, 5, 5, 2), (3, 2))
            },
        )
        .law(
            Masks,
            "more keys than queries: bottom-right, so query 0 of two sees five keys of six",
            |f| {
                visits(f, (0..1, 2, 6, 2), (3, 2))?;
                visits(f, (1..2, 2, 6, 2), (3, 3))
            },
        )
        .law(
            Masks,
            "more queries than keys: of four queries, the first two see none of two keys, and visit nothing",
            |f| visits(f, (0..2, 4, 2, 2), (0, 0)),
        )
        .law(
            Masks,
            "of these four queries, the third sees the first key, and the fourth both",
            |f| {
                visits(f, (2..4, 4, 2, 2), (1, 0))?;
                visits(f, (0..4, 4, 2, 1), (2, 0))
            },
        )
        .law(Masks, "looked up pair by pair, in every case up to 6 queries, 7 keys, tiles of 8", |f| {
            for seq_q in 1..7 {
                for (seq_k, block_k) in (0..8).flat_map(|keys| (1..9).map(move |block| (keys, block))) {
                    for start in 0..seq_q {
                        for end in start + 1..seq_q + 1 {
                            let case = (start..end, seq_q, seq_k, block_k);
                            let expected = looked_up(&case);
                            visits(f, case, expected)?;
                        }
                    }
                }
            }
            Ok(())
        })
        .law(Edges(NO_KEYS), "without keys there is nothing to visit", |f| {
            visits(f, (0..2, 2, 0, 4), (0, 0))
        })
        .law(Edges(SHORT), "one tile larger than all keys", |f| {
            visits(f, (0..3, 3, 3, 8), (1, 0))?;
            visits(f, (2..3, 3, 3, 8), (1, 1))
        })
        .law(Edges(RANGE), "a range without queries: an error", |f| {
            let given = visit_given(&(2..2, 4, 4, 2));
            refused(&given, "there is no first query, and no last", f(2..2, 4, 4, 2))
        })
        .law(Edges(RANGE), "queries beyond the last: an error", |f| {
            for queries in [3..5, 4..5] {
                let given = visit_given(&(queries.clone(), 4, 4, 2));
                refused(&given, "these are no queries of four", f(queries, 4, 4, 2))?;
            }
            Ok(())
        })
        .law(Edges(ZERO), "tiles of 0 keys: an error", |f| {
            refused(&visit_given(&(0..2, 4, 4, 0)), "a tile has at least one key", f(0..2, 4, 4, 0))
        })
}

/// Checks how many numbers travel between memory and cache: seq, d and block_q → a count.
pub fn tiled_traffic(answer: impl Fn(usize, usize, usize) -> Result<usize> + 'static) -> Verdict {
    traffic_laws().judge(&answer)
}

fn traffic_laws() -> Check<Traffic> {
    let given = |seq: usize, d: usize, block_q: usize| {
        remember(format!("seq: {seq}\nd: {d}\nblock_q: {block_q}"))
    };
    let law = move |f: &Traffic, seq: usize, d: usize, block_q: usize, expected: usize| {
        let given = given(seq, d, block_q);
        let got = value(&given, f(seq, d, block_q))?;
        match got == expected {
            true => Ok(()),
            false => Err(Breach::text(&given, &expected.to_string(), &got.to_string())),
        }
    };
    Check::new("flash::tiled_traffic", wrong::flash::tiled_traffic())
        .law(
            Implementation,
            "4 tokens of one number, all in one block: q, k and v are read once, the output is written: 4 · 4",
            move |f| law(f, 4, 1, 4, 16),
        )
        .law(
            Implementation,
            "two blocks of queries: k and v are read twice, q and the output still once: 8 + 2 · 8",
            move |f| law(f, 4, 1, 2, 24),
        )
        .law(Implementation, "tokens of three numbers: three times as many", move |f| law(f, 4, 3, 2, 72))
        .law(
            Implementation,
            "5 queries in blocks of 2 are three blocks, the last with one query: 10 + 3 · 10",
            move |f| law(f, 5, 1, 2, 40),
        )
        .property(
            Implementation,
            "counted block by block, in any size",
            (1..200usize, 1..130usize, 1..70usize),
            move |f, (seq, d, block_q)| {
                let mut count = 0;
                for start in (0..seq).step_by(block_q) {
                    let rows = block_q.min(seq - start);
                    count += rows * d + seq * d + seq * d + rows * d; // q, k, v, and the output
                }
                law(f, seq, d, block_q, count)
            },
        )
        .law(Edges(SHORT), "a block larger than the sequence is one block", move |f| law(f, 3, 2, 100, 24))
        .law(Edges(why::EMPTY), "no tokens, no traffic", move |f| law(f, 0, 4, 2, 0))
        .law(Edges(ZERO), "blocks of 0 queries: an error", move |f| {
            refused(&given(4, 2, 0), "a block has at least one query", f(4, 2, 0))
        })
}
