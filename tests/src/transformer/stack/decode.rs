//! What the decoder must hold.

use super::parts::{Calls, broken, embed, mean_of_seen, tokens};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Masks},
        Outcome,
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show, why,
    },
    transformer::parts::Step,
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// A layer of the decoder: the target's vectors, the memory, the causal mask, the mask of the source's padding.
pub type DecoderStep<'a> = dyn Fn(&Tensor, &Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a;

/// `decode`: target and source, the memory, the embedding, the layers, the last norm, the generator.
pub type Decode =
    dyn Fn([&Tensor; 2], &Tensor, &Step, &[&DecoderStep], Option<&Step>, &Step) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    decode_laws().proofs()
}

/// Checks `decode`: embedding, every layer with the memory and both masks, the last norm, log-probabilities.
pub fn decode(
    answer: impl Fn(
        [&Tensor; 2],
        &Tensor,
        &Step,
        &[&DecoderStep],
        Option<&Step>,
        &Step,
    ) -> Result<Tensor>
    + 'static,
) -> Verdict {
    decode_laws().judge(&answer)
}

/// Target, source and memory of a case, with what the parts do.
struct Case<'a> {
    target: Tensor,
    source: Tensor,
    memory: Tensor,
    layers: &'a [(&'a str, &'a DecoderStep<'a>)],
    last_norm: Option<(&'a str, &'a Step<'a>)>,
}

impl<'a> Case<'a> {
    /// One target of one token and a source of two.
    fn small(layers: &'a [(&'a str, &'a DecoderStep<'a>)]) -> Result<Self> {
        Ok(Self {
            target: tokens(&[[1]])?,
            source: tokens(&[[3, 5]])?,
            memory: vectors(&[&[1., 2.]])?,
            layers,
            last_norm: None,
        })
    }

    fn given(&self) -> String {
        let mut text = format!(
            "target: {}\nsource: {}\nmemory: {}\nembed: a token's vector is its number",
            show::tensor(&self.target),
            show::tensor(&self.source),
            show::tensor(&self.memory)
        );
        for (at, (layer, _)) in self.layers.iter().enumerate() {
            text += &format!("\nlayers[{at}]: {layer}");
        }
        let norm = self.last_norm.map_or("none", |(name, _)| name);
        show::remember(text + &format!("\nlast_norm: {norm}\ngenerator: the logits y and 0"))
    }

    fn run(&self, f: &Decode) -> Result<Tensor> {
        let layers: Vec<&DecoderStep> = self.layers.iter().map(|(_, layer)| *layer).collect();
        let norm = self.last_norm.map(|(_, norm)| norm);
        f([&self.target, &self.source], &self.memory, &embed, &layers, norm, &generator)
    }

    /// The law that the generator gets `y`.
    fn gets(&self, f: &Decode, y: &[&[f32]]) -> Outcome {
        // An exponential, a sum and a logarithm, of numbers from a few sums and means.
        same(&self.given(), self.run(f), &log_probs(&vectors(y)?)?, rounding(16))
    }
}

fn vectors(rows: &[&[f32]]) -> Result<Tensor> {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len(), 1), &Device::Cpu)
}

/// The logits y and 0: `(batch, seq, 1)` → `(batch, seq, 2)`.
fn generator(y: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[y, &y.zeros_like()?], 2)
}

/// Their log-probabilities, from the definition: y − ln(e^y + 1) and −ln(e^y + 1).
fn log_probs(y: &Tensor) -> Result<Tensor> {
    let numbers = y.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let pairs = numbers.iter().flat_map(|y| {
        let total = y.exp().ln_1p();
        [(y - total) as f32, -total as f32]
    });
    let (batch, seq, _) = y.dims3()?;
    Tensor::from_vec(pairs.collect(), (batch, seq, 2), &Device::Cpu)
}

