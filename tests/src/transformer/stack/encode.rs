//! What the encoder must hold.

use super::parts::{Calls, broken, embed, mean_of_seen, tokens};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Masks},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show, why,
    },
    transformer::parts::{Cross, Step},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `encode`: the source, its embedding, the layers, the last norm.
pub type Encode = dyn Fn(&Tensor, &Step, &[&Cross], Option<&Step>) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    encode_laws().proofs()
}

/// Checks `encode`: embedding, every layer with the mask of the padding, the last norm.
pub fn encode(
    answer: impl Fn(&Tensor, &Step, &[&Cross], Option<&Step>) -> Result<Tensor> + 'static,
) -> Verdict {
    encode_laws().judge(&answer)
}

/// The source, and what the parts do.
fn given(source: &Tensor, layers: &[&str], last_norm: Option<&str>) -> String {
    let mut text =
        format!("source: {}\nembed: a token's vector is its number", show::tensor(source));
    for (at, layer) in layers.iter().enumerate() {
        text += &format!("\nlayers[{at}]: {layer}");
    }
    show::remember(text + &format!("\nlast_norm: {}", last_norm.unwrap_or("none")))
}

/// Doubles.
fn double(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    x * 2.
}

/// Adds 1.
fn plus_one(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    x + 1.
}

/// Adds the mean of the tokens that the mask keeps.
fn mix(x: &Tensor, keep: &Tensor) -> Result<Tensor> {
    x + mean_of_seen(x, keep, x.dim(1)?)?
}

const MIX: &str = "x + the mean of the tokens that its mask keeps";

fn vectors(rows: &[&[f32]]) -> Result<Tensor> {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len(), 1), &Device::Cpu)
}

fn encode_laws() -> Check<Encode> {
    let check = Check::new("transformer::encode", wrong::transformer::encode());
    edges(gradients(masks(stacking(check))))
}

fn stacking(check: Check<Encode>) -> Check<Encode> {
    check
        .law(
            Implementation,
            "the vectors go through the first layer, and what it gives through the second",
            |f| {
                let source = tokens(&[[3, 5]])?;
                let given = given(&source, &["2·x", "x + 1"], None);
                // 2 · 3 + 1, 2 · 5 + 1
                same(
                    &given,
                    f(&source, &embed, &[&double, &plus_one], None),
                    &vectors(&[&[7., 11.]])?,
                    rounding(4),
                )
            },
        )
        .law(
            Implementation,
            "the last norm, when there is one, comes once, after the last layer",
            |f| {
                let source = tokens(&[[3, 5]])?;
                let given = given(&source, &["2·x", "x + 1"], Some("10·x"));
                let norm = |x: &Tensor| x * 10.;
                let answer = f(&source, &embed, &[&double, &plus_one], Some(&norm));
                same(&given, answer, &vectors(&[&[70., 110.]])?, rounding(4))
            },
        )
        .law(Implementation, "each part runs once, from the embedding to the last norm", |f| {
            let (source, calls) = (tokens(&[[3, 5]])?, Calls::default());
            let noted = |name: &'static str| {
                let calls = &calls;
                move |x: &Tensor, _: &Tensor| {
                    calls.note(name);
                    Ok(x.clone())
                }
            };
            let layers = [noted("layers[0]"), noted("layers[1]"), noted("layers[2]")];
            let layers: Vec<&Cross> = layers.iter().map(|layer| layer as &Cross).collect();
            let embed = |source: &Tensor| {
                calls.note("embed");
                embed(source)
            };
            let norm = |x: &Tensor| {
                calls.note("last_norm");
                Ok(x.clone())
            };
            let given = given(&source, &["x", "x", "x"], Some("x"));
            value(&given, f(&source, &embed, &layers, Some(&norm)))?;
            calls.are(&given, &["embed", "layers[0]", "layers[1]", "layers[2]", "last_norm"])
        })
}

