//! `cargo run --release -p transformer --example throughput`: target tokens per second in training, on the copy task.
//!
//! A step is forward, loss, backward and Adam. `bench/pytorch.py` prints the same table for PyTorch. With `--rounds N`
//! everything is measured N times in turn; the table holds the medians. `--only fast-2 --batch 256` measures one place of it.

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Tensor, Var};
use candle_nn::VarMap;
use std::{
    cell::RefCell,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};
use transformer::{NormOrder, Parts, Transformer, TransformerConfig, init::seeded_builder};

const BATCHES: [usize; 3] = [32, 80, 256];
const LENGTH: usize = 10;
const PADDING: u32 = 0;
const START: u32 = 1;
const END: u32 = 2;
const SPAN: Duration = Duration::from_millis(1500);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let rounds = option("--rounds").map_or(1, |text| text.parse().expect("--rounds N"));
    let batch: Option<usize> = option("--batch").map(|text| text.parse().expect("--batch N"));
    let ways = [
        ("readable-1", Parts::readable(), 1),
        ("readable-2", Parts::readable(), 2),
        ("fast-1", Parts::fast(), 1),
        ("fast-2", Parts::fast(), 2),
    ];
    let only = option("--only");
    let ways: Vec<_> =
        ways.into_iter().filter(|way| only.as_deref().is_none_or(|only| only == way.0)).collect();
    // The threads share the batch: products stay in their own thread.
    gemm::set_threading_threshold(usize::MAX);

    let mut speeds = vec![vec![vec![]; ways.len()]; BATCHES.len()];
    for _ in 0..rounds {
        for (&size, speeds) in BATCHES.iter().zip(&mut speeds) {
            if batch.is_some_and(|batch| batch != size) {
                continue;
            }
            for ((_, parts, threads), speeds) in ways.iter().zip(speeds) {
                speeds.push(tokens_per_second(parts, size, *threads)?);
            }
        }
    }
    print!("{:>6}", "batch");
    ways.iter().for_each(|(name, ..)| print!("{name:>12}"));
    for (batch, speeds) in BATCHES.iter().zip(&mut speeds) {
        print!("\n{batch:>6}");
        for speeds in speeds.iter_mut().filter(|speeds| !speeds.is_empty()) {
            speeds.sort_by(f64::total_cmp);
            print!("{:>12.0}", speeds[speeds.len() / 2]);
        }
    }
    println!();
    Ok(())
}

/// A share of a batch: source, the decoder's input, and what it shall say.
type Share = [Tensor; 3];

fn tokens_per_second(parts: &Parts, batch: usize, threads: usize) -> Result<f64> {
    let vars = VarMap::new();
    let config = TransformerConfig::small(NormOrder::Pre);
    let models = (0..threads)
        .map(|_| Transformer::new(&config, parts, seeded_builder(&vars, 1)))
        .collect::<Result<Vec<_>>>()?;
    let mut named: Vec<_> =
        vars.data().lock().expect("no panic before").clone().into_iter().collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let vars: Vec<Var> = named.into_iter().map(|(_, var)| var).collect();
    let mut adam = Adam::new(&vars);
    let shares = (0..threads)
        .map(|at| share(at as u64, batch / threads + usize::from(at < batch % threads)))
        .collect::<Result<Vec<_>>>()?;

    thread::scope(|scope| {
        let vars = &vars;
        let workers: Vec<(Sender<Share>, Receiver<_>)> = models[1..]
            .iter()
            .map(|model| {
                let (send_share, shares) = channel::<Share>();
                let (send_grads, grads) = channel();
                scope.spawn(move || {
                    for share in shares {
                        let _ = send_grads.send(gradients(model, vars, &share));
                    }
                });
                (send_share, grads)
            })
            .collect();
        let mut step = || -> Result<()> {
            for ((send, _), share) in workers.iter().zip(&shares[1..]) {
                send.send(share.clone()).expect("the worker lives");
            }
            let mut grads = vec![gradients(&models[0], vars, &shares[0])?];
            for (_, receive) in &workers {
                grads.push(receive.recv().expect("the worker lives")?);
            }
            adam.update(vars, &grads)
        };
        for _ in 0..5 {
            step()?;
        }
        let (start, mut times) = (Instant::now(), vec![]);
        while start.elapsed() < SPAN {
            let start = Instant::now();
            step()?;
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let at =
            if std::env::var_os("BEST").is_some() { times.len() / 50 } else { times.len() / 2 };
        Ok((batch * (LENGTH + 1)) as f64 / times[at])
    })
}

fn share(seed: u64, size: usize) -> Result<Share> {
    let digits = seeded::uniform(seed, (size, LENGTH))?.affine(8., 3.)?;
    let digits = digits.to_dtype(candle_core::DType::U32)?;
    let [start, end] = [START, END].map(|token| Tensor::full(token, (size, 1), &Device::Cpu));
    let input = Tensor::cat(&[&start?, &digits], 1)?;
    Ok([digits.clone(), input, Tensor::cat(&[&digits, &end?], 1)?])
}

/// The gradient of the mean loss by each variable, and the number of tokens in the mean.
fn gradients(model: &Transformer, vars: &[Var], share: &Share) -> Result<(Vec<Tensor>, f64)> {
    let [source, input, expected] = share;
    let log_probs = model.forward(source, input, true)?;
    let loss = (model.parts().label_smoothing)(&log_probs, expected, 0., PADDING)?;
    let mut grads = loss.backward()?;
    let grad = |var: &Var| grads.remove(var).map_or_else(|| var.zeros_like(), Ok);
    Ok((vars.iter().map(grad).collect::<Result<_>>()?, expected.elem_count() as f64))
}

/// Adam in one pass over the numbers.
struct Adam {
    step: i32,
    moments: Vec<RefCell<[Vec<f32>; 2]>>,
}

impl Adam {
    fn new(vars: &[Var]) -> Self {
        let zeros = |var: &Var| RefCell::new([(); 2].map(|()| vec![0.; var.elem_count()]));
        Self { step: 0, moments: vars.iter().map(zeros).collect() }
    }

    fn update(&mut self, vars: &[Var], shares: &[(Vec<Tensor>, f64)]) -> Result<()> {
        self.step += 1;
        let tokens: f64 = shares.iter().map(|(_, tokens)| tokens).sum();
        for (at, (var, moments)) in vars.iter().zip(&self.moments).enumerate() {
            let mut grad = (&shares[0].0[at] * (shares[0].1 / tokens))?;
            for (grads, share) in &shares[1..] {
                grad = (grad + (&grads[at] * (share / tokens))?)?;
            }
            let grad = grad.flatten_all()?.to_vec1()?;
            var.inplace_op1(&AdamStep { step: self.step, grad, moments })?;
        }
        Ok(())
    }
}

struct AdamStep<'a> {
    step: i32,
    grad: Vec<f32>,
    moments: &'a RefCell<[Vec<f32>; 2]>,
}

impl InplaceOp1 for AdamStep<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        let CpuStorage::F32(values) = storage else { candle_core::bail!("adam: expected f32") };
        let [first, second] = &mut *self.moments.borrow_mut();
        let [fix_first, fix_second] = [0.9f32, 0.98].map(|beta| 1. / (1. - beta.powi(self.step)));
        for (((value, grad), m), v) in values.iter_mut().zip(&self.grad).zip(first).zip(second) {
            *m = 0.9 * *m + 0.1 * grad;
            *v = 0.98 * *v + 0.02 * grad * grad;
            *value -= 1e-3 * *m * fix_first / ((*v * fix_second).sqrt() + 1e-9);
        }
        Ok(())
    }
}
