//! What greedy decoding must hold.

use super::parts::{Cross, Step};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation},
        Outcome,
        compare::{exactly, refused, same},
        show::{self, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, bail};
use std::cell::{Cell, RefCell};

/// `greedy_decode`: the source, the encoder, the decoder, start and end, the longest length.
pub type GreedyDecode = dyn Fn(&Tensor, &Step, &Cross, [u32; 2], usize) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    decode_laws().proofs()
}

/// Checks `greedy_decode`: token by token the most probable one, until all sequences have ended.
pub fn greedy_decode(
    answer: impl Fn(&Tensor, &Step, &Cross, [u32; 2], usize) -> Result<Tensor> + 'static,
) -> Verdict {
    decode_laws().judge(&answer)
}

const VOCAB: u32 = 9;
const START: u32 = 1;
const END: u32 = 2;

/// A model that wants to write what `next` says, and notes how it is called.
struct Model<'a> {
    /// The token that follows the tokens so far (the start included) of the sequence with this source.
    next: &'a dyn Fn(&[u32], &[f32]) -> u32,
    encoded: Cell<usize>,
    targets: RefCell<Vec<Vec<Vec<u32>>>>,
}

impl<'a> Model<'a> {
    fn new(next: &'a dyn Fn(&[u32], &[f32]) -> u32) -> Self {
        Self { next, encoded: Cell::new(0), targets: RefCell::default() }
    }

    /// The memory `(batch, seq_s, 1)`: ten times the source's tokens.
    fn encode(&self, source: &Tensor) -> Result<Tensor> {
        self.encoded.set(self.encoded.get() + 1);
        source.to_dtype(DType::F32)?.unsqueeze(2)? * 10.
    }

    /// ½ for the next token, the rest for the others: log-probabilities `(batch, seq_t, vocab)`.
    fn decode(&self, target: &Tensor, memory: &Tensor) -> Result<Tensor> {
        let (batch, seq) = target.dims2()?;
        let rows = target.to_vec2::<u32>()?;
        if memory.rank() != 3 || memory.dim(0)? != batch {
            bail!("memory: expected what `encode` gave; got {:?}", memory.shape());
        }
        let mut log_probs = Vec::with_capacity(batch * seq * VOCAB as usize);
        for (at, row) in rows.iter().enumerate() {
            let memory = memory.get(at)?.flatten_all()?.to_vec1::<f32>()?;
            for written in 1..=seq {
                let next = (self.next)(&row[..written], &memory);
                let others = 0.5 / (VOCAB - 1) as f32;
                log_probs.extend(
                    (0..VOCAB).map(|token| if token == next { 0.5f32 } else { others }.ln()),
                );
            }
        }
        self.targets.borrow_mut().push(rows);
        Tensor::from_vec(log_probs, (batch, seq, VOCAB as usize), target.device())
    }

    fn run(
        &self,
        f: &GreedyDecode,
        source: &Tensor,
        marks: [u32; 2],
        max_len: usize,
    ) -> Result<Tensor> {
        f(
            source,
            &|source| self.encode(source),
            &|target, memory| self.decode(target, memory),
            marks,
            max_len,
        )
    }
}

/// Sources 0, 1, 2, …: one token per sequence, so that the memory tells which sequence it is.
fn sources(batch: usize) -> Result<Tensor> {
    Tensor::arange(0u32, batch as u32, &Device::Cpu)?.reshape((batch, 1))
}

/// The sequence that a memory belongs to.
fn sequence(memory: &[f32]) -> usize {
    (memory[0] / 10.) as usize
}

fn given(wanted: &str, [start, end]: [u32; 2], max_len: usize) -> String {
    remember(format!(
        "start: {start}, end: {end}, max_len: {max_len}\nthe decoder wants to write: {wanted}"
    ))
}

/// A case: what each sequence wants to write, whatever came before; what must come.
struct Script<'a> {
    wanted: &'a [&'a [u32]],
    max_len: usize,
    expected: &'a [&'a [u32]],
}

