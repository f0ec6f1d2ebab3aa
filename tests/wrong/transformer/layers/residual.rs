//! Wrong sublayers: norm and shortcut in the wrong places.

use super::right;
use crate::{
    transformer::{
        NormOrder::{self, Post, Pre},
        Residual,
    },
    wrong::{Wrong, wrong},
};
use candle_core::{Result, Tensor};

fn other(order: NormOrder) -> NormOrder {
    match order {
        Pre => Post,
        Post => Pre,
    }
}

pub fn residual() -> Vec<Wrong<Residual>> {
    vec![
        wrong!(
            "always post",
            "pre-norm is wired as post-norm: for `Pre` the norm stands before the sublayer, and the shortcut runs past both.",
            |x, _, norm, sublayer| right(x, Post, norm, sublayer)
        ),
        wrong!(
            "always pre",
            "post-norm is wired as pre-norm: for `Post`, the paper's order, the norm comes last, over the sum.",
            |x, _, norm, sublayer| right(x, Pre, norm, sublayer)
        ),
        wrong!(
            "pre and post exchanged",
            "the two orders have changed places: `Pre` is x + sublayer(norm(x)), `Post` is norm(x + sublayer(x)).",
            |x, order, norm, sublayer| right(x, other(order), norm, sublayer)
        ),
        wrong!(
            "shortcut forgotten",
            "the shortcut is missing: x itself is to be added to what the sublayer gives. Without it deep stacks hardly learn.",
            |x, order, norm, sublayer| match order {
                Pre => same_shape(x, sublayer(&norm(x)?)?),
                Post => norm(&same_shape(x, sublayer(x)?)?),
            }
        ),
        wrong!(
            "shortcut forgotten in pre-norm",
            "in pre-norm the shortcut is missing: add x to what the sublayer gives.",
            |x, order, norm, sublayer| match order {
                Pre => same_shape(x, sublayer(&norm(x)?)?),
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!(
            "shortcut forgotten in post-norm",
            "in post-norm the shortcut is missing: the norm goes over x + sublayer(x).",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => norm(&same_shape(x, sublayer(x)?)?),
            }
        ),
        wrong!(
            "normed shortcut",
            "in pre-norm the shortcut starts after the norm: add x itself, not norm(x). What makes pre-norm train well is a path from the last layer to the first without any norm.",
            |x, order, norm, sublayer| match order {
                Pre => {
                    let normed = norm(x)?;
                    &normed + sublayer(&normed)?
                }
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!(
            "norm over the sublayer alone",
            "in post-norm the norm goes over the sublayer's result alone: it goes over the sum.",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => x + norm(&sublayer(x)?)?,
            }
        ),
        wrong!(
            "norm after the sublayer in pre-norm",
            "in pre-norm the norm stands after the sublayer: the sublayer gets norm(x), and its result is added unchanged.",
            |x, order, norm, sublayer| match order {
                Pre => x + norm(&sublayer(x)?)?,
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!(
            "norm between sublayer and sum",
            "the norm stands between the sublayer and the sum: `Pre` norms what goes into the sublayer, `Post` the sum.",
            |x, _, norm, sublayer| x + norm(&sublayer(x)?)?
        ),
        wrong!(
            "normed before and after",
            "in post-norm the input of the sublayer is normed as well: the norm stands after the sum, and nowhere else.",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => norm(&(x + sublayer(&norm(x)?)?)?),
            }
        ),
        wrong!(
            "a norm over the sum in pre-norm, too",
            "in pre-norm the sum is normed as well: the norm stands before the sublayer, and nowhere else.",
            |x, order, norm, sublayer| match order {
                Pre => norm(&(x + sublayer(&norm(x)?)?)?),
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!("norm forgotten", "the norm is never called.", |x, _, _, sublayer| x + sublayer(x)?),
        wrong!(
            "shortcut detached",
            "the values are right, but the gradient does not take the shortcut: add x itself, without `detach`.",
            |x, order, norm, sublayer| match order {
                Pre => x.detach() + sublayer(&norm(x)?)?,
                Post => norm(&(x.detach() + sublayer(x)?)?),
            }
        ),
        wrong!(
            "stretched to the shape of x",
            "a sublayer's result of another shape was stretched by broadcasting, silently: a plain `+` requires equal shapes.",
            |x, order, norm, sublayer| match order {
                Pre => x.broadcast_add(&sublayer(&norm(x)?)?),
                Post => norm(&x.broadcast_add(&sublayer(x)?)?),
            }
        ),
    ]
}

/// `y`, when it has the shape of `x`: what the sum would have asked for.
fn same_shape(x: &Tensor, y: Tensor) -> Result<Tensor> {
    x.zeros_like()? + y
}