fn double(y: &Tensor, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Tensor> {
    y * 2.
}

fn minus_one(y: &Tensor, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Tensor> {
    y - 1.
}

/// Takes the mean of the target's tokens that the causal mask keeps.
fn look_back(y: &Tensor, _: &Tensor, causal: &Tensor, _: &Tensor) -> Result<Tensor> {
    mean_of_seen(y, causal, y.dim(1)?)
}

/// Adds the mean of the memory that the mask of the padding keeps.
fn look_across(y: &Tensor, memory: &Tensor, _: &Tensor, real: &Tensor) -> Result<Tensor> {
    y + mean_of_seen(memory, real, y.dim(1)?)?
}

const DOUBLE: (&str, &DecoderStep<'static>) = ("2·y", &double);
const MINUS_ONE: (&str, &DecoderStep<'static>) = ("y − 1", &minus_one);
const LOOK_BACK: (&str, &DecoderStep<'static>) =
    ("the mean of the target's tokens that the causal mask keeps", &look_back);
const LOOK_ACROSS: (&str, &DecoderStep<'static>) =
    ("y + the mean of the memory that the mask of the padding keeps", &look_across);

fn decode_laws() -> Check<Decode> {
    let check = Check::new("transformer::decode", wrong::transformer::decode());
    edges(gradients(masks(stacking(check))))
}

fn stacking(check: Check<Decode>) -> Check<Decode> {
    check
        .law(
            Implementation,
            "the vectors go through the first layer, then through the second, then to the generator; its logits become log-probabilities",
            |f| Case::small(&[DOUBLE, MINUS_ONE])?.gets(f, &[&[1.]]), // 2 · 1 − 1
        )
        .law(Implementation, "log-probabilities are taken over the vocabulary, token by token", |f| {
            let case = Case { target: tokens(&[[1, 2, 3]])?, ..Case::small(&[MINUS_ONE])? };
            case.gets(f, &[&[0., 1., 2.]])
        })
        .law(
            Implementation,
            "the last norm, when there is one, comes once, between the last layer and the generator",
            |f| {
                let norm = |y: &Tensor| y * 3.;
                let case = Case { last_norm: Some(("3·y", &norm)), ..Case::small(&[DOUBLE, MINUS_ONE])? };
                case.gets(f, &[&[3.]])
            },
        )
        .law(Implementation, "each part runs once, from the embedding to the generator", |f| {
            let calls = &Calls::default();
            let noted = |name: &'static str| {
                move |y: &Tensor, _: &Tensor, _: &Tensor, _: &Tensor| {
                    calls.note(name);
                    Ok(y.clone())
                }
            };
            let (one, two, three) = (noted("layers[0]"), noted("layers[1]"), noted("layers[2]"));
            let step = |name: &'static str, of: fn(&Tensor) -> Result<Tensor>| {
                move |y: &Tensor| {
                    calls.note(name);
                    of(y)
                }
            };
            let norm = step("last_norm", |y| Ok(y.clone()));
            let layers = [("y", &one as &DecoderStep), ("y", &two), ("y", &three)];
            let case = Case { last_norm: Some(("y", &norm)), ..Case::small(&layers)? };
            let given = case.given();
            let answer = f(
                [&case.target, &case.source],
                &case.memory,
                &step("embed", embed),
                &[&one, &two, &three],
                Some(&norm),
                &step("generator", generator),
            );
            value(&given, answer)?;
            let order = ["embed", "layers[0]", "layers[1]", "layers[2]", "last_norm", "generator"];
            calls.are(&given, &order)
        })
}

fn masks(check: Check<Decode>) -> Check<Decode> {
    check
        .law(
            Masks,
            "a token of the target sees itself and the tokens before it, none after it",
            |f| {
                let case = Case { target: tokens(&[[1, 2, 6]])?, ..Case::small(&[LOOK_BACK])? };
                case.gets(f, &[&[1., 1.5, 3.]]) // 1; the mean of 1 and 2; that of 1, 2 and 6
            },
        )
        .law(
            Masks,
            "the memory is seen where the source has tokens, not where it has padding (0)",
            |f| {
                let case = Case {
                    target: tokens(&[[1, 2]])?,
                    source: tokens(&[[3, 5, 0]])?,
                    memory: vectors(&[&[1., 2., 9.]])?,
                    ..Case::small(&[LOOK_ACROSS])?
                };
                case.gets(f, &[&[2.5, 3.5]]) // the mean of 1 and 2 is 1.5
            },
        )
        .law(Masks, "each sequence has its own mask of the padding", |f| {
            let case = Case {
                target: tokens(&[[1], [2]])?,
                source: tokens(&[[3, 5], [4, 0]])?,
                memory: vectors(&[&[1., 2.], &[3., 9.]])?,
                ..Case::small(&[LOOK_ACROSS])?
            };
            case.gets(f, &[&[2.5], &[5.]])
        })
        .law(Masks, "every layer gets the memory and both masks", |f| {
            let case = Case {
                target: tokens(&[[1, 2]])?,
                source: tokens(&[[3, 5, 0]])?,
                memory: vectors(&[&[1., 2., 9.]])?,
                ..Case::small(&[LOOK_ACROSS, LOOK_BACK, LOOK_ACROSS])?
            };
            case.gets(f, &[&[4., 4.5]]) // 2.5, 3.5; 2.5, 3; 4, 4.5
        })
        .property(
            Masks,
            "any batch, any lengths, any padding of the source",
            (1..3usize, 1..5usize, 1..5usize, 0..1000u64),
            |f, (batch, seq_t, seq_s, seed)| {
                let draw = |seed: u64, seq: usize| -> Result<Tensor> {
                    (seeded::uniform(seed, (batch, seq))? * 4.)?.to_dtype(DType::U32)
                };
                let case = Case {
                    target: draw(seed, seq_t)?,
                    source: draw(seed + 1, seq_s)?,
                    memory: seeded::normal(seed + 2, (batch, seq_s, 1))?,
                    layers: &[LOOK_BACK, LOOK_ACROSS],
                    last_norm: None,
                };
                let y = embed(&case.target)?;
                let before = Tensor::tril2(seq_t, DType::U8, &Device::Cpu)?;
                let y = mean_of_seen(&y, &before, seq_t)?;
                let real = case.source.ne(0u32)?.unsqueeze(1)?.unsqueeze(1)?;
                let y = (&y + mean_of_seen(&case.memory, &real, seq_t)?)?;
                same(&case.given(), case.run(f), &log_probs(&y)?, rounding(32))
            },
        )
}

fn gradients(check: Check<Decode>) -> Check<Decode> {
    check.law(Gradients, "the gradient finds its way to the embedding and to the memory", |f| {
        let (target, source) = (tokens(&[[1, 2]])?, tokens(&[[2, 1, 0]])?);
        let (table, memory) = (seeded::normal(1, (3, 1))?, seeded::normal(2, (1, 3, 1))?);
        gradients_agree(&[("the table of the embedding", &table), ("memory", &memory)], |inputs| {
            let embed =
                |tokens: &Tensor| inputs[0].index_select(&tokens.flatten_all()?, 0)?.unsqueeze(0);
            let norm = |y: &Tensor| y.tanh();
            let layers: [&DecoderStep; 2] = [&look_back, &look_across];
            f([&target, &source], &inputs[1], &embed, &layers, Some(&norm), &generator)
        })
    })
}

fn edges(check: Check<Decode>) -> Check<Decode> {
    check
        .law(Edges(why::EMPTY), "no layers: embedding, last norm and generator alone", |f| {
            let norm = |y: &Tensor| y * 3.;
            Case::small(&[])?.gets(f, &[&[1.]])?;
            Case { last_norm: Some(("3·y", &norm)), ..Case::small(&[])? }.gets(f, &[&[3.]])
        })
        .law(
            Edges("a logit of 1000 is large and nothing more; its exponential is infinite, and a logarithm taken afterwards gives inf or NaN."),
            "logits of 1000 give finite log-probabilities",
            |f| {
                let case = Case { target: tokens(&[[1000]])?, ..Case::small(&[])? };
                // 0 and −1000
                let expected = Tensor::new(&[[[0f32, -1000.]]], &Device::Cpu)?;
                same(&case.given(), case.run(f), &expected, rounding(16))
            },
        )
        .law(Edges(why::PASSED_ON), "the error of a part is passed on", |f| {
            let case = Case::small(&[DOUBLE])?;
            let (tokens, why) = ([&case.target, &case.source], "the error of a part is passed on");
            let failing = |y: &Tensor, _: &Tensor, _: &Tensor, _: &Tensor| broken(y);
            let about = |name: &str| format!("{}\n{name}: fails", case.given());
            let layers: [&DecoderStep; 1] = [&double];
            let memory = &case.memory;
            let answer = f(tokens, memory, &broken, &layers, None, &generator);
            refused(&about("embed"), why, answer)?;
            let answer = f(tokens, memory, &embed, &[&failing], None, &generator);
            refused(&about("layers[0]"), why, answer)?;
            let answer = f(tokens, memory, &embed, &layers, Some(&broken), &generator);
            refused(&about("last_norm"), why, answer)?;
            refused(&about("generator"), why, f(tokens, memory, &embed, &layers, None, &broken))
        })
}
