//! Attentions of any shape with any options at once, drawn by proptest.

use candle_core::{DType, Result, Tensor};
use flash::{Causal, SdpaOptions};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRng, TestRunner};

/// An attention.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub dtype: DType,
    /// batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v
    pub sizes: [usize; 7],
    /// Of q, k and v.
    layouts: [Layout; 3],
    pub mask: Option<Drawn>,
    pub causal: Option<Causal>,
    pub scale: Option<f64>,
    pub softcap: Option<f64>,
    pub window: Option<(Option<usize>, Option<usize>)>,
}

/// How a tensor lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Plain,
    /// Heads and rows the other way round.
    HeadsInside,
    /// Rows and columns the other way round.
    ColumnsOutside,
    /// Somewhere in a tensor that is larger in each dimension.
    Part,
    /// One batch for all.
    OneBatch,
    /// One head for all.
    OneHead,
    /// One row for all.
    OneRow,
}

const LAYOUTS: [Layout; 7] = [
    Layout::Plain,
    Layout::HeadsInside,
    Layout::ColumnsOutside,
    Layout::Part,
    Layout::OneBatch,
    Layout::OneHead,
    Layout::OneRow,
];

/// A mask.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// A keep-mask; otherwise a bias, of this type.
    pub keep: bool,
    pub dtype: DType,
    /// Which of its dimensions are 1, and how many of the first it lacks.
    ones: [bool; 4],
    lacks: usize,
    /// Drawn for so many keys at once: whole tiles are then hidden.
    run: usize,
    layout: Layout,
}

impl Layout {
    /// The same numbers, but for the last three: one of the numbers in place of all.
    fn lay(self, x: &Tensor) -> Result<Tensor> {
        let one = |dim| x.narrow(dim, 0, x.dim(dim)?.min(1))?.broadcast_as(x.shape());
        match self {
            Self::Plain => Ok(x.clone()),
            Self::HeadsInside => x.transpose(1, 2)?.contiguous()?.transpose(1, 2),
            Self::ColumnsOutside => x.transpose(2, 3)?.contiguous()?.transpose(2, 3),
            Self::Part => (0..4).try_fold(x.clone(), |x, dim| {
                let size = x.dim(dim)?;
                Tensor::cat(&[&x, &x], dim)?.narrow(dim, size, size)
            }),
            Self::OneBatch => one(0),
            Self::OneHead => one(1),
            Self::OneRow => one(2),
        }
    }
}

impl Drawn {
    /// A number for each query and key.
    pub const BIAS: Self = Self {
        keep: false,
        dtype: DType::F32,
        ones: [false; 4],
        lacks: 0,
        run: 1,
        layout: Layout::Plain,
    };

    /// `seed` and the sizes of the scores.
    fn tensor(&self, seed: u64, scores: [usize; 4]) -> Result<Tensor> {
        let mut shape = scores;
        for (at, size) in shape.iter_mut().enumerate() {
            *size = if self.ones[at] || at < self.lacks { 1 } else { *size };
        }
        let [batch, heads, rows, keys] = shape;
        let runs = keys.div_ceil(self.run);
        let x = seeded::normal(seed, (batch, heads, rows, runs, 1))?;
        let x = x.broadcast_as((batch, heads, rows, runs, self.run))?.contiguous()?;
        let x = x.reshape((batch, heads, rows, runs * self.run))?.narrow(3, 0, keys)?;
        let x = match self.keep {
            true => (x.lt(0.3)? * 255.)?, // any number but 0 keeps
            false => {
                let hidden = (x.ones_like()? * f64::NEG_INFINITY)?;
                x.gt(1.)?.where_cond(&hidden, &x)?.to_dtype(self.dtype)?
            }
        };
        let x = if x.elem_count() == 0 { x } else { self.layout.lay(&x)? };
        (0..self.lacks).try_fold(x, |x, _| x.squeeze(0))
    }
}

