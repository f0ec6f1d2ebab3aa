//! A block of queries on its way through the keys.

use super::prepare::Prepared;
use super::softmax::{Output, State, Step};
use crate::kernel::data::buffer::Buffer;
use crate::kernel::data::real::Real;
use crate::kernel::instructions::lanes::Lanes;
use crate::kernel::tile::edits::Kept;
use crate::kernel::tile::pack;
use crate::kernel::tile::product::{Left, Sum};
use crate::kernel::tile::shape::{KEYS, ROWS, Scores, WIDEST};
use crate::kernel::work::plan::{Item, Plan, Results};
use crate::kernel::work::problem::Problem;
use crate::shapes::Sizes;
use std::f64::consts::LN_2;

/// A thread's own memory.
pub(super) struct Scratch<T> {
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
    pub(super) fn new(sizes: &Sizes, plan: &Plan) -> Self {
        let panel = plan.cuts.iter().any(|cut| cut.panels.is_none());
        let stride = sizes.dim_v.next_multiple_of(WIDEST);
        Self {
            queries: Buffer::new(plan.block * sizes.dim),
            out: Buffer::new(plan.block * stride),
            states: vec![State::new(); plan.block / ROWS],
            scores: Scores::new(),
            panel: Buffer::new(if panel { sizes.dim * KEYS } else { 0 }),
        }
    }

    /// One block: all its groups meet the first panel of keys, then the second, and so on.
    pub(super) fn attend(
        &mut self,
        lanes: impl Lanes<Number = T>,
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

        let stride = dim_v.next_multiple_of(WIDEST);
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
                    pack::keys(lanes, k, keys, dim, self.panel.get_mut());
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
                };
                let out = &mut self.out.get_mut()[group * ROWS * stride..][..ROWS * stride];
                let (mut out, state) = (Output { numbers: out, stride }, &mut self.states[group]);
                let all = spans.all(queries.clone());
                let plain = kept == Kept::All
                    && !problem.edits.all_tiles()
                    && step.keys.is_multiple_of(WIDEST)
                    && all.start <= start
                    && end <= all.end;
                let mut edit = |scores: &mut Scores<T>| {
                    lanes.vectorised(
                        #[inline(always)]
                        || edits.apply(scores, queries.clone(), &(start..end), &spans),
                    )
                };
                let edit = (!plain).then_some(&mut edit as _);
                step.weights(lanes, edit, &mut self.scores, (state, &mut out));
                let sum = &mut Sum {
                    left: Left::weights(std::slice::from_ref(&self.scores)),
                    rows: step.rows,
                    inner: step.keys,
                    right: values.from(start),
                    columns: dim_v,
                    out: out.numbers,
                    out_row: stride,
                };
                sum.add(lanes); // weights · V
            }
        }
    }

    /// Divides by the sums and writes the results, which are zeros and −∞ until then.
    #[inline(always)]
    pub(super) fn finish(&self, problem: &Problem<T>, item: &Item, results: &mut Results<T>) {
        let (dim_v, beside) = (problem.sizes.dim_v, problem.heads_beside());
        let stride = dim_v.next_multiple_of(WIDEST);
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
