//! The fast path equals the readable one: outputs, losses and every gradient, to rounding.

mod attention;
mod compare;
mod layers;
mod models;
