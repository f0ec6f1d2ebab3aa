//! The matrix product, also of empty matrices.

use candle_core::{Result, Shape, Tensor, bail};

/// `a·b` over the last two dimensions; an empty sum is 0.
///
/// `a` `(…, m, n)`, `b` `(…, n, p)` → `(…, m, p)`. candle's own product panics when a dimension is 0.
/// Errors when the shapes do not fit.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.elem_count() > 0 && b.elem_count() > 0 {
        return a.matmul(b);
    }
    match (a.dims(), b.dims()) {
        ([batch_a @ .., m, n], [batch_b @ .., rows, p]) if batch_a == batch_b && n == rows => {
            let shape = Shape::from([batch_a, &[*m, *p]].concat());
            Tensor::zeros(shape, a.dtype(), a.device())
        }
        (a, b) => bail!("matmul: expected (…, m, n) and (…, n, p); got {a:?} and {b:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn product(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
        Ok(matmul(&zeros(a)?, &zeros(b)?)?.dims().to_vec())
    }

    #[test]
    fn empty_matrices_multiply_by_the_rules() -> Result<()> {
        assert_eq!(product(&[2, 0, 3], &[2, 3, 4])?, [2, 0, 4]);
        assert_eq!(product(&[2, 0], &[0, 4])?, [2, 4]);
        assert_eq!(product(&[0, 2, 3], &[0, 3, 4])?, [0, 2, 4]);
        Ok(())
    }

    #[test]
    fn shapes_that_do_not_fit_are_an_error() {
        assert!(product(&[0, 3], &[4, 2]).is_err());
        assert!(product(&[2, 3], &[4, 2]).is_err());
    }
}
