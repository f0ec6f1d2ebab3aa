//! What the variance of dot products must hold.

use super::Binary;
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation},
        cases::matrix,
        compare::{refused, rounding, same},
        show::inputs,
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

pub(super) fn zoo() -> Vec<Proof> {
    variance_laws().proofs()
}

/// Checks the variance of dot products: `(draws, dim)`, `(draws, dim)` → scalar.
pub fn dot_product_variance(
    answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    variance_laws().judge(&answer)
}

fn variance_laws() -> Check<Binary> {
    let law = |f: &Binary, query: Tensor, key: Tensor, expected: f32| {
        let given = inputs(&[("query", &query), ("key", &key)]);
        // A few roundings of a distance from the mean; the mean's own size does not count.
        same(&given, f(&query, &key), &Tensor::new(expected, &Device::Cpu)?, rounding(8))
    };
    Check::new("scaling::dot_product_variance", wrong::scaling::dot_product_variance())
        .law(
            Implementation,
            "the mean of the squared distances from the mean: dot products of 1, 2 and 6 have the variance (4 + 1 + 9) / 3",
            move |f| {
                let query = matrix(&[[1.], [2.], [6.]])?;
                law(f, query, matrix(&[[1.], [1.], [1.]])?, 14. / 3.)
            },
        )
        .law(Implementation, "the mean is subtracted: equal dot products have a variance of 0", move |f| {
            law(f, matrix(&[[2.], [2.], [2.]])?, matrix(&[[3.], [3.], [3.]])?, 0.)
        })
        .law(
            Implementation,
            "squared distances are averaged: their sum is divided by the number of draws",
            // Products 0, 0, 3: mean 1, squared distances 1, 1, 4.
            move |f| law(f, matrix(&[[0.], [0.], [1.]])?, matrix(&[[1.], [1.], [3.]])?, 2.),
        )
        .law(
            Implementation,
            "dot products of paired rows: each row of `query` meets the same row of `key`, and sums over `dim`",
            move |f| {
                // Products 1, 2 and 6: mean 3, squared distances 4, 1 and 9.
                let query = matrix(&[[1., 0.], [1., 1.], [2., 2.]])?;
                law(f, query, matrix(&[[1., 5.], [1., 1.], [2., 1.]])?, 14. / 3.)
            },
        )
        .law(Implementation, "a thousand draws agree with the variance computed in f64", |f| {
            let (query, key) = (seeded::normal(1, (1000, 16))?, seeded::normal(2, (1000, 16))?);
            let products = (query.to_dtype(DType::F64)? * key.to_dtype(DType::F64)?)?.sum(1)?;
            let apart = products.broadcast_sub(&products.mean_all()?)?;
            let expected = apart.sqr()?.mean_all()?.to_dtype(DType::F32)?;
            let given = inputs(&[("query", &query), ("key", &key)]);
            // At most one rounding a summand, however the sum over the draws is grouped.
            same(&given, f(&query, &key), &expected, rounding(1000))
        })
        .law(
            Edges("scores share a large mean when queries or keys share a direction, as trained ones do; what is left of the variance is then rounding noise."),
            "a large mean does no harm: distances are squared, not products (the variance of 4999, 5000 and 5001 is 2/3)",
            move |f| {
                law(f, matrix(&[[4999.], [5000.], [5001.]])?, matrix(&[[1.], [1.], [1.]])?, 2. / 3.)
            },
        )
        .law(Edges(why::DOUBLE), "f64 in, f64 out, to f64's precision", |f| {
            // Products 2²⁰ and 2²⁰ + 2⁻¹⁰, which f32 takes for equal: each is 2⁻¹¹ from the mean.
            let rows = |rows: [f64; 2]| Tensor::new(&rows, &Device::Cpu)?.unsqueeze(1);
            let (query, key) = (rows([1048576., 1048576. + 1. / 1024.])?, rows([1., 1.])?);
            let expected = Tensor::new(2f64.powi(-22), &Device::Cpu)?;
            same(
                &inputs(&[("query", &query), ("key", &key)]),
                f(&query, &key),
                &expected,
                rounding(8),
            )
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error", |f| {
            for (query, key) in [((3, 4), (3, 5)), ((3, 4), (1, 4))] {
                let (query, key) = (seeded::normal(1, query)?, seeded::normal(2, key)?);
                let given = inputs(&[("query", &query), ("key", &key)]);
                refused(&given, "these rows cannot be paired", f(&query, &key))?;
            }
            Ok(())
        })
}