fn masks(check: Check<Encode>) -> Check<Encode> {
    check
        .law(Masks, "a layer gets a keep-mask: tokens are seen, padding (0) is not", |f| {
            let source = tokens(&[[3, 5, 0]])?;
            let given = given(&source, &[MIX], None);
            // The mean of 3 and 5 is 4.
            same(
                &given,
                f(&source, &embed, &[&mix], None),
                &vectors(&[&[7., 9., 4.]])?,
                rounding(8),
            )
        })
        .law(Masks, "each sequence has its own mask", |f| {
            let source = tokens(&[[3, 5, 0], [6, 0, 0]])?;
            let given = given(&source, &[MIX], None);
            let expected = vectors(&[&[7., 9., 4.], &[12., 6., 6.]])?;
            same(&given, f(&source, &embed, &[&mix], None), &expected, rounding(8))
        })
        .law(Masks, "every layer gets the mask", |f| {
            let source = tokens(&[[3, 5, 0]])?;
            let given = given(&source, &[MIX, MIX], None);
            // 7, 9, 4 after the first; the mean of 7 and 9 is 8.
            let expected = vectors(&[&[15., 17., 12.]])?;
            same(&given, f(&source, &embed, &[&mix, &mix], None), &expected, rounding(8))
        })
        .property(
            Masks,
            "any batch, any padding, any number of layers",
            (1..4usize, 1..5usize, 0..4usize, 0..1000u64),
            |f, (batch, seq, count, seed)| {
                let draws = seeded::uniform(seed, (batch, seq))?;
                let source = (draws * 4.)?.to_dtype(DType::U32)?; // 0, padding, to 3
                let layers: Vec<&Cross> = vec![&mix; count];
                let given = given(&source, &vec![MIX; count], None);
                let keep = source.ne(0u32)?.unsqueeze(1)?; // (batch, 1, seq)
                let mut expected = embed(&source)?;
                for _ in 0..count {
                    expected = (&expected + mean_of_seen(&expected, &keep.unsqueeze(1)?, seq)?)?;
                }
                // A mean of up to 4 numbers and a sum in each layer, which at most doubles them.
                same(
                    &given,
                    f(&source, &embed, &layers, None),
                    &expected,
                    rounding(8 * (count + 1)),
                )
            },
        )
}

fn gradients(check: Check<Encode>) -> Check<Encode> {
    check.law(Gradients, "the gradient finds its way through every part to the embedding", |f| {
        let source = tokens(&[[2, 1, 0]])?;
        gradients_agree(&[("the table of the embedding", &seeded::normal(1, (3, 1))?)], |inputs| {
            let embed =
                |tokens: &Tensor| inputs[0].index_select(&tokens.flatten_all()?, 0)?.unsqueeze(0);
            let bend = |x: &Tensor, _: &Tensor| x.sin();
            let norm = |x: &Tensor| x.tanh();
            f(&source, &embed, &[&mix, &bend], Some(&norm))
        })
    })
}

fn edges(check: Check<Encode>) -> Check<Encode> {
    check
        .law(Edges(why::EMPTY), "no layers: the vectors, normed when there is a last norm", |f| {
            let (source, norm) = (tokens(&[[3, 5]])?, |x: &Tensor| x * 10.);
            let none = given(&source, &[], None);
            same(&none, f(&source, &embed, &[], None), &vectors(&[&[3., 5.]])?, rounding(1))?;
            let given = given(&source, &[], Some("10·x"));
            same(
                &given,
                f(&source, &embed, &[], Some(&norm)),
                &vectors(&[&[30., 50.]])?,
                rounding(1),
            )
        })
        .law(Edges(why::EMPTY), "no sequences, and sequences without tokens", |f| {
            for shape in [(0, 3), (2, 0)] {
                let source = Tensor::zeros(shape, DType::U32, &Device::Cpu)?;
                let expected = Tensor::zeros((shape.0, shape.1, 1), DType::F32, &Device::Cpu)?;
                let given = given(&source, &["2·x"], None);
                same(&given, f(&source, &embed, &[&double], None), &expected, rounding(1))?;
            }
            Ok(())
        })
        .law(Edges(why::DOUBLE), "parts that compute in f64 give f64", |f| {
            let source = tokens(&[[3, 5]])?;
            let embed = |tokens: &Tensor| embed(tokens)?.to_dtype(DType::F64);
            let given = given(&source, &["2·x"], None);
            let expected = vectors(&[&[6., 10.]])?.to_dtype(DType::F64)?;
            same(&given, f(&source, &embed, &[&double], None), &expected, rounding(4))
        })
        .law(Edges(why::PASSED_ON), "the error of a part is passed on", |f| {
            let (source, why) = (tokens(&[[3, 5]])?, "the error of a part is passed on");
            let failing = |x: &Tensor, _: &Tensor| broken(x);
            let norm = |x: &Tensor| x * 10.;
            let about =
                |name: &str| format!("{}\n{name}: fails", given(&source, &["2·x"], Some("10·x")));
            refused(&about("embed"), why, f(&source, &broken, &[&double], Some(&norm)))?;
            refused(&about("layers[0]"), why, f(&source, &embed, &[&failing], Some(&norm)))?;
            refused(&about("last_norm"), why, f(&source, &embed, &[&double], Some(&broken)))
        })
}
