#![allow(unused)]
mod course { pub use candle_core; pub use dot_products; pub use scaling; pub use figures; pub use seeded; }
use candle_core::{self, D, DType, Device, IndexOp, Module, Result, Tensor, Var};

#[test]
fn w0() -> std::result::Result<(), Box<dyn std::error::Error>> {

use course::figures; use course::seeded;
let table = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
println!("shape {:?}, type {:?}", table.dims(), table.dtype());
println!("row 1: {:?}", table.get(1)?.to_vec1::<f32>()?);
println!("--");
if let Err(error) = table.matmul(&table) {
    let message = error.to_string();
    println!("table · table:  {}", message.lines().next().unwrap_or_default());
}
let product = table.matmul(&table.t()?)?; // (2, 3)·(3, 2)
println!("table · tableᵀ: {:?}", product.to_vec2::<f32>()?);
println!("--");
println!("sum:         {:?}", table.sum(D::Minus1)?.dims());
println!("sum_keepdim: {:?}", table.sum_keepdim(D::Minus1)?.dims());
let shares = table.broadcast_div(&table.sum_keepdim(D::Minus1)?)?;
println!("shares of each row: {:.2?}", shares.to_vec2::<f32>()?);
println!("--");
let noise = seeded::normal(42, (2, 4))?;
println!("{:.3?}", noise.to_vec2::<f32>()?);
println!("--");
fn loss(x: f64) -> f64 {
    (x - 3.).powi(2)
}
fn train(learning_rate: f64) {
    let mut x = 0.;
    for step in 0..4 {
        let nudge = 1e-6;
        let gradient = (loss(x + nudge) - loss(x)) / nudge;
        print!("  step {step}: x = {x:.2}, ");
        println!("loss {:.2}, gradient {gradient:.2}", loss(x));
        x -= learning_rate * gradient;
    }
}
for learning_rate in [0.1, 0.5, 1.] {
    println!("learning rate {learning_rate}");
    train(learning_rate);
}
println!("--");
let x = Var::new(0f64, &Device::Cpu)?;
for step in 0..4 {
    let loss = (x.as_tensor() - 3.)?.sqr()?;
    let grads = loss.backward()?;
    let gradient = grads.get(&x).expect("the loss depends on x");
    print!("step {step}: x = {:.2}, ", x.to_scalar::<f64>()?);
    let numbers: [f64; 2] = [loss.to_scalar()?, gradient.to_scalar()?];
    println!("loss {:.2}, gradient {:.2}", numbers[0], numbers[1]);
    x.set(&(x.as_tensor() - (gradient * 0.1)?)?)?; // a step
}
println!("--");
let v = Var::new(&[3f32, -1.], &Device::Cpu)?;
let y = v.sqr()?.sum_all()?;
println!("--");
let grads = y.backward()?;
let gradient = grads.get(&v).expect("y depends on v").to_vec1::<f32>()?;
println!("gradient: {gradient:?}");
println!("--");
let first = Var::new(&[1f32], &Device::Cpu)?;
println!("--");
let second = Var::new(&[1f32], &Device::Cpu)?;
assert_ne!(first.id(), second.id(), "two cells, two copies of candle");
let sum = ((first.as_tensor() * 2.)? + (second.as_tensor() * 5.)?)?;
let grads = sum.backward()?;
let of_first = grads.get(&first).expect("a gradient").to_vec1::<f32>()?;
let of_second = grads.get(&second).expect("a gradient").to_vec1::<f32>()?;
assert_eq!([of_first, of_second], [[2.], [5.]], "gradients of two cells are mixed up");
println!("ids differ, and gradients cross cells");
println!("--");
figures::Heatmap::new("A table as a heatmap", 2, 3, &[1., 2., 3., 4., 5., 6.])
    .row_labels(["row 0", "row 1"])
    .col_labels(["column 0", "column 1", "column 2"])
    .print_values(0)
    .alt("Two rows of three cells with the numbers 1 to 6; larger numbers are darker.")
    .draw()?;
Ok(())
}

