//! Given: week 8's six variants, on a device.

use crate::Attend;
use candle_core::{DType, Device, Result, Tensor, bail};
use compare::largest_error;
use std::fmt::Write;
use varlen::{
    batch::Batch,
    six::{SIX, Variant},
    solution::{split, split_packed, unpad},
    timing::medians,
};

/// What came of a variant.
#[derive(Clone, Debug)]
pub enum Came {
    /// It ran.
    Ran {
        /// In this type.
        dtype: DType,
        /// The largest difference from the CPU's eager variant of its kind in f32, on the real tokens.
        off_by: f64,
        /// The median of its times.
        ms: f64,
    },
    /// It can't run there, and why.
    Not(&'static str),
}

/// Why a GPU leaves a variant out.
const NO_MASK: &str = "the kernel takes no mask: queries would see padding. Pack the batch, as flash_bidirectional does";

/// Runs the six on `device`, `sdpa_…` and `flash_…` by `attend` in `dtype`, and compares each with the CPU's eager
/// variant.
///
/// The eager ones are week 8's as they are, in f32: candle's operations run anywhere. On the CPU all six are.
/// Errors when the batch has no tokens.
pub fn run(
    batch: &Batch,
    device: &Device,
    dtype: DType,
    attend: &dyn Attend,
    rounds: usize,
) -> Result<Vec<(&'static str, Came)>> {
    run_by(batch, device, dtype, (!device.is_cpu()).then_some(attend), rounds)
}

/// As [`run`], wherever the device is: by `attend`, or without one all six as in week 8.
pub fn run_by(
    batch: &Batch,
    device: &Device,
    dtype: DType,
    attend: Option<&dyn Attend>,
    rounds: usize,
) -> Result<Vec<(&'static str, Came)>> {
    if batch.packed[0].elem_count() == 0 {
        bail!("batch: expected at least one token; got none");
    }
    let (plain, half) = (batch.to(device, DType::F32)?, batch.to(device, dtype)?);
    let mut came = vec![];
    for (at, (name, variant)) in SIX.iter().enumerate() {
        let by = attend.filter(|_| at % 3 != 0);
        if by.is_some() && *name == "sdpa_bidirectional" {
            came.push((*name, Came::Not(NO_MASK)));
            continue;
        }
        let there = if by.is_some() { &half } else { &plain };
        let run = || {
            let out = match by {
                Some(attend) => by_kernel(variant, at >= 3, there, attend),
                None => variant.run(there),
            };
            device.synchronize()?; // a GPU answers before it is done
            out
        };
        let mut out = run()?;
        if let Variant::Padded(_) = variant {
            out = unpad(&out, &there.keep)?.tokens;
        }
        let expected = SIX[at / 3 * 3].1.real_tokens(batch)?;
        let out = out.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let off_by = largest_error(&out, &expected)?;
        let [ms] = medians(rounds, [&run])?;
        came.push((*name, Came::Ran { dtype: there.packed[0].dtype(), off_by, ms }));
    }
    Ok(came)
}

/// `sdpa_causal` and `flash_…` by one call of a kernel that takes no mask.
fn by_kernel(
    variant: &Variant,
    causal: bool,
    batch: &Batch,
    attend: &dyn Attend,
) -> Result<Tensor> {
    let (heads, size) = (batch.num_heads, batch.head_dim);
    let scale = 1. / (size as f32).sqrt();
    match variant {
        // The padding stands behind the real tokens, so that causal hides it from them.
        Variant::Padded(_) => {
            let [q, k, v] = batch.padded.each_ref().map(|x| split(x, heads, size));
            attend.dense(&q?, &k?, &v?, scale, causal)?.transpose(1, 2)?.flatten_from(2)
        }
        Variant::Packed(_) => {
            let [q, k, v] = batch.packed.each_ref().map(|x| split_packed(x, heads, size));
            let (cu, max) = (&batch.cu_seqlens, batch.max_seqlen);
            attend.varlen(&q?, &k?, &v?, cu, cu, max, max, scale, causal)?.flatten(1, 2)
        }
    }
}

/// What [`run`] found, for the terminal.
pub fn table(came: &[(&'static str, Came)]) -> Result<String> {
    let mut table = "variant              type   off by at most       ms\n".to_owned();
    for (name, came) in came {
        let rest = match came {
            Came::Ran { dtype, off_by, ms } => {
                let dtype = dtype.as_str();
                format!("{dtype:<5} {off_by:>15.0e} {ms:>8.2}")
            }
            Came::Not(why) => format!("not run: {why}"),
        };
        writeln!(table, "{name:<20} {rest}").map_err(candle_core::Error::wrap)?;
    }
    Ok(table)
}