impl Script<'_> {
    fn given(&self) -> String {
        let rows: Vec<String> = self.wanted.iter().map(|row| format!("{row:?}")).collect();
        given(&rows.join(" and "), [START, END], self.max_len)
    }

    fn holds(&self, f: &GreedyDecode) -> Outcome {
        self.watched(f, |_, _| Ok(()))
    }

    /// The result, and then what the model has noted.
    fn watched(&self, f: &GreedyDecode, noted: impl Fn(&str, &Model) -> Outcome) -> Outcome {
        let given = self.given();
        let next = |written: &[u32], memory: &[f32]| {
            // Past its script a sequence writes 8.
            self.wanted[sequence(memory)].get(written.len() - 1).copied().unwrap_or(8)
        };
        let model = Model::new(&next);
        let got = model.run(f, &sources(self.wanted.len())?, [START, END], self.max_len);
        let shape = (self.expected.len(), self.expected[0].len());
        let expected = Tensor::from_vec(self.expected.concat(), shape, &Device::Cpu)?;
        same(&given, got, &expected, exactly())?;
        noted(&given, &model)
    }
}

fn decode_laws() -> Check<GreedyDecode> {
    edges(values(Check::new("transformer::greedy_decode", wrong::transformer::greedy_decode())))
}

fn values(check: Check<GreedyDecode>) -> Check<GreedyDecode> {
    check
        .law(
            Implementation,
            "the most probable token after each token, up to the end, which is written; the start is not returned",
            |f| Script { wanted: &[&[5, 6, END]], max_len: 9, expected: &[&[5, 6, END]] }.holds(f),
        )
        .law(
            Implementation,
            "the decoder gets the start and all tokens written so far, each time",
            |f| {
                let script = Script { wanted: &[&[5, 6, END]], max_len: 9, expected: &[&[5, 6, END]] };
                script.watched(f, |given, model| {
                    let (got, expected) = (model.targets.borrow(), "[[[1]], [[1, 5]], [[1, 5, 6]]]");
                    if format!("{got:?}") == expected {
                        return Ok(());
                    }
                    let about = format!("{given}\nlooked at: the targets that the decoder gets");
                    Err(Breach::text(&about, expected, &format!("{got:?}")))
                })
            },
        )
        .law(Implementation, "the encoder runs once, not for every token, nor for every sequence", |f| {
            let script = Script {
                wanted: &[&[5, 6, END], &[7, 8, END]],
                max_len: 9,
                expected: &[&[5, 6, END], &[7, 8, END]],
            };
            script.watched(f, |given, model| match model.encoded.get() {
                1 => Ok(()),
                runs => Err(Breach::text(given, "1 run of the encoder", &format!("{runs} runs"))),
            })
        })
        .law(Implementation, "a sequence that has ended stays ended, while others go on", |f| {
            Script {
                wanted: &[&[5, END, 7, 7], &[6, 6, 6, END]],
                max_len: 9,
                expected: &[&[5, END, END, END], &[6, 6, 6, END]],
            }
            .holds(f)
        })
        .law(Implementation, "it stops when the last sequence ends, not before and not later", |f| {
            Script {
                wanted: &[&[END, 7], &[6, END]],
                max_len: 9,
                expected: &[&[END, END], &[6, END]],
            }
            .watched(f, |given, model| match model.targets.borrow().len() {
                2 => Ok(()),
                runs => Err(Breach::text(given, "2 runs of the decoder", &format!("{runs} runs"))),
            })
        })
        .law(Implementation, "without an end it stops after max_len tokens", |f| {
            Script { wanted: &[&[5, 6, 7, 5]], max_len: 3, expected: &[&[5, 6, 7]] }.holds(f)
        })
        .property(
            Implementation,
            "whatever the decoder makes of the tokens so far and the memory, for any batch and length",
            (1..4usize, 0..7usize, 0..1000u32),
            |f, (batch, max_len, seed)| {
                // A number that depends on all tokens so far and on the sequence.
                let next = |written: &[u32], memory: &[f32]| {
                    let mix = |hash: u32, token: &u32| hash.wrapping_mul(31).wrapping_add(*token);
                    let hash = written.iter().fold(seed + sequence(memory) as u32, mix);
                    hash.wrapping_mul(0x9e37_79b1) >> 16
                };
                let next = |written: &[u32], memory: &[f32]| END + next(written, memory) % (VOCAB - END);
                let mut expected = vec![vec![START]; batch];
                for _ in 0..max_len {
                    for (at, row) in expected.iter_mut().enumerate() {
                        let ended = row.len() > 1 && row.ends_with(&[END]);
                        row.push(if ended { END } else { next(row, &[10. * at as f32]) });
                    }
                    if expected.iter().all(|row| row.ends_with(&[END])) {
                        break;
                    }
                }
                let written: Vec<u32> = expected.iter().flat_map(|row| row[1..].to_vec()).collect();
                let expected = Tensor::from_vec(written, (batch, expected[0].len() - 1), &Device::Cpu)?;
                let given = given(&format!("{}\n(one row per sequence)", show::tensor(&expected)), [START, END], max_len);
                let got = Model::new(&next).run(f, &sources(batch)?, [START, END], max_len);
                same(&given, got, &expected, exactly())
            },
        )
}

