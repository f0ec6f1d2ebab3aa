//! Week 8's six variants.

use super::{Twin, accuracy::HALVES, judge::unit};
use candle_core::{DType, Result, bail};
use gpu::six;
use varlen::batch::Batch;

/// Inputs are rounded, then weights, then results: by a unit each, of numbers up to 5 or so, with room for the scores.
pub fn six_variants(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Batch::new(3, &[70, 1, 129, 33, 64], 2, head_dim)?;
    for dtype in HALVES {
        let came = six::run_by(&batch, &twin.device, dtype, Some(&twin.cuda), 1)?;
        let names: Vec<&str> = came.iter().map(|(name, _)| *name).collect();
        let expected = varlen::six::SIX.map(|(name, _)| name);
        if names != expected {
            bail!("expected {expected:?}; got {names:?}");
        }
        for (name, came) in came {
            let eager = name.starts_with("eager");
            match came {
                six::Came::Not(why) if name == "sdpa_bidirectional" && why.contains("mask") => {}
                six::Came::Ran { dtype: its, off_by, .. } if name != "sdpa_bidirectional" => {
                    let wanted = if eager { DType::F32 } else { dtype };
                    let allowed = if eager { 1e-4 } else { 20. * unit(dtype) };
                    if its != wanted || off_by > allowed || off_by.is_nan() {
                        bail!(
                            "{name} in {its:?}: off by {off_by:.0e}; expected {wanted:?}, {allowed:.0e}"
                        );
                    }
                }
                other => bail!("{name}: did not expect {other:?}"),
            }
        }
    }
    Ok(())
}