impl Case {
    /// q, k and v.
    pub fn inputs(&self) -> Result<[Tensor; 3]> {
        let [q, k, v] = crate::options::inputs(self.seed, self.sizes, self.dtype)?;
        let lay =
            |x: Tensor, layout: Layout| if x.elem_count() == 0 { Ok(x) } else { layout.lay(&x) };
        let [a, b, c] = self.layouts;
        Ok([lay(q, a)?, lay(k, b)?, lay(v, c)?])
    }

    pub fn scores(&self) -> [usize; 4] {
        [self.sizes[0], self.sizes[1], self.sizes[3], self.sizes[4]]
    }

    /// The options but for the mask.
    pub fn unmasked(&self) -> SdpaOptions {
        let mut options = SdpaOptions::default();
        options.causal = self.causal;
        options.scale = self.scale;
        options.softcap = self.softcap;
        options.window = self.window;
        options
    }

    pub fn mask(&self) -> Result<Option<Tensor>> {
        self.mask.map(|mask| mask.tensor(self.seed, self.scores())).transpose()
    }

    pub fn options(&self) -> Result<SdpaOptions> {
        let options = self.unmasked();
        Ok(match (self.mask()?, self.mask) {
            (Some(mask), Some(Drawn { keep: true, .. })) => options.keep(mask),
            (Some(mask), _) => options.bias(mask),
            (None, _) => options,
        })
    }
}

/// Any attention.
pub fn attentions() -> impl Strategy<Value = Case> {
    let dtype = select(vec![DType::F32, DType::F32, DType::F64, DType::F16, DType::BF16]);
    let layouts = [layout(), layout(), layout()];
    let causal =
        prop_oneof![Just(None), Just(Some(Causal::TopLeft)), Just(Some(Causal::BottomRight))];
    let scale = proptest::option::of(-1.0..1.5);
    let softcap = proptest::option::of(0.5..40.);
    let reach = || proptest::option::of(prop_oneof![0..20usize, 0..250usize]);
    let window = proptest::option::of((reach(), reach()));
    (
        0..1000u64,
        dtype,
        sizes(),
        layouts,
        proptest::option::of(mask()),
        causal,
        scale,
        softcap,
        window,
    )
        .prop_map(|(seed, dtype, sizes, layouts, mask, causal, scale, softcap, window)| Case {
            seed,
            dtype,
            sizes,
            layouts,
            mask,
            causal,
            scale,
            softcap,
            window,
        })
}

fn sizes() -> impl Strategy<Value = [usize; 7]> {
    // Zero now and then.
    let size = |to: usize| prop_oneof![1 => Just(0), 30 => 1..=to];
    let length =
        || prop_oneof![1 => Just(0), 15 => 1..=20usize, 15 => 1..=150usize, 2 => 190..=260usize];
    (size(2), size(2), 1..=3usize, length(), length(), size(48), size(80)).prop_map(
        |(batch, heads_kv, group, seq_q, seq_k, dim, dim_v)| {
            [batch, group * heads_kv, heads_kv, seq_q, seq_k, dim, dim_v]
        },
    )
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::Plain), select(LAYOUTS.to_vec())]
}

fn mask() -> impl Strategy<Value = Drawn> {
    let dtype = select(vec![DType::F32, DType::F64, DType::F16, DType::BF16]);
    let ones = proptest::array::uniform4(any::<bool>());
    let run = select(vec![1, 1, 7, 70]);
    (any::<bool>(), dtype, ones, prop_oneof![Just(0), 0..=4usize], run, layout()).prop_map(
        |(keep, dtype, ones, lacks, run, layout)| Drawn { keep, dtype, ones, lacks, run, layout },
    )
}

/// Panics with the smallest case for which `holds` panics or errors. The cases are the same in every run.
pub fn for_all<S: Strategy>(cases: u32, strategy: S, holds: impl Fn(S::Value) -> Result<()>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let holds = |case| holds(case).map_err(|error| TestCaseError::fail(error.to_string()));
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&strategy, holds) {
        panic!("{error}");
    }
}
