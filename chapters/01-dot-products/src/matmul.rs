//! The matrix product, strict about leading dimensions.

use candle_core::{Result, Tensor, bail};

/// The matrix product `a·b` over the last two dimensions, one for each batch element and head in front.
///
/// `a` `(…, m, n)`, `b` `(…, n, p)` → `(…, m, p)`. Errors when the shapes do not fit. candle's own product compares only
/// how many matrices there are: it takes 2 × 3 for 3 × 2 and mixes up batch and heads without an error.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.dims(), b.dims()) {
        ([batch_a @ .., _, n], [batch_b @ .., rows, _]) if batch_a == batch_b && n == rows => {
            a.matmul(b)
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
        assert!(product(&[3], &[3, 2]).is_err());
        assert!(product(&[2, 3, 4, 5], &[3, 2, 5, 4]).is_err());
    }
}