fn edges(check: Check<GreedyDecode>) -> Check<GreedyDecode> {
    check
        .law(Edges(why::EMPTY), "max_len 0 writes nothing: (batch, 0)", |f| {
            Script { wanted: &[&[5], &[6]], max_len: 0, expected: &[&[], &[]] }.holds(f)
        })
        .law(Edges("some models have one token for both, the end of a text being the start of the next."), "a start that is also the end does not end a sequence", |f| {
            let next = |written: &[u32], _: &[f32]| [5, 6, 2][(written.len() - 1).min(2)];
            let given = given("[5, 6, 2]", [2, 2], 9);
            let expected = Tensor::new(&[[5u32, 6, 2]], &Device::Cpu)?;
            same(&given, Model::new(&next).run(f, &sources(1)?, [2, 2], 9), &expected, exactly())
        })
        .law(Edges("a model may write any token; only `end` is a promise that nothing follows."), "a start among the written tokens ends nothing", |f| {
            Script { wanted: &[&[5, START, 6, END]], max_len: 9, expected: &[&[5, START, 6, END]] }
                .holds(f)
        })
        .law(
            Edges(why::COUNT),
            "256 sequences that end at once are counted: a u8 ends at 255",
            |f| {
                let wanted = [[5, END].as_slice(); 256];
                Script { wanted: &wanted, max_len: 4, expected: &wanted }.holds(f)
            },
        )
        .law(Edges(why::EMPTY), "an empty batch gives an empty result, (0, 0)", |f| {
            let given = given("nothing: a batch of 0", [START, END], 3);
            let expected = Tensor::zeros((0, 0), DType::U32, &Device::Cpu)?;
            let model = Model::new(&|_, _| 5);
            // candle panics when an empty view that begins behind its storage is read; its shape and type say all.
            let answer = model.run(f, &sources(0)?, [START, END], 3).and_then(|got| match got.elem_count() {
                0 => Tensor::zeros(got.shape(), got.dtype(), got.device()),
                _ => Ok(got),
            });
            same(&given, answer, &expected, exactly())?;
            match model.targets.borrow().len() {
                0 => Ok(()),
                runs => Err(Breach::text(&given, "no run of the decoder", &format!("{runs}"))),
            }
        })
        .law(Edges(why::PASSED_ON), "an error of the encoder or the decoder is passed on", |f| {
            let given = given("nothing: it fails", [START, END], 3);
            let model = Model::new(&|_, _| 5);
            let (source, why) = (sources(1)?, "the error is passed on");
            let decode = |target: &Tensor, memory: &Tensor| model.decode(target, memory);
            let broken_encoder = f(&source, &|_| bail!("no memory"), &decode, [START, END], 3);
            refused(&given, why, broken_encoder)?;
            let encode = |source: &Tensor| model.encode(source);
            refused(&given, why, f(&source, &encode, &|_, _| bail!("no tokens"), [START, END], 3))
        })
}
