//! What a step of training must hold.

use super::parts::Cross;
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        compare::{refused, rounding, same, value},
        show, why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore, bail};
use std::cell::{Cell, RefCell};

/// What a step hands its gradients to.
pub type Update<'a> = dyn FnMut(GradStore) -> Result<()> + 'a;

/// `training_step`: source and target, the model, the loss, what moves the variables.
pub type TrainingStep = dyn Fn([&Tensor; 2], &Cross, &Cross, &mut Update) -> Result<f64>;

pub(super) fn zoo() -> Vec<Proof> {
    step_laws().proofs()
}

/// Checks `training_step`: the shift, the loss, the gradients, one update.
pub fn training_step(
    answer: impl Fn([&Tensor; 2], &Cross, &Cross, &mut Update) -> Result<f64> + 'static,
) -> Verdict {
    step_laws().judge(&answer)
}

/// A model with one weight w: it says w times the number of each token that it reads. The loss is the mean square of
/// what it says less what it should say.
struct Toy {
    w: Var,
    /// What the model and the loss were called with, and the update.
    calls: RefCell<Vec<String>>,
    reads: RefCell<Vec<Tensor>>,
    says: RefCell<Vec<Tensor>>,
    sources: RefCell<Vec<Tensor>>,
    grads: RefCell<Vec<Option<f64>>>,
    /// What the loss is multiplied by.
    times: Cell<f64>,
    /// How far the update moves the weight against its gradient.
    rate: f64,
}

/// A target of 5, 6: 1 starts it, 2 ends it.
const TARGET: [u32; 4] = [1, 5, 6, 2];

impl Toy {
    fn new() -> Result<Self> {
        Ok(Self {
            w: Var::new(1f32, &Device::Cpu)?,
            calls: RefCell::default(),
            reads: RefCell::default(),
            says: RefCell::default(),
            sources: RefCell::default(),
            grads: RefCell::default(),
            times: Cell::new(1.),
            rate: 0.01,
        })
    }

    fn note(&self, name: &str) {
        self.calls.borrow_mut().push(name.to_owned());
    }

    fn model(&self, source: &Tensor, reads: &Tensor) -> Result<Tensor> {
        self.note("model");
        self.sources.borrow_mut().push(source.clone());
        self.reads.borrow_mut().push(reads.clone());
        reads.to_dtype(DType::F32)?.broadcast_mul(self.w.as_tensor())
    }

    fn loss(&self, said: &Tensor, says: &Tensor) -> Result<Tensor> {
        self.note("loss");
        self.says.borrow_mut().push(says.clone());
        if said.dims() != says.dims() {
            bail!("loss: expected a target for each of {:?}; got {:?}", said.shape(), says.shape());
        }
        let apart = (said - says.to_dtype(DType::F32)?)?;
        apart.sqr()?.mean_all()? * self.times.get()
    }

    fn update(&self, grads: &GradStore) -> Result<()> {
        self.note("update");
        let grad = grads.get(&self.w);
        let number = grad.map(|grad| grad.to_scalar::<f32>()).transpose()?;
        self.grads.borrow_mut().push(number.map(f64::from));
        match number {
            Some(grad) => self.w.set(&(self.w.as_tensor() - f64::from(grad) * self.rate)?),
            None => Ok(()),
        }
    }

    fn step(&self, f: &TrainingStep) -> Result<f64> {
        let (source, target) = (source()?, target()?);
        f(
            [&source, &target],
            &|source, reads| self.model(source, reads),
            &|said, says| self.loss(said, says),
            &mut |grads| self.update(&grads),
        )
    }

    fn given(&self) -> Result<String> {
        let text = format!(
            "source: {}\ntarget: {}, 1 starts it and 2 ends it\nmodel: says w times the number of each token that it reads, w = 1\nloss: the mean of (what it says − what it should say)²",
            show::tensor(&source()?),
            show::tensor(&target()?)
        );
        Ok(show::remember(match self.times.get() {
            1. => text,
            times => format!("{text}, times {times}"),
        }))
    }

    /// The calls that were made, one after the other.
    fn called(&self) -> String {
        self.calls.borrow().join(", ")
    }
}

fn source() -> Result<Tensor> {
    Tensor::new(&[[7u32, 8, 9]], &Device::Cpu)
}

fn target() -> Result<Tensor> {
    Tensor::new(&[TARGET], &Device::Cpu)
}

/// The law that what was noted first is `expected`.
fn noted(given: &str, what: &str, noted: &[Tensor], expected: &[u32]) -> Outcome {
    let expected = Tensor::new(expected, &Device::Cpu)?.unsqueeze(0)?;
    let about = format!("{given}\nlooked at: {what}");
    match noted.first() {
        Some(got) => same(&about, Ok(got.clone()), &expected, rounding(0)),
        None => Err(Breach::text(&about, &show::tensor(&expected), "nothing: it never ran")),
    }
}

/// The law that a number is `expected`, to rounding of f32.
fn number(given: &str, got: f64, expected: f64) -> Outcome {
    if (got - expected).abs() <= 16. * f64::from(f32::EPSILON) * expected.abs().max(1.) {
        return Ok(());
    }
    Err(Breach::text(given, &show::number(expected), &show::number(got)))
}

fn step_laws() -> Check<TrainingStep> {
    let check = Check::new("transformer::training_step", wrong::transformer::training_step());
    edges(gradients(shift(check)))
}