#[test]
fn w1() -> std::result::Result<(), Box<dyn std::error::Error>> {
use dot_products::solution;
use course::figures; use course::seeded;
use std::collections::HashMap;
for asked in ["cat", "kitten"] {
    let sounds = HashMap::from([("cat", "meow"), ("dog", "woof"), ("river", "splash")]);
    println!("{asked}: {:?}", sounds.get(asked));
}
println!("--");
let you = Tensor::new(&[1f32, 1., -1., 0., 1.], &Device::Cpu)?;
let ana = Tensor::new(&[1f32, 0., -1., 1., 0.], &Device::Cpu)?;
println!("{:?}", (&you * &ana)?.to_vec1::<f32>()?);
println!("--");
figures::Vectors2d::new("Ana and Dee point the same way")
    .vector("Dee", [1.5, 4.5])
    .vector("Ana", [0.5, 1.5])
    .vector("you", [2., 1.])
    .angle("you", "Ana")
    .draw()?;
println!("--");
use course::dot_products::{plots, words::WordVectors};
let words = WordVectors::load()?;
println!("{} words, {} numbers each", words.words().len(), words.vectors().dim(1)?);
println!("cat starts with {:.3?}", words.vector("cat")?.i(..4)?.to_vec1::<f32>()?);
println!("--");
fn best(words: &WordVectors, scores: &Tensor, k: usize) -> Result<String> {
    let values = scores.to_vec1::<f32>()?;
    let best = solution::top_k(scores, k)?;
    let name = |&at: &usize| format!("{} {:.3}", words.words()[at], values[at]);
    Ok(best.iter().map(name).collect::<Vec<_>>().join(", "))
}
fn cosines(words: &WordVectors, vector: &Tensor) -> Result<Tensor> {
    let repeated = vector.broadcast_as(words.vectors().shape())?;
    solution::cosine_similarity(&repeated, words.vectors())
}
for word in ["cat", "paris", "sleeps"] {
    println!("{}", best(&words, &cosines(&words, &words.vector(word)?)?, 5)?);
}
let mut sum = 0.;
for word in words.words() {
    sum += cosines(&words, &words.vector(word)?)?.sum_all()?.to_scalar::<f32>()? - 1.;
}
println!("two different words, on average: {:.3}", sum / (120. * 119.));
println!("--");
for word in ["three", "four", "ten", "matrices", "matrix"] {
    let norm = words.vector(word)?.sqr()?.sum_all()?.sqrt()?;
    println!("‖{word}‖ = {:.3}", norm.to_scalar::<f32>()?);
}
for word in ["five", "matrices"] {
    let vector = words.vector(word)?;
    let repeated = vector.broadcast_as(words.vectors().shape())?;
    let dots = solution::dot(&repeated, words.vectors())?;
    println!("cosine: {}", best(&words, &cosines(&words, &vector)?, 4)?);
    println!("dot:    {}", best(&words, &dots, 4)?);
}
println!("--");
for [start, minus, plus] in [["he", "him", "her"], ["king", "man", "woman"]] {
    let alone = words.vector(start)?;
    let moved = ((&alone - words.vector(minus)?)? + words.vector(plus)?)?;
    println!("{start} alone: {}", best(&words, &cosines(&words, &alone)?, 4)?);
    let found = best(&words, &cosines(&words, &moved)?, 3)?;
    println!("{start} − {minus} + {plus}: {found}");
}
println!("--");
let groups = String::from("cat cats kitten dog king queen river bank money");
let x = words.sentence(&groups)?; // (9, 384)
let all_pairs = solution::scores(&x, &x)?; // (9, 9)
plots::word_map("Dot products of nine words", &groups, &all_pairs)?;
println!("--");
use course::dot_products::matmul::matmul;
let left = seeded::normal(1, (2, 3, 1, 4))?; // 2 batch elements of 3 heads
let right = seeded::normal(2, (3, 2, 4, 1))?; // 3 batch elements of 2 heads
println!("candle: {:?}", left.matmul(&right)?.dims());
let error = matmul(&left, &right).unwrap_err().to_string();
println!("ours:   {}", error.lines().next().unwrap_or_default());
println!("--");
let query = you.unsqueeze(0)?; // (1, 5)
let ben = Tensor::new(&[0f32, 1., 1., 0., 1.], &Device::Cpu)?;
let cid = Tensor::new(&[-1f32, -1., 0., 1., 1.], &Device::Cpu)?;
let key = Tensor::stack(&[&ana, &ben, &cid], 0)?; // (3, 5)
let value = Tensor::new(&[[5f32], [3.], [1.]], &Device::Cpu)?; // (3, 1): stars
let matches = solution::scores(&query, &key)?; // (1, 3)
println!("scores {:?}", matches.to_vec2::<f32>()?);
println!("--");
let mixed = matches.matmul(&value)?; // 2·5 + 1·3 − 1·1
let divided = mixed.broadcast_div(&matches.sum_keepdim(D::Minus1)?)?;
println!("weights are the scores: {:?} stars", mixed.to_vec2::<f32>()?);
println!("divided by their sum:   {:?} stars", divided.to_vec2::<f32>()?);
println!("--");
for drift in [0., 0.19, 0.21, 0.5] {
    let towards_ben = (ben.unsqueeze(0)? * drift)?;
    let asked = ((&query * (1. - drift))? + towards_ben)?;
    let scores = solution::scores(&asked, &key)?.squeeze(0)?;
    let hard = solution::top_k(&scores, 1)?[0];
    let (soft, _) = solution::soft_lookup(&asked, &key, &value)?;
    let hard_stars = value.i((hard, 0))?.to_scalar::<f32>()?;
    let soft_stars = soft.i((0, 0))?.to_scalar::<f32>()?;
    println!("drift {drift:4}: hard {hard_stars}, soft {soft_stars:.2}");
}
println!("--");
let hard = Tensor::new(&[1f32, 0., 0.], &Device::Cpu)?;
let (_, soft) = solution::soft_lookup(&query, &key, &value)?;
plots::weight_bars(
    "Whose stars count, and how much",
    "Ana Ben Cid",
    &[("hard", &hard), ("soft", &soft)],
)?;
println!("--");
fn print_cosines(words: &WordVectors, name: &str, vector: &Tensor) -> Result<()> {
    print!("{name:>13}:");
    for word in ["river", "money", "bank"] {
        let cosine = solution::cosine_similarity(vector, &words.vector(word)?)?;
        print!("  {word} {:.3}", cosine.to_scalar::<f32>()?);
    }
    println!();
    Ok(())
}
fn bank_in(words: &WordVectors, text: &str) -> Result<()> {
    println!("{text}");
    let x = words.sentence(text)?; // (seq, 384)
    let n = x.dim(0)? as f64;
    let (output, weights) = solution::soft_lookup(&x, &x, &x)?; // (seq, 384)
    let at = text.split(' ').position(|word| word == "bank").unwrap_or(0);
    let (bank, average) = (x.i(at)?, x.mean(0)?);
    let own = f64::from(weights.i((at, at))?.to_scalar::<f32>()?);
    let others = (((&average * n)? - &bank)? / (n - 1.))?;
    print_cosines(words, "alone", &bank)?;
    print_cosines(words, "plain average", &average)?;
    print_cosines(words, "rest equal", &((&bank * own)? + (others * (1. - own))?)?)?;
    print_cosines(words, "attention", &output.i(at)?)
}
bank_in(&words, "she sat by the river bank")?;
bank_in(&words, "the bank lent money to the queen")?;
println!("--");
let text = String::from("she sat by the river bank");
let x = words.sentence(&text)?;
let (_, weights) = solution::soft_lookup(&x, &x, &x)?; // (6, 6)
plots::word_map("Weights of a sentence's lookup in itself", &text, &weights)?;
println!("--");
let cat = solution::scores(&words.sentence("cat")?, words.vectors())?; // (1, 120)
let square = words.vectors().sqr()?.mean_all()?.to_scalar::<f32>()?;
println!("mean square of an entry: {square:.4}");
for factor in [1., 2., 5., 10., 100.] {
    let weights = solution::naive_softmax(&(&cat * factor)?)?;
    let entropy = (&weights * weights.log()?)?.sum_all()?.neg()?.to_scalar::<f32>()?;
    let own = weights.i((0, 0))?.to_scalar::<f32>()?;
    let spread = entropy.exp();
    print!("scores × {factor:3}: cat gets {own:.3}, ");
    println!("as flat as {spread:.0} equal weights");
}
println!("--");
let text = String::from("the animal did not cross the street because it was too tired");
let x = words.sentence(&text)?;
let (_, weights) = solution::soft_lookup(&x, &x, &x)?;
let it = weights.i(8)?;
for at in solution::top_k(&it, 4)? {
    let word = text.split(' ').nth(at).unwrap_or_default();
    println!("{word} {:.3}", it.i(at)?.to_scalar::<f32>()?);
}
let animal = it.i(1)?.to_scalar::<f32>()?;
println!("animal {animal:.3}, an equal share {:.3}", 1. / 12.);
println!("--");
let one = words.sentence("the dog ran to the man")?; // dog is word 1
let two = words.sentence("the man ran to the dog")?; // dog is word 5
let (one, _) = solution::soft_lookup(&one, &one, &one)?;
let (two, _) = solution::soft_lookup(&two, &two, &two)?;
fn largest(x: Tensor) -> Result<f32> {
    x.abs()?.max(0)?.to_scalar()
}
println!("the two dogs differ by at most {:.4}", largest((one.i(1)? - two.i(5)?)?)?);
println!("dog and man differ by up to   {:.4}", largest((one.i(1)? - one.i(5)?)?)?);
Ok(())
}

