//! The loop nest: blocks of queries on their way through the keys.

use super::buffer::Buffer;
use super::edits::Kept;
use super::pack;
use super::plan::{Item, Plan, Results};
use super::prepare::Prepared;
use super::problem::Problem;
use super::real::Real;
use super::share::share;
use super::tile::{KEYS, LANES, Output, ROWS, Scores, State, Step, Tile};
use crate::shapes::Sizes;
use std::f64::consts::LN_2;
use std::sync::PoisonError;

/// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`; when sequences are
/// packed, `(total_q, heads_q, dim_v)` and `(total_q, heads_q)`.
pub(super) fn attend<T: Tile>(tile: T, problem: &Problem<T::Real>) -> (Vec<T::Real>, Vec<T::Real>) {
    let rows = problem.sizes.heads_q * problem.queries();
    let mut out = vec![T::Real::ZERO; rows * problem.sizes.dim_v];
    let mut lse = vec![T::Real::NEG_INFINITY; rows];
    if rows == 0 || problem.sizes.seq_k == 0 {
        return (out, lse);
    }
    let plan = Plan::new(problem);
    let mut prepared = Prepared::new(problem, &plan);
    let scratch = || Scratch::new(&problem.sizes, &plan);
    let (mut out_left, mut lse_left) = (&mut out[..], &mut lse[..]);
    for wave in &plan.waves {
        prepared.prepare(tile, problem, &plan, wave);
        let (items, results) = plan.items(problem, wave, [&mut out_left, &mut lse_left]);
        share(items.len(), plan.threads, scratch, |scratch, at| {
            scratch.attend(tile, problem, (&plan, &prepared), &items[at]);
            let results = results[items[at].results].lock();
            let mut results = results.unwrap_or_else(PoisonError::into_inner);
            tile.vectorised(
                #[inline(always)]
                || scratch.finish(problem, &items[at], &mut results),
            );
        });
    }
    (out, lse)
}

/// A thread's own memory.
struct Scratch<T> {
    /// Groups of queries `(dim, ROWS)`.
    queries: Buffer<T>,
    /// Groups of outputs `(ROWS, stride)`.
    out: Buffer<T>,
    /// One a group.
    states: Vec<State<T>>,
    scores: Scores<T>,
    /// A panel of keys, when none are packed.
    panel: Buffer<T>,
}

impl<T: Real> Scratch<T> {
    fn new(sizes: &Sizes, plan: &Plan) -> Self {
        let panel = plan.cuts.iter().any(|cut| cut.panels.is_none());
        let stride = sizes.dim_v.next_multiple_of(LANES);
        Self {
            queries: Buffer::new(plan.block * sizes.dim),
            out: Buffer::new(plan.block * stride),
            states: vec![State::new(); plan.block / ROWS],
            scores: Scores([[T::ZERO; KEYS]; ROWS]),
            panel: Buffer::new(if panel { sizes.dim * KEYS } else { 0 }),
        }
    }

    /// One block: all its groups meet the first panel of keys, then the second, and so on.
    fn attend(
        &mut self,
        tile: impl Tile<Real = T>,
        problem: &Problem<T>,
        (plan, prepared): (&Plan, &Prepared<T>),
        item: &Item,
    ) {
        let Sizes { dim, dim_v, .. } = problem.sizes;
        let (sequence, head, seq_k) = (item.sequence, item.head, problem.lens(item.sequence).1);
        let kv_head = head / problem.sizes.group();
        let (edits, spans) = (problem.edits.of(sequence, head), problem.spans(sequence));
        let (k, v) = (problem.k.head(sequence, kv_head), problem.v.head(sequence, kv_head));
        let q = problem.q.head(sequence, head);
        pack::queries(q, item.queries.clone(), (dim, problem.factor), self.queries.get_mut());
        self.out.get_mut().fill(T::ZERO);
        self.states.fill(State::new());

        let stride = dim_v.next_multiple_of(LANES);
        let skip = prepared.finite(problem, (sequence, kv_head));
        let any = |queries| if skip { spans.any(queries) } else { 0..seq_k };
        let (panels, values) = prepared.of(problem, plan, (sequence, kv_head));
        let values = values.unwrap_or(v);
        let seen = any(item.queries.clone());
        for panel in seen.start / KEYS..seen.end.div_ceil(KEYS) {
            let start = panel * KEYS;
            let numbers = match panels {
                Some(panels) => &panels[panel * dim * KEYS..][..dim * KEYS],
                None => {
                    let keys = start..(start + KEYS).min(seq_k);
                    pack::keys(tile, k, keys, dim, self.panel.get_mut());
                    self.panel.get()
                }
            };
            for (group, first) in item.queries.clone().step_by(ROWS).enumerate() {
                let queries = first..(first + ROWS).min(item.queries.end);
                let any = any(queries.clone());
                let end = (start + KEYS).min(any.end);
                let kept = match any.start < start + KEYS && start < end {
                    true => edits.kept(queries.clone(), &(start..end)),
                    false => Kept::Nothing,
                };
                if kept == Kept::Nothing && skip {
                    continue;
                }
                let step = Step {
                    rows: queries.len(),
                    keys: end - start,
                    dim,
                    queries: &self.queries.get()[group * dim * ROWS..][..dim * ROWS],
                    panel: numbers,
                    values: values.from(start),
                    dim_v,
                };
                let out = &mut self.out.get_mut()[group * ROWS * stride..][..ROWS * stride];
                let (mut out, state) = (Output { numbers: out, stride }, &mut self.states[group]);
                let all = spans.all(queries.clone());
                let plain = kept == Kept::All
                    && !problem.edits.all_tiles()
                    && step.keys.is_multiple_of(LANES)
                    && all.start <= start
                    && end <= all.end;
                let mut edit = |scores: &mut Scores<T>| {
                    tile.vectorised(
                        #[inline(always)]
                        || edits.apply(scores, queries.clone(), &(start..end), &spans),
                    )
                };
                let edit = (!plain).then_some(&mut edit as _);
                tile.weights(&step, edit, &mut self.scores, state, &mut out);
                tile.add_values(&step, &self.scores, &mut out);
            }
        }
    }

    /// Divides by the sums and writes the results, which are zeros and −∞ until then.
    #[inline(always)]
    fn finish(&self, problem: &Problem<T>, item: &Item, results: &mut Results<T>) {
        let (dim_v, beside) = (problem.sizes.dim_v, problem.heads_beside());
        let stride = dim_v.next_multiple_of(LANES);
        for row in 0..item.queries.len() {
            let state = &self.states[row / ROWS];
            let sum = state.sum[row % ROWS].iter().fold(T::ZERO, |sum, part| sum + *part);
            if sum == T::ZERO {
                continue; // nothing to see
            }
            let at = row * beside + item.head % beside; // heads that are not beside others are alone
            let from = &self.out.get()[row * stride..][..dim_v];
            let to = &mut results.out[at * dim_v..][..dim_v];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from / sum);
            let max = state.max[row % ROWS].to_f64();
            results.lse[at] = T::from_f64((max + sum.to_f64().log2()) * LN_2);
        }
    }
}
