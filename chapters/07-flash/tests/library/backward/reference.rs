//! Gradients through the naive version in f64, and how far from them rounding may lead.

use crate::options::{epsilon, numbers};
use candle_core::{DType, Device, Result, Tensor, Var};
use flash::{Path, SdpaOptions, flash_attention_on, naive};

/// Gradients of q, k and v of Σ out · `grad`, through an attention.
pub fn gradients(
    inputs: &[Tensor; 3],
    grad: &Tensor,
    attention: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<[Tensor; 3]> {
    let vars = [0, 1, 2].map(|at| Var::from_tensor(&inputs[at]));
    let [q, k, v] = vars;
    let (q, k, v) = (q?, k?, v?);
    let store = (attention(&q, &k, &v)? * grad)?.sum_all()?.backward()?;
    let get = |var: &Var| match store.get(var) {
        Some(gradient) => Ok(gradient.clone()),
        None => var.zeros_like(), // the naive version without keys
    };
    Ok([get(&q)?, get(&k)?, get(&v)?])
}

/// Gradients through the kernel.
pub fn kernel(
    path: Path,
    inputs: &[Tensor; 3],
    grad: &Tensor,
    options: &SdpaOptions,
) -> Result<[Tensor; 3]> {
    gradients(inputs, grad, |q, k, v| Ok(flash_attention_on(path, q, k, v, options)?.0))
}

/// Gradients in f64, and for each number how far rounding with an epsilon of 1 may lead.
pub struct Reference {
    pub gradients: [Tensor; 3],
    pub slack: [Tensor; 3],
}

/// The reference, with its slack derived so. With ε for an epsilon, P the weights and L = Σ |q·k·scale|:
///
/// - A score of d products is off by ε · L, three of them for chance, one for its factors; an exponent by the size of what
///   is subtracted, the log-sum-exp and the score with its bias, and by 6 ε for the exponential. So a weight is off by
///   s = 4 L + 2 |lse| + |ln P| + 6, relatively.
/// - dP = dO·Vᵀ is off by 3 Σ |dO·V|, delta by 3 Σ |dO·O| and by what O is off by: Σ |dO| · Σ s · P · |V|.
/// - A slope is P · (dP − delta), and off by what its factors are; sums over n of them add √n / 2 of each.
pub fn reference(inputs: &[Tensor; 3], grad: &Tensor, options: &SdpaOptions) -> Result<Reference> {
    let exact = |x: &Tensor| x.to_dtype(DType::F64)?.contiguous();
    let [q, k, v] = [exact(&inputs[0])?, exact(&inputs[1])?, exact(&inputs[2])?];
    let grad = exact(grad)?;
    let attention = |q: &Tensor, k: &Tensor, v: &Tensor| naive::attention(q, k, v, options);
    let gradients = gradients(&[q.clone(), k.clone(), v.clone()], &grad, attention)?;

    let ((batch, heads, seq_q, dim), (_, heads_kv, seq_k, dim_v)) = (q.dims4()?, v.dims4()?);
    let group = heads / heads_kv;
    let scale = options.scale.unwrap_or(1. / (dim as f64).sqrt()).abs();
    let repeat = |x: &Tensor| -> Result<Tensor> {
        let (batch, heads_kv, seq, dim) = x.dims4()?;
        let x = x.unsqueeze(2)?.expand((batch, heads_kv, group, seq, dim))?;
        x.contiguous()?.reshape((batch, heads, seq, dim))
    };
    let (k_all, v_all) = (repeat(&k)?.abs()?, repeat(&v)?);
    // The weights are the output for values that are the rows of the identity.
    let identity = Tensor::eye(seq_k, DType::F64, &Device::Cpu)?;
    let identity = identity.expand((batch, heads_kv, seq_k, seq_k))?.contiguous()?;
    let weights = naive::attention(&q, &k, &identity, options)?; // (batch, heads, seq_q, seq_k)
    let (_, lse) = flash_attention_on(Path::Portable, &q, &k, &v, options)?;
    let lse = lse.to_dtype(DType::F64)?.unsqueeze(3)?.clamp(-1e300, 1e300)?.abs()?;
    let logs = weights.clamp(1e-300, 1.)?.log()?.abs()?;
    let products = (q.abs()?.matmul(&k_all.t()?.contiguous()?)? * scale)?;
    let nothing = weights.zeros_like()?;
    let off = ((((products * 4.)? + logs)? + 6.)?.broadcast_add(&(lse * 2.)?))?;
    let off = weights.gt(0.)?.where_cond(&(off * &weights)?, &nothing)?; // of the weights

    let out = weights.matmul(&v_all)?;
    let delta = (&out * &grad)?.sum_keepdim(3)?;
    let slopes = grad.matmul(&v_all.t()?.contiguous()?)?.broadcast_sub(&delta)?.abs()?;
    let delta_off = ((out * &grad)?.abs()? * 3.)?;
    let delta_off = (delta_off + (grad.abs()? * off.matmul(&v_all.abs()?)?)?)?.sum_keepdim(3)?;
    let sizes = (grad.abs()?.matmul(&v_all.abs()?.t()?.contiguous()?)? * 3.)?;
    let roots = |n: usize| 0.5 * (n as f64).sqrt();
    let slopes_off = ((&slopes * &off)? + (&weights * sizes.broadcast_add(&delta_off)?)?)?;
    let slopes = (slopes * &weights)?;
    let with_sums = |n| (&slopes_off + (&slopes * roots(n))?)? * scale;

    let sum = |x: Tensor, dim| {
        x.reshape((batch, heads_kv, group, seq_k, dim))?.sum(2) // over the heads of a group
    };
    let turned = |x: &Tensor| x.t()?.contiguous();
    let to_q = with_sums(seq_k)?.matmul(&k_all)?;
    let to_k = sum(turned(&with_sums(seq_q * group)?)?.matmul(&q.abs()?)?, dim)?;
    let weights_off = (off + (weights * roots(seq_q * group))?)?;
    let to_v = sum(turned(&weights_off)?.matmul(&grad.abs()?)?, dim_v)?;
    Ok(Reference { gradients, slack: [to_q, to_k, to_v] })
}

/// Panics unless the kernel's gradients agree with the reference on every path.
pub fn agrees(case: &str, inputs: &[Tensor; 3], options: &SdpaOptions) -> Result<()> {
    let ((batch, heads, seq_q, _), dim_v) = (inputs[0].dims4()?, inputs[2].dim(3)?);
    let grad = seeded::normal(77, (batch, heads, seq_q, dim_v))?.to_dtype(inputs[0].dtype())?;
    agrees_for(case, inputs, &grad, options)
}

/// As [`agrees`], for this gradient of the output.
pub fn agrees_for(
    case: &str,
    inputs: &[Tensor; 3],
    grad: &Tensor,
    options: &SdpaOptions,
) -> Result<()> {
    let expected = reference(inputs, grad, options)?;
    for path in Path::available() {
        let got = kernel(path, inputs, grad, options)?;
        for (at, name) in ["dq", "dk", "dv"].into_iter().enumerate() {
            assert_eq!((got[at].dims(), got[at].dtype()), (inputs[at].dims(), inputs[at].dtype()));
            let (want, slack) = (&expected.gradients[at], &expected.slack[at]);
            let close = Close::of(inputs[0].dtype());
            close.check(&format!("{case}, {path:?}, {name}"), &got[at], want, slack)?;
        }
    }
    Ok(())
}

/// What rounding allows.
struct Close {
    /// Epsilon computed with, for the kernel and for the reference.
    inner: f64,
    /// Half the epsilon of the type of the results.
    outer: f64,
}

impl Close {
    fn of(dtype: DType) -> Self {
        match dtype {
            DType::F64 => Self { inner: 2. * epsilon(dtype), outer: 0. },
            DType::F32 => Self { inner: epsilon(dtype), outer: 0. },
            _ => Self { inner: epsilon(DType::F32), outer: epsilon(dtype) / 2. },
        }
    }

    fn check(&self, case: &str, got: &Tensor, want: &Tensor, slack: &Tensor) -> Result<()> {
        let slack = numbers(slack)?;
        for (at, (got, want)) in numbers(got)?.into_iter().zip(numbers(want)?).enumerate() {
            // Below 1e-30 is nothing; what f16 can't hold is rounded to its steps.
            let allowed = self.inner * slack[at]
                + self.outer * want.abs()
                + if self.outer == 0. { 1e-30 } else { 1e-7 };
            assert!(
                (got - want).abs() <= allowed,
                "{case} {at}: got {got}, expected {want} ± {allowed}"
            );
        }
        Ok(())
    }
}
