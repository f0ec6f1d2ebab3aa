//! Adam, with its state in the open.

use super::variables::without_gradient;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Var, bail};
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, collections::BTreeMap};

// Where earlier programs look for it.
pub use super::variables::Named;

/// What Adam can be told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamSettings {
    /// How much of the running mean of the gradients is kept at each step, in [0, 1).
    pub beta1: f64,
    /// How much of the running mean of their squares is kept, in [0, 1).
    pub beta2: f64,
    /// Added to the root of the mean square, so that nothing is divided by 0.
    pub eps: f64,
}

impl AdamSettings {
    /// The paper's (section 5.3).
    pub const PAPER: Self = Self { beta1: 0.9, beta2: 0.98, eps: 1e-9 };
    /// PyTorch's defaults.
    pub const PYTORCH: Self = Self { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
}

/// The running means of one variable's gradients and of their squares, number by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Of the gradients.
    pub first: Vec<f32>,
    /// Of their squares.
    pub second: Vec<f32>,
}

/// Adam (Kingma, Ba 2014) with bias correction and without weight decay, as `torch.optim.Adam`.
///
/// candle-nn's AdamW passes silently over a variable that has no gradient, so a layer may never learn; and its state
/// cannot be read, so a training cannot go on where it stopped. This one has neither fault.
#[derive(Debug)]
pub struct Adam {
    settings: AdamSettings,
    vars: Vec<(String, Var)>,
    moments: BTreeMap<String, Moments>,
    steps: usize,
}

impl Adam {
    /// For `vars`, f32 on the CPU. Errors when one has another type.
    pub fn new(vars: Vec<(String, Var)>, settings: AdamSettings) -> Result<Self> {
        let mut moments = BTreeMap::new();
        for (name, var) in &vars {
            if var.dtype() != DType::F32 {
                bail!("{name}: expected a variable of type f32; got {:?}", var.dtype());
            }
            let zeros = vec![0.; var.elem_count()];
            moments
                .insert(name.clone(), Moments { first: zeros.clone(), second: zeros });
        }
        Ok(Self { settings, vars, moments, steps: 0 })
    }

    /// How many steps were taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The moments by the names of the variables.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Goes on from the state of another run. Errors, and changes nothing, unless the names and sizes are the same.
    pub fn restore(
        &mut self,
        steps: usize,
        moments: BTreeMap<String, Moments>,
    ) -> Result<()> {
        for (name, var) in &self.vars {
            let expected = var.elem_count();
            match moments.get(name) {
                Some(Moments { first, second })
                    if first.len() == expected && second.len() == expected => {}
                Some(Moments { first, second }) => bail!(
                    "{name}: expected moments of {expected} numbers; got {} and {}",
                    first.len(),
                    second.len()
                ),
                None => bail!("{name}: no moments for this variable"),
            }
        }
        if let Some(name) =
            moments.keys().find(|name| !self.moments.contains_key(*name))
        {
            bail!("{name}: moments, but no such variable");
        }
        (self.steps, self.moments) = (steps, moments);
        Ok(())
    }

    /// Moves each variable against its gradient, at most by about `rate`.
    ///
    /// Errors, and changes nothing, when a variable has no gradient: then it does not take part in the loss, or an
    /// operation on the way has no backward pass.
    pub fn step(&mut self, rate: f64, gradients: &Named) -> Result<()> {
        for (name, var) in &self.vars {
            match gradients.get(name) {
                Some(gradient) if gradient.shape() == var.shape() => {}
                Some(gradient) => bail!(
                    "{name}: expected a gradient {:?}; got {:?}",
                    var.shape(),
                    gradient.shape()
                ),
                None => return without_gradient(name),
            }
        }
        self.steps += 1;
        let AdamSettings { beta1, beta2, eps } = self.settings;
        let steps = self.steps as f64;
        for (name, var) in &self.vars {
            let (Some(moments), Some(gradient)) =
                (self.moments.get_mut(name), gradients.get(name))
            else {
                bail!("{name}: no moments for this variable");
            };
            let update = Update {
                moments: RefCell::new(moments),
                keep: [beta1 as f32, beta2 as f32],
                add: [(1. - beta1) as f32, (1. - beta2) as f32],
                rate: (rate / (1. - beta1.powf(steps))) as f32,
                root: (1. - beta2.powf(steps)).sqrt() as f32,
                eps: eps as f32,
            };
            var.inplace_op2(&gradient.contiguous()?, &update)?;
        }
        Ok(())
    }
}

/// One variable's step: a single pass over its numbers, gradients and moments.
struct Update<'a> {
    moments: RefCell<&'a mut Moments>,
    keep: [f32; 2],
    add: [f32; 2],
    rate: f32,
    root: f32,
    eps: f32,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        var: &mut CpuStorage,
        var_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let (CpuStorage::F32(var), CpuStorage::F32(gradient)) = (var, gradient) else {
            bail!("adam: expected f32 variables and gradients");
        };
        let (Some((from, to)), Some((gradient_from, gradient_to))) =
            (var_layout.contiguous_offsets(), gradient_layout.contiguous_offsets())
        else {
            bail!("adam: expected contiguous variables and gradients");
        };
        let mut moments = self.moments.borrow_mut();
        let Moments { first, second } = &mut **moments;
        let numbers =
            var[from..to].iter_mut().zip(&gradient[gradient_from..gradient_to]);
        for ((x, &g), (m, v)) in numbers.zip(first.iter_mut().zip(second)) {
            *m = self.keep[0] * *m + self.add[0] * g;
            *v = self.keep[1] * *v + self.add[1] * g * g;
            *x -= self.rate * *m / (v.sqrt() / self.root + self.eps);
        }
        Ok(())
    }
}
