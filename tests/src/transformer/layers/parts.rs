//! Parts of a layer that are simple, `2·x` or `x + 1`, so that results can be computed by hand.

use crate::{
    harness::{
        Breach, Outcome,
        show::{inputs, remember},
    },
    transformer::parts::NormOrder,
};
use candle_core::{Result, Tensor, bail};
use std::{cell::RefCell, fmt};

/// A part of a layer that multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub(super) times: f64,
    pub(super) plus: f64,
}

pub(super) fn times(times: f64) -> Affine {
    Affine { times, plus: 0. }
}

pub(super) fn plus(plus: f64) -> Affine {
    Affine { times: 1., plus }
}

impl Affine {
    pub(super) fn of(self, x: &Tensor) -> Result<Tensor> {
        x.affine(self.times, self.plus)
    }
}

impl fmt::Display for Affine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.times, self.plus) {
            (1., plus) => write!(out, "x + {plus}"),
            (times, 0.) => write!(out, "{times}·x"),
            (times, plus) => write!(out, "{times:.3}·x + {plus:.3}"),
        }
    }
}

/// The inputs of a call, and what its parts do.
pub(super) fn given(
    named: &[(&str, &Tensor)],
    order: NormOrder,
    parts: &[(&str, Affine)],
) -> String {
    let mut text = format!("{}\norder: {order}", inputs(named));
    for (name, part) in parts {
        text += &format!("\n{name}: {part}");
    }
    remember(text)
}

/// Which parts were called, one after the other.
#[derive(Default)]
pub(super) struct Calls(RefCell<Vec<&'static str>>);

impl Calls {
    /// A part that notes its name and doubles.
    pub(super) fn part(&self, name: &'static str) -> impl Fn(&Tensor) -> Result<Tensor> {
        move |x| {
            self.0.borrow_mut().push(name);
            x * 2.
        }
    }

    /// The law that each part was called once, in this order.
    pub(super) fn are(&self, given: &str, expected: &[&str]) -> Outcome {
        let got = self.0.borrow().join(", ");
        let expected = expected.join(", ");
        if got == expected {
            return Ok(());
        }
        Err(Breach::text(given, &format!("calls of {expected}"), &format!("calls of {got}")))
    }
}

/// A part that fails.
pub(super) fn broken(_: &Tensor) -> Result<Tensor> {
    bail!("this part fails")
}

/// A part whose result has one row, whatever comes in.
pub(super) fn first_row(x: &Tensor) -> Result<Tensor> {
    x.narrow(0, 0, 1)
}
