//! Right answers in other styles than the solution's pass: loops over numbers, another order, reuse of earlier weeks.

use candle_core::{D, DType, Device, Result, Tensor, backprop::GradStore, bail};
use candle_nn::ops::softmax;
use checks::{State, Verdict, transformer as check};
use masking::{Align, solution::causal_mask};
use transformer::{
    NormOrder::{self, Post, Pre},
    order::{Cross, DecoderStep, Step, Update},
};

#[track_caller]
fn passes(verdict: Verdict) {
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

#[test]
fn positional_encoding() {
    // Sines and cosines of a table of angles, interleaved.
    passes(check::positional_encoding(|seq, d_model, device| {
        if d_model % 2 != 0 {
            bail!("d_model is odd");
        }
        if seq * d_model == 0 {
            return Tensor::zeros((seq, d_model), DType::F32, device);
        }
        let places = Tensor::arange(0u32, seq as u32, device)?
            .to_dtype(DType::F64)?
            .unsqueeze(1)?;
        let powers: Vec<f64> = (0..d_model / 2)
            .map(|pair| 10_000f64.powf(-2. * pair as f64 / d_model as f64))
            .collect();
        let angles = places.matmul(&Tensor::new(powers, device)?.unsqueeze(0)?)?;
        Tensor::stack(&[angles.sin()?, angles.cos()?], 2)?
            .reshape((seq, d_model))?
            .to_dtype(DType::F32)
    }));
    // Two nested loops, with the angle from a logarithm.
    passes(check::positional_encoding(|seq, d_model, device| {
        if d_model % 2 == 1 {
            bail!("odd");
        }
        let mut numbers = Vec::new();
        for pos in 0..seq {
            for pair in 0..d_model / 2 {
                let power = -2. * pair as f64 / d_model as f64 * 10_000f64.ln();
                let power = if pair == 0 { 0. } else { power };
                let (sin, cos) = (pos as f64 * power.exp()).sin_cos();
                numbers.extend([sin as f32, cos as f32]);
            }
        }
        Tensor::from_vec(numbers, (seq, d_model), device)
    }));
}

#[test]
fn layer_norm() {
    fn fits(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<()> {
        let dim = x.dim(D::Minus1)?;
        if weight.dims() != [dim] || bias.dims() != [dim] {
            bail!("weight or bias does not fit");
        }
        Ok(())
    }
    // Sums divided by dim; one over the root.
    passes(check::layer_norm(|x, weight, bias, eps| {
        fits(x, weight, bias)?;
        let dim = x.dim(D::Minus1)? as f64;
        let centred = x.broadcast_sub(&(x.sum_keepdim(D::Minus1)? / dim)?)?;
        let variance = (centred.powf(2.)?.sum_keepdim(D::Minus1)? / dim)?;
        let inverse = (variance + eps)?.sqrt()?.recip()?;
        bias.broadcast_add(&centred.broadcast_mul(&inverse)?.broadcast_mul(weight)?)
    }));
    // Token by token, as rows of a matrix.
    passes(check::layer_norm(|x, weight, bias, eps| {
        fits(x, weight, bias)?;
        if x.elem_count() == 0 {
            return Ok(x.clone());
        }
        let dim = x.dim(D::Minus1)?;
        let rows = x.reshape(((), dim))?;
        let mut normed = Vec::new();
        for at in 0..rows.dim(0)? {
            let row = rows.get(at)?;
            let centred = row.broadcast_sub(&row.mean(0)?)?;
            let size = (centred.sqr()?.mean(0)? + eps)?.sqrt()?;
            normed.push(((centred.broadcast_div(&size)? * weight)? + bias)?);
        }
        Tensor::stack(&normed, 0)?.reshape(x.shape())
    }));
}

fn shortcut(
    x: &Tensor,
    order: NormOrder,
    norm: &Step,
    sublayer: &Step,
) -> Result<Tensor> {
    if order == Pre {
        let normed = norm(x)?;
        let out = sublayer(&normed)?;
        return out.add(x);
    }
    let out = sublayer(x)?;
    norm(&out.add(x)?)
}

#[test]
fn residual() {
    passes(check::residual(|x, order: NormOrder, norm, sublayer| {
        shortcut(x, order, norm, sublayer)
    }));
    passes(check::residual(|x, order: NormOrder, norm, sublayer| {
        let inner = if order == Pre { norm(x)? } else { x.clone() };
        let sum = (sublayer(&inner)? + x)?;
        if order == Post { norm(&sum) } else { Ok(sum) }
    }));
}

#[test]
fn layers() {
    passes(check::encoder_layer(|x, order: NormOrder, norms, attend, feed_forward| {
        [attend, feed_forward]
            .into_iter()
            .zip(norms)
            .try_fold(x.clone(), |x, (sublayer, norm)| {
                shortcut(&x, order, norm, sublayer)
            })
    }));
    passes(check::encoder_layer(
        |x, order: NormOrder, [first, second], attend, feed| match order {
            Pre => {
                let x = (x + attend(&first(x)?)?)?;
                &x + feed(&second(&x)?)?
            }
            Post => {
                let x = first(&(x + attend(x)?)?)?;
                second(&(&x + feed(&x)?)?)
            }
        },
    ));
    passes(check::decoder_layer(
        |y, memory, order: NormOrder, [first, second, third], attend, cross, feed| {
            match order {
                Pre => {
                    let y = (y + attend(&first(y)?)?)?;
                    let y = (&y + cross(&second(&y)?, memory)?)?;
                    &y + feed(&third(&y)?)?
                }
                Post => {
                    let y = first(&(y + attend(y)?)?)?;
                    let y = second(&(&y + cross(&y, memory)?)?)?;
                    third(&(&y + feed(&y)?)?)
                }
            }
        },
    ));
    passes(check::decoder_layer(
        |y, memory, order: NormOrder, norms, attend, cross, feed| {
            let across = |y: &Tensor| cross(y, memory);
            let sublayers: [&Step; 3] = [attend, &across, feed];
            let mut y = y.clone();
            for at in 0..3 {
                y = shortcut(&y, order, norms[at], sublayers[at])?;
            }
            Ok(y)
        },
    ));
}

/// Number by number, `(batch, 1, 1, seq)`.
fn keep_mask(tokens: &Tensor) -> Result<Tensor> {
    let (batch, seq) = tokens.dims2()?;
    let keep: Vec<u8> = tokens
        .flatten_all()?
        .to_vec1::<u32>()?
        .iter()
        .map(|&token| u8::from(token != 0))
        .collect();
    Tensor::from_vec(keep, (batch, 1, 1, seq), tokens.device())
}

#[test]
fn stacks() {
    // A fold; the mask number by number.
    passes(check::encode(|source: &Tensor, embed: &Step, layers: &[&Cross], norm| {
        let keep = keep_mask(source)?;
        let x = layers.iter().try_fold(embed(source)?, |x, layer| layer(&x, &keep))?;
        norm.map_or(Ok(x.clone()), |norm: &Step| norm(&x))
    }));
    // The whole square of the mask, for every head the same.
    passes(check::encode(|source: &Tensor, embed: &Step, layers: &[&Cross], norm| {
        let (batch, seq) = source.dims2()?;
        let keep = source.gt(0u32)?.reshape((batch, 1, 1, seq))?;
        let keep = keep.broadcast_as((batch, 1, seq, seq))?;
        let mut x = embed(source)?;
        for layer in layers {
            x = layer(&x, &keep)?;
        }
        if let Some(norm) = norm {
            x = norm(&x)?;
        }
        Ok(x)
    }));
    // The log-softmax by hand.
    passes(check::decode(
        |[target, source], memory, embed, layers, norm: Option<&Step>, generator| {
            let seq = target.dim(1)?;
            let triangle = Tensor::tril2(seq, DType::U8, &Device::Cpu)?;
            let keep = keep_mask(source)?;
            let mut y = embed(target)?;
            for layer in layers {
                y = layer(&y, memory, &triangle, &keep)?;
            }
            let y = if let Some(norm) = norm { norm(&y)? } else { y };
            let logits = generator(&y)?;
            if logits.elem_count() == 0 {
                return Ok(logits);
            }
            let logits = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
            logits.broadcast_sub(&logits.log_sum_exp(D::Minus1)?.unsqueeze(D::Minus1)?)
        },
    ));
    // Four-dimensional masks throughout; log-softmax from this course's own tools.
    passes(check::decode(
        |[target, source]: [&Tensor; 2],
         memory: &Tensor,
         embed: &Step,
         layers: &[&DecoderStep],
         norm: Option<&Step>,
         generator: &Step| {
            let seq = target.dim(1)?;
            let causal = causal_mask(seq, seq, Align::BottomRight, target.device())?;
            let causal = causal.reshape((1, 1, seq, seq))?;
            let keep = keep_mask(source)?;
            let y = layers.iter().try_fold(embed(target)?, |y, layer| {
                layer(&y, memory, &causal, &keep)
            })?;
            let y = match norm {
                None => y,
                Some(norm) => norm(&y)?,
            };
            candle_nn::ops::log_softmax(&generator(&y)?, 2)
        },
    ));
}

#[test]
fn label_smoothing() {
    fn refuse(log_probs: &Tensor, targets: &Tensor, smoothing: f64) -> Result<()> {
        if smoothing.is_nan() || !(0. ..=1.).contains(&smoothing) {
            bail!("smoothing");
        }
        let rank = log_probs.rank();
        if rank == 0 || log_probs.dims()[..rank - 1] != *targets.dims() {
            bail!("targets");
        }
        Ok(())
    }
    // The real rows picked out first, then the means.
    passes(check::label_smoothing(|log_probs, targets, smoothing, padding| {
        refuse(log_probs, targets, smoothing)?;
        let vocab = log_probs.dim(D::Minus1)?;
        let all = targets.flatten_all()?.to_vec1::<u32>()?;
        let (mut rows, mut real) = (vec![], vec![]);
        for (row, &token) in all.iter().enumerate() {
            if token as usize >= vocab {
                bail!("a target is no token");
            }
            if token != padding {
                rows.push(row as u32);
                real.push((row * vocab + token as usize) as u32);
            }
        }
        if real.is_empty() {
            bail!("only padding");
        }
        let flat = log_probs.reshape(((), vocab))?;
        let places = Tensor::new(real, log_probs.device())?;
        let right = flat.flatten_all()?.index_select(&places, 0)?.mean_all()?;
        if smoothing == 0. {
            return right.neg();
        }
        let rows = flat.index_select(&Tensor::new(rows, log_probs.device())?, 0)?;
        ((right * (1. - smoothing))? + (rows.mean_all()? * smoothing)?)?.neg()
    }));
    // The wanted distribution in full, and a product with it.
    passes(check::label_smoothing(|log_probs, targets, smoothing, padding| {
        refuse(log_probs, targets, smoothing)?;
        let vocab = log_probs.dim(D::Minus1)?;
        let all = targets.flatten_all()?.to_vec1::<u32>()?;
        if all.iter().any(|&token| token as usize >= vocab) {
            bail!("a target is no token");
        }
        let count = all.iter().filter(|&&token| token != padding).count();
        if count == 0 {
            bail!("only padding");
        }
        let share =
            |row: u32, token: usize| match (row == padding, row as usize == token) {
                (true, _) => 0.,
                (false, right) => {
                    smoothing / vocab as f64 + if right { 1. - smoothing } else { 0. }
                }
            };
        let wanted: Vec<f64> = all
            .iter()
            .flat_map(|&row| (0..vocab).map(move |token| share(row, token)))
            .collect();
        let wanted = Tensor::from_vec(wanted, log_probs.shape(), log_probs.device())?;
        let counts = wanted.gt(0f64)?;
        // What has no share must not be multiplied: 0 · ∞ is NaN.
        let kept = counts.where_cond(log_probs, &log_probs.zeros_like()?)?;
        (kept * wanted.to_dtype(log_probs.dtype())?)?.sum_all()? / -(count as f64)
    }));
}

#[test]
fn learning_rate() {
    passes(check::learning_rate(|step, d_model, warmup| {
        let (step, peak) =
            (step.max(1) as f64, 1. / (d_model as f64 * warmup as f64).sqrt());
        if step < warmup as f64 {
            peak * step / warmup as f64
        } else {
            1. / (d_model as f64 * step).sqrt()
        }
    }));
    passes(check::learning_rate(|step, d_model, warmup| {
        let step = if step == 0 { 1. } else { step as f64 };
        let fall = 1. / step.sqrt();
        let rate =
            if warmup == 0 { fall } else { fall.min(step / (warmup as f64).powf(1.5)) };
        rate / (d_model as f64).sqrt()
    }));
}

fn number(loss: &Tensor) -> Result<f64> {
    let number = match loss.dtype() {
        DType::F64 => loss.to_scalar::<f64>()?,
        _ => f64::from(loss.to_scalar::<f32>()?),
    };
    if number.is_nan() || number.is_infinite() {
        bail!("loss {number}")
    } else {
        Ok(number)
    }
}

#[test]
fn training_step() {
    // Columns picked by their numbers; gradients before the number is looked at.
    passes(check::training_step(
        |[source, target]: [&Tensor; 2],
         model: &Cross,
         loss: &Cross,
         update: &mut Update| {
            let seq = target.dim(1)? as u32;
            let columns = |from: u32, to: u32| {
                target
                    .contiguous()?
                    .index_select(&Tensor::arange(from, to, target.device())?, 1)
            };
            let log_probs = model(source, &columns(0, seq - 1)?)?;
            let loss = loss(&log_probs, &columns(1, seq)?)?;
            let grads: GradStore = loss.backward()?;
            let number = number(&loss)?;
            update(grads)?;
            Ok(number)
        },
    ));
    passes(check::training_step(
        |tokens: [&Tensor; 2], model: &Cross, loss: &Cross, update: &mut Update| {
            let chunks = tokens[1].dims2()?.1 - 1;
            let said =
                model(tokens[0], &tokens[1].narrow(1, 0, chunks)?.contiguous()?)?;
            let lost = loss(&said, &tokens[1].narrow(1, 1, chunks)?.contiguous()?)?;
            let number = number(&lost)?;
            lost.backward().and_then(update).map(|()| number)
        },
    ));
}

#[test]
fn greedy_decode() {
    // Rows of numbers instead of a tensor.
    passes(check::greedy_decode(|source, encode, decode, [start, end], max_len| {
        let (batch, device) = (source.dim(0)?, source.device());
        let memory = encode(source)?;
        let mut rows = vec![vec![start]; batch];
        let done = |row: &Vec<u32>| row.len() > 1 && row.ends_with(&[end]);
        while batch > 0 && rows[0].len() <= max_len && !rows.iter().all(done) {
            let seq = rows[0].len();
            let target = Tensor::from_vec(rows.concat(), (batch, seq), device)?;
            let last = decode(&target, &memory)?.narrow(1, seq - 1, 1)?.squeeze(1)?;
            let next = last.argmax(1)?.to_vec1::<u32>()?;
            for (row, next) in rows.iter_mut().zip(next) {
                let token = if done(row) { end } else { next };
                row.push(token);
            }
        }
        let length = rows.first().map_or(0, |row| row.len() - 1);
        let written: Vec<u32> = rows.iter().flat_map(|row| row[1..].to_vec()).collect();
        Tensor::from_vec(written, (batch, length), device)
    }));
    // Softmax before the argmax; each step's tokens in a list.
    passes(check::greedy_decode(|source, encode, decode, [start, end], max_len| {
        let (batch, memory) = (source.dim(0)?, encode(source)?);
        let first = Tensor::full(start, (batch, 1), source.device())?;
        let (mut columns, mut ended) = (vec![first], vec![false; batch]);
        for _ in 0..max_len {
            if ended.iter().all(|&ended| ended) {
                break;
            }
            let target = Tensor::cat(&columns, 1)?;
            let probabilities = softmax(&decode(&target, &memory)?, D::Minus1)?;
            let last = probabilities.get_on_dim(1, target.dim(1)? - 1)?;
            let mut next = last.argmax(D::Minus1)?.to_vec1::<u32>()?;
            for (next, ended) in next.iter_mut().zip(&mut ended) {
                *next = if *ended { end } else { *next };
                *ended = *next == end;
            }
            columns.push(Tensor::from_vec(next, (batch, 1), source.device())?);
        }
        match columns.len() {
            1 => Tensor::zeros((batch, 0), DType::U32, source.device()),
            _ => Tensor::cat(&columns[1..], 1),
        }
    }));
}

#[test]
fn rope() {
    // Complex numbers in spirit: x · cos + (x with pairs exchanged) · sin.
    passes(check::rope(|x, offset| {
        let (batch, heads, seq, dim) = x.dims4()?;
        if dim % 2 == 1 {
            bail!("odd");
        }
        let (mut cos, mut sin) = (vec![], vec![]);
        for pos in offset..offset + seq {
            for at in 0..dim {
                let angle =
                    pos as f64 / 10_000f64.powf((at / 2 * 2) as f64 / dim as f64);
                cos.push(angle.cos());
                sin.push(if at % 2 == 0 { -angle.sin() } else { angle.sin() });
            }
        }
        let table = |numbers: Vec<f64>| {
            Tensor::from_vec(numbers, (seq, dim), x.device())?.to_dtype(x.dtype())
        };
        let pairs = x.reshape((batch, heads, seq, dim / 2, 2))?;
        let exchanged =
            Tensor::cat(&[pairs.narrow(4, 1, 1)?, pairs.narrow(4, 0, 1)?], 4)?;
        let exchanged = exchanged.reshape(x.shape())?;
        x.broadcast_mul(&table(cos)?)? + exchanged.broadcast_mul(&table(sin)?)?
    }));
    // A product with a matrix per position: blocks of two on its diagonal.
    passes(check::rope(|x, offset| {
        let (_, _, seq, dim) = x.dims4()?;
        if dim % 2 != 0 {
            bail!("odd");
        }
        let mut turns = vec![0f64; seq * dim * dim];
        for row in 0..seq {
            for pair in 0..dim / 2 {
                let power = 10_000f64.powf(-((2 * pair) as f64) / dim as f64);
                let (sin, cos) = ((offset + row) as f64 * power).sin_cos();
                let (from, at) = (row * dim * dim, 2 * pair);
                turns[from + at * dim + at] = cos;
                turns[from + at * dim + at + 1] = sin;
                turns[from + (at + 1) * dim + at] = -sin;
                turns[from + (at + 1) * dim + at + 1] = cos;
            }
        }
        let turns = Tensor::from_vec(turns, (seq, dim, dim), x.device())?
            .to_dtype(x.dtype())?;
        let columns = x.unsqueeze(4)?.broadcast_mul(&turns)?; // (…, seq, dim, dim)
        if x.elem_count() == 0 { Ok(x.clone()) } else { columns.sum(3) }
    }));
}

#[test]
fn alibi() {
    // All in f32.
    passes(check::alibi(|heads, seq_q, seq_k, device| {
        let mut numbers = vec![];
        for head in 1..=heads {
            let slope = (-8. * head as f32 / heads as f32).exp2();
            for query in 0..seq_q {
                let at = query as f32 + seq_k as f32 - seq_q as f32;
                numbers.extend((0..seq_k).map(|key| -slope * (at - key as f32).abs()));
            }
        }
        Tensor::from_vec(numbers, (heads, seq_q, seq_k), device)
    }));
    passes(check::alibi(|heads, seq_q, seq_k, device| {
        let mut numbers = vec![];
        for head in 1..=heads {
            let slope = 0.5f64.powf(8. * head as f64 / heads as f64);
            for query in 0..seq_q {
                for key in 0..seq_k {
                    let place = query as i64 + seq_k as i64 - seq_q as i64;
                    numbers.push(-((place - key as i64).abs() as f64 * slope) as f32);
                }
            }
        }
        Tensor::from_vec(numbers, (heads, seq_q, seq_k), device)
    }));
    passes(check::alibi(|heads, seq_q, seq_k, device| {
        if heads * seq_q * seq_k == 0 {
            return Tensor::zeros((heads, seq_q, seq_k), DType::F32, device);
        }
        let places = |count: usize, shift: f64| {
            let places: Vec<f64> = (0..count).map(|at| at as f64 + shift).collect();
            Tensor::new(places, device)
        };
        let queries = places(seq_q, seq_k as f64 - seq_q as f64)?.unsqueeze(1)?;
        let distance =
            queries.broadcast_sub(&places(seq_k, 0.)?.unsqueeze(0)?)?.abs()?;
        let slopes: Vec<f64> =
            (1..=heads).map(|head| (-8. * head as f64 / heads as f64).exp2()).collect();
        let slopes = Tensor::new(slopes, device)?.reshape((heads, 1, 1))?;
        distance.unsqueeze(0)?.broadcast_mul(&slopes)?.neg()?.to_dtype(DType::F32)
    }));
}
