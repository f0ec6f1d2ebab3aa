//! The GPU twin: candle-flash-attn, behind the same functions as the CPU's.

use crate::{
    api::{Api, CANDLE_FLASH_ATTN},
    attend::Attend,
    fits,
    solution::{flash_layout, half_dtype, pad_head_dim},
};
use candle_core::{D, DType, Device, Result, Tensor, bail};

/// Attention by candle-flash-attn: all that it wants otherwise than the CPU's kernels is adapted here.
///
/// - Tensors are on `device`; cumulative lengths may be on the CPU, where it costs nothing to check them.
/// - f16 and bf16 go in as they are. Others are rounded to the type that [`half_dtype`] says, which waits for the GPU;
///   the result is turned back.
/// - `head_dim` up to 512; what is no multiple of 8 is padded. Up to 65,535 sequences, and heads.
/// - No gradient: `backward` says so. [`crate::Naive`] has one.
#[derive(Clone, Debug)]
pub struct Cuda {
    device: Device,
    api: Api,
}

/// What the kernel is given.
struct Inputs {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: f32,
}

impl Cuda {
    /// On this device. Errors when this build has no CUDA, the device is none, or the kernels do not run on it.
    pub fn new(device: &Device) -> Result<Self> {
        if !device.is_cuda() {
            bail!("expected a CUDA device; got {:?}. `gpu::Cpu` computes there", device.location());
        }
        let cuda = Self::with(device, CANDLE_FLASH_ATTN);
        cuda.answers()?;
        Ok(cuda)
    }

    /// With something else that has candle-flash-attn's functions: the tests' stand-in, on the CPU.
    pub fn with(device: &Device, api: Api) -> Self {
        Self { device: device.clone(), api }
    }

    /// Errors when the kernels do not run on this device.
    ///
    /// candle-flash-attn does not say so: a kernel built for another card, or too new for this one, is not launched,
    /// and the result is memory that nobody has written to. Here one query weighs two values alike.
    pub fn answers(&self) -> Result<()> {
        let zeros = |seq| Tensor::zeros((1, 1, seq, 64), DType::F16, &self.device);
        let v = Tensor::new(&[1f32, 2.], &self.device)?.to_dtype(DType::F16)?;
        let v = v.reshape((1, 1, 2, 1))?.broadcast_as((1, 1, 2, 64))?;
        let out = self.dense(&zeros(1)?, &zeros(2)?, &v, 1., false)?.flatten_all()?;
        if out.to_dtype(DType::F32)?.to_vec1::<f32>()?.iter().any(|mean| *mean != 1.5) {
            bail!(
                "candle-flash-attn's kernels do not run on this card: they were built for another compute capability, or it \
                 is below 8.0 (Ampere). Build with CUDA_COMPUTE_CAP set to the card's, 90 for 9.0"
            );
        }
        Ok(())
    }

    /// Whether a tensor is on this device, which may have been opened more than once.
    pub(crate) fn holds(&self, x: &Tensor) -> bool {
        x.device().location() == self.device.location()
    }

    /// The inputs as the kernel takes them: in half precision, aligned, with a head dim that is a multiple of 8.
    fn prepared(&self, [q, k, v]: [&Tensor; 3], batch: usize, scale: f32) -> Result<Inputs> {
        if !self.holds(q) {
            let (ours, theirs) = (self.device.location(), q.device().location());
            bail!("q: expected on {ours:?}; got {theirs:?}. Move q, k and v with `to_device`");
        }
        let (heads, head_dim) = (q.dim(1)?, q.dim(D::Minus1)?);
        if head_dim > 512 {
            bail!("q: expected a head_dim of at most 512; got {head_dim}. `gpu::Naive` takes any");
        }
        // A launch with more fails, and candle-flash-attn does not say so.
        if batch > 65_535 || heads > 65_535 {
            bail!(
                "q: expected at most 65,535 sequences and heads; got {batch} and {heads}. Do a part at a time"
            );
        }
        let dtype = half_dtype(&[q, k, v])?;
        // The kernel looks for the largest score before it scales: its scale must be above 0.
        let (q, scale) = match scale {
            scale if scale > 0. => (q.clone(), scale),
            scale if scale < 0. => (q.neg()?, -scale),
            _ => ((q * 0.)?, 1.),
        };
        let one = |x: &Tensor| aligned(&pad_head_dim(&x.to_dtype(dtype)?)?);
        Ok(Inputs { q: one(&q)?, k: one(k)?, v: one(v)?, scale })
    }
}

/// `x` as the kernel reads it: a head's numbers side by side, eight at a time, from addresses that are multiples of
/// their 16 bytes. What lies otherwise is copied.
fn aligned(x: &Tensor) -> Result<Tensor> {
    let mut strides = x.dims().iter().zip(x.stride()).rev();
    let side_by_side = strides.next().is_none_or(|(_, stride)| *stride == 1);
    let in_steps = strides.all(|(size, stride)| *size <= 1 || stride.is_multiple_of(8));
    match side_by_side && in_steps && x.layout().start_offset().is_multiple_of(8) {
        true => Ok(x.clone()),
        // `contiguous` would leave alone what is contiguous and begins in between.
        false => x.force_contiguous(),
    }
}

/// The result without the padding of its heads, in the type that was given.
fn restored(out: &Tensor, q: &Tensor) -> Result<Tensor> {
    out.narrow(D::Minus1, 0, q.dim(D::Minus1)?)?.to_dtype(q.dtype())
}

impl Attend for Cuda {
    fn dense(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        fits::dense([q, k, v], scale)?;
        let inputs = match nothing_to_do(q, k)? {
            Some(out) => return Ok(out),
            None => self.prepared([q, k, v], q.dim(0)?, scale)?,
        };
        let [a, b, c] = [&inputs.q, &inputs.k, &inputs.v].map(flash_layout);
        let out = (self.api.dense)(&a?, &b?, &c?, inputs.scale, causal)?;
        restored(&flash_layout(&out)?, q)
    }

    fn varlen(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        cu_seqlens_q: &Tensor,
        cu_seqlens_k: &Tensor,
        max_seqlen_q: usize,
        max_seqlen_k: usize,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        let cu_seqlens = [cu_seqlens_q, cu_seqlens_k];
        let ends = fits::varlen([q, k, v], cu_seqlens, [max_seqlen_q, max_seqlen_k], scale)?;
        let inputs = match nothing_to_do(q, k)? {
            Some(out) => return Ok(out),
            None => self.prepared([q, k, v], ends[0].len() - 1, scale)?,
        };
        let [cu_q, cu_k] = cu_seqlens.map(|x| x.to_device(&self.device)?.contiguous());
        // Not what was said, which may be more: the kernel would start work for tokens that are none.
        let [max_q, max_k] = ends.map(|ends| longest(&ends));
        let Inputs { q: a, k: b, v: c, scale } = inputs;
        restored(&(self.api.varlen)(&a, &b, &c, &cu_q?, &cu_k?, max_q, max_k, scale, causal)?, q)
    }
}

/// The result where there is nothing to launch: no queries, or none that sees a key.
fn nothing_to_do(q: &Tensor, k: &Tensor) -> Result<Option<Tensor>> {
    Ok(match (q.elem_count(), k.elem_count()) {
        (0, _) => Some(q.clone()),
        (_, 0) => Some(q.zeros_like()?),
        _ => None,
    })
}

fn longest(ends: &[u32]) -> usize {
    ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0) as usize
}