fn shift(check: Check<TrainingStep>) -> Check<TrainingStep> {
    check
        .law(
            Implementation,
            "the model reads the source, and all tokens of the target but the last",
            |f| {
                let toy = Toy::new()?;
                let given = toy.given()?;
                let answer = toy.step(f);
                noted(&given, "the source that the model gets", &toy.sources.borrow(), &[7, 8, 9])?;
                noted(&given, "the target that the model reads", &toy.reads.borrow(), &[1, 5, 6])?;
                value(&given, answer).map(drop)
            },
        )
        .law(
            Implementation,
            "it should say all tokens of the target but the first: one step on",
            |f| {
                let toy = Toy::new()?;
                let given = toy.given()?;
                let answer = toy.step(f);
                noted(&given, "the targets that the loss gets", &toy.says.borrow(), &[5, 6, 2])?;
                value(&given, answer).map(drop)
            },
        )
        .law(
            Implementation,
            "the result is the loss of what the model said, before the update",
            |f| {
                let toy = Toy::new()?;
                let given = toy.given()?;
                // (1 − 5)² = 16, (5 − 6)² = 1, (6 − 2)² = 16
                number(&given, value(&given, toy.step(f))?, 11.)
            },
        )
}

fn gradients(check: Check<TrainingStep>) -> Check<TrainingStep> {
    check
        .law(Gradients, "`update` gets the gradient of the loss", |f| {
            let toy = Toy::new()?;
            let given = toy.given()? + "\nlooked at: the gradient of the loss with respect to w";
            value(&given, toy.step(f))?;
            let grads = toy.grads.borrow();
            match grads.first() {
                // 2/3 · (1 · −4 + 5 · −1 + 6 · 4)
                Some(Some(grad)) => number(&given, *grad, 10.),
                Some(None) => Err(Breach::text(
                    &given,
                    "10",
                    "none: backward() finds no way from the loss to w",
                )),
                None => Err(Breach::text(&given, "10", "nothing: `update` never ran")),
            }
        })
        .law(Implementation, "model, loss and update run once each, in this order", |f| {
            let toy = Toy::new()?;
            let given = toy.given()?;
            value(&given, toy.step(f))?;
            match toy.called().as_str() {
                "model, loss, update" => Ok(()),
                got => Err(Breach::text(
                    &given,
                    "calls of model, loss, update",
                    &format!("calls of {got}"),
                )),
            }
        })
        .law(
            Implementation,
            "step by step the loss falls, to the least that this model can reach",
            |f| {
                let toy = Toy::new()?;
                let given = toy.given()?
                    + "\nlooked at: the loss after 60 steps of 0.01 times the gradient";
                let losses = (0..61).map(|_| toy.step(f)).collect::<Result<Vec<_>>>();
                let losses = value(&given, losses)?;
                // The best w is Σ reads·says / Σ reads² = 47/62; each step shortens the way there to 1 − 0.02 · 62/3 = 0.587
                // of what it was. What is left of the loss is Σ says² − 47²/62 = 65 − 35.629, divided by 3.
                number(&given, losses[60], (65. - 47. * 47. / 62.) / 3.)
            },
        )
}

fn edges(check: Check<TrainingStep>) -> Check<TrainingStep> {
    check
        .law(
            Edges("one update with NaN or inf makes every weight NaN; a run that stops before it can go on from there with a smaller learning rate."),
            "a loss that is not finite is an error, and nothing is updated",
            |f| {
                for times in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let toy = Toy::new()?;
                    toy.times.set(times);
                    let given = toy.given()?;
                    refused(&given, "the loss is not finite", toy.step(f))?;
                    if toy.called().contains("update") {
                        return Err(Breach::text(&given, "no call of `update`", "a call of it"));
                    }
                }
                Ok(())
            },
        )
        .law(Edges(why::DOUBLE), "a loss in f64 is returned with the precision of f64", |f| {
            let (toy, third) = (Toy::new()?, 1. / 3.);
            let given = toy.given()? + "\nhere the loss is 1/3 · w², in f64";
            let w = Var::new(1f64, &Device::Cpu)?;
            let loss = |_: &Tensor, _: &Tensor| w.as_tensor().sqr()? * third;
            let (source, target) = (source()?, target()?);
            let model = |source: &Tensor, reads: &Tensor| toy.model(source, reads);
            let answer = f([&source, &target], &model, &loss, &mut |_| Ok(()));
            let got = value(&given, answer)?;
            if (got - third).abs() <= f64::EPSILON {
                return Ok(());
            }
            Err(Breach::text(&given, &third.to_string(), &got.to_string()))
        })
        .law(Edges(why::PASSED_ON), "the error of a part is passed on, that of `update` too", |f| {
            let (source, target) = (source()?, target()?);
            let (tokens, why) = ([&source, &target], "the error of a part is passed on");
            let toy = Toy::new()?;
            let broken = |_: &Tensor, _: &Tensor| bail!("this part fails");
            let model = |source: &Tensor, reads: &Tensor| toy.model(source, reads);
            let loss = |said: &Tensor, says: &Tensor| toy.loss(said, says);
            let given = toy.given()?;
            let about = |name: &str| format!("{given}\n{name}: fails");
            refused(&about("model"), why, f(tokens, &broken, &loss, &mut |_| Ok(())))?;
            refused(&about("loss"), why, f(tokens, &model, &broken, &mut |_| Ok(())))?;
            let answer = f(tokens, &model, &loss, &mut |_| bail!("this part fails"));
            refused(&about("update"), why, answer)
        })
}