#[test]
fn w2() -> std::result::Result<(), Box<dyn std::error::Error>> {
use scaling::solution;
use course::figures; use course::seeded;
for d in [4, 64, 1024] {
    let query = seeded::normal(1, (2000, d))?;
    let key = seeded::normal(2, (2000, d))?;
    let products = (query * key)?.sum(D::Minus1)?; // one dot product per row
    let spread = products.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
    println!("d = {d:4}: typical size {spread:5.1}");
}
println!("--");
use course::scaling::{experiment::measure, plots};
let mut measurements = Vec::new();
for d in [4, 8, 16, 32, 64, 128, 256, 512, 1024] {
    measurements.push(measure(d, 500, 64, d as u64)?);
}
plots::variance(&measurements)?;
println!("--");
use course::dot_products::words::WordVectors;
fn typical_size(x: &Tensor) -> Result<(f32, f32)> {
    let n = x.dim(0)? as f64;
    let all = course::dot_products::solution::scores(x, x)?.sqr()?.sum_all()?;
    let own = x.sqr()?.sum(D::Minus1)?.sqr()?.sum_all()?; // each with itself
    let others = ((all - &own)? / (n * (n - 1.)))?.sqrt()?.to_scalar()?;
    Ok((others, (own / n)?.sqrt()?.to_scalar()?))
}
let vectors = WordVectors::load()?.vectors().clone(); // (120, 384)
let variance = f64::from(vectors.sqr()?.mean_all()?.to_scalar::<f32>()?);
let random = (seeded::normal(1, (120, 384))? * variance.sqrt())?;
println!("variance of an entry {variance:.4}, or 1/{:.0}", 1. / variance);
println!("expected:        score {:.3}", 384f64.sqrt() * variance);
for (name, x) in [("random numbers", &random), ("words", &vectors)] {
    let (others, own) = typical_size(x)?;
    println!("{name:>14}:  score {others:.3}, with itself {own:.2}");
}
println!("--");
let scores = Tensor::new(&[1f32, 2., 3.], &Device::Cpu)?;
for factor in [1., 4., 16.] {
    let weights = solution::softmax(&(&scores * factor)?)?;
    println!("scores × {factor:2}: weights {:.4?}", weights.to_vec1::<f32>()?);
}
println!("--");
fn softmax_as_written(logits: &Tensor) -> Result<Tensor> {
    let exp = logits.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}
for largest in [10f32, 80., 100.] {
    let logits = Tensor::new(&[largest, 0.], &Device::Cpu)?;
    println!("{largest}: {:?}", softmax_as_written(&logits)?.to_vec1::<f32>()?);
}
println!("--");
// For the stubs of this notebook: what the exercise file imports and gives.
use course::candle_core::bail;
use course::dot_products::solution::{scores, weighted_average};
use course::scaling::solution::at_least_one;
println!("--");
let x = Var::from_tensor(&Tensor::new(&[1f32, 2., 3.], &Device::Cpu)?)?;
let ours = solution::softmax(&x)?.sqr()?.sum_all()?;
println!("ours:  gradient found: {}", ours.backward()?.get(&x).is_some());
println!("--");
let logits = Tensor::new(&[1f32, 2., 3.], &Device::Cpu)?;
for temperature in [0.1, 1., 10., 1000.] {
    let weights = solution::softmax_with_temperature(&logits, temperature)?;
    println!("T = {temperature:6}: {:.4?}", weights.to_vec1::<f32>()?);
}
println!("--");
plots::entropy(&measurements, 64)?;
println!("--");
fn weights_at(first: f64) -> Result<Vec<f64>> {
    solution::softmax(&Tensor::new(&[first, 3f64.ln()], &Device::Cpu)?)?.to_vec1()
}
let nudge = 1e-6;
let (before, after) = (weights_at(0.)?, weights_at(nudge)?);
for (i, (a, b)) in before.iter().zip(&after).enumerate() {
    println!("weight {i}: {a:.2}, changes by {:.4} per unit", (b - a) / nudge);
}
println!("--");
for largest in [1f64, 10., 30.] {
    let x = Var::from_tensor(&Tensor::new(&[largest, 0., 0.], &Device::Cpu)?)?;
    let weight = solution::softmax(&x)?.get(1)?; // of the key that should win
    let grads = weight.backward()?;
    let grad = grads.get(&x).expect("softmax has a gradient");
    let size = grad.abs()?.max(0)?.to_scalar::<f64>()?;
    print!("logits ({largest}, 0, 0): largest gradient {size:.0e}; ");
    for _ in 0..1000 {
        let loss = (1. - solution::softmax(&x)?.get(1)?)?;
        let grads = loss.backward()?;
        let grad = grads.get(&x).expect("softmax has a gradient");
        x.set(&(x.as_tensor() - grad)?)?; // learning rate 1
    }
    let weight = solution::softmax(&x)?.get(1)?.to_scalar::<f64>()?;
    println!("after 1,000 steps its weight is {weight:.3}");
}
println!("--");
plots::gradient(&measurements)?;
println!("--");
for d in [64, 256, 1024] {
    let key = seeded::normal(d + 1, (64, d as usize))?;
    let upstream = seeded::normal(d + 3, (500, 64))?; // g
    for scale in [1., 1. / (d as f64).sqrt()] {
        let query = Var::from_tensor(&seeded::normal(d, (500, d as usize))?)?;
        let weights = solution::softmax(&(query.matmul(&key.t()?)? * scale)?)?;
        let largest = weights.max(D::Minus1)?.to_vec1::<f32>()?;
        let grads = (weights * &upstream)?.sum_all()?.backward()?;
        let grad = grads.get(&query).expect("a gradient");
        let norms = grad.sqr()?.sum(D::Minus1)?.sqrt()?.to_vec1::<f32>()?;
        let mut queries: Vec<(f32, f32)> = norms.into_iter().zip(largest).collect();
        queries.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mean = queries.iter().map(|query| query.0).sum::<f32>() / 500.;
        let weight = |part: &[(f32, f32)]| {
            part.iter().map(|query| query.1).sum::<f32>() / part.len() as f32
        };
        let median = queries[250].0;
        print!("d = {d:4}, scale {scale:5.3}: median {median:.2}, mean {mean:.2}; ");
        print!("largest weight {:.2}, ", weight(&queries));
        println!("of the top 50 {:.2}", weight(&queries[450..]));
    }
}
println!("--");
let query = seeded::normal(1, (1, 8))?;
let key = seeded::normal(2, (4, 8))?;
let value = seeded::normal(3, (4, 2))?;
let order = Tensor::new(&[2u32, 1, 0, 3], &Device::Cpu)?; // swap keys 0 and 2
let (key2, value2) = (key.index_select(&order, 0)?, value.index_select(&order, 0)?);
for (what, k, v) in [
    ("as it is", &key, &value),
    ("both swapped", &key2, &value2),
    ("keys only", &key2, &value),
] {
    let (output, _) = solution::scaled_dot_product_attention(&query, k, v)?;
    println!("{what:>12}: {:.3?}", output.to_vec2::<f32>()?[0]);
}
Ok(())
}
