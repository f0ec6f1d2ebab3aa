//! What a training moves: variables with their names, and their gradients.

use candle_core::{Result, Tensor, Var, backprop::GradStore, bail};
use candle_nn::VarMap;
use std::collections::BTreeMap;

/// Tensors by the names of the variables that they belong to.
pub type Named = BTreeMap<String, Tensor>;

/// The variables of `vars` with their names, in the order of the names.
pub fn named(vars: &VarMap) -> Vec<(String, Var)> {
    let vars = vars.data().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut named: Vec<_> =
        vars.iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    named.sort_by(|one, other| one.0.cmp(&other.0));
    named
}

// ANCHOR: expect_gradients
/// An error that names the first of `vars` that has no gradient.
///
/// candle-nn's optimisers pass over such a variable without a word, so a layer may
/// never learn.
pub fn expect_gradients(vars: &[(String, Var)], gradients: &GradStore) -> Result<()> {
    match vars.iter().find(|(_, var)| gradients.get(var).is_none()) {
        Some((name, _)) => without_gradient(name),
        None => Ok(()),
    }
}
// ANCHOR_END: expect_gradients

/// Takes the gradient of each variable out of `gradients`. Errors when a variable has none.
pub fn take_gradients(
    vars: &[(String, Var)],
    mut gradients: GradStore,
) -> Result<Named> {
    expect_gradients(vars, &gradients)?;
    let taken =
        |(name, var): &(String, Var)| Some((name.clone(), gradients.remove(var)?));
    Ok(vars.iter().filter_map(taken).collect())
}

/// The error for a variable without a gradient.
pub fn without_gradient<T>(name: &str) -> Result<T> {
    bail!(
        "{name}: no gradient. Either the loss does not depend on this variable, or an operation between them has no backward pass"
    )
}
