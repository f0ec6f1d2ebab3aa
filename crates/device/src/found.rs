//! What a program finds: the card that answers, or why none does.

use super::Kind;
use std::result::Result;

/// The compute capability from which candle-flash-attn's kernels run.
pub const AMPERE: (usize, usize) = (8, 0);

/// An NVIDIA card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// As the driver names it.
    pub name: String,
    /// Compute capability: 8.0 is Ampere's, 9.0 Hopper's.
    pub capability: (usize, usize),
    /// Bytes.
    pub memory: usize,
}

/// What there is beside the CPU, or in a line why it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first CUDA card.
    pub cuda: Result<Card, String>,
    /// A Metal GPU.
    pub metal: Result<(), String>,
}

/// Looks for devices. Never fails: what is not there is said.
pub fn look() -> Found {
    Found { cuda: cuda(), metal: metal() }
}

impl Found {
    /// The name of a device that can be used, or in a line why it can't: a CUDA card must run the flash kernels.
    pub fn usable(&self, kind: Kind) -> Result<String, String> {
        match kind {
            Kind::Cpu => Ok("the CPU".to_owned()),
            Kind::Metal => self.metal.clone().map(|()| "an Apple GPU".to_owned()),
            Kind::Cuda => {
                let Card { name, capability: (major, minor), .. } = self.cuda.clone()?;
                let card = format!("{name}, capability {major}.{minor}");
                if (major, minor) >= AMPERE {
                    return Ok(card);
                }
                Err(format!("{card}; the flash kernels need 8.0 (Ampere)"))
            }
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Card, String> {
    use candle_core::Device;
    // A driver that isn't there, a card that isn't: candle hands on what CUDA says.
    let says = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        format!("no CUDA card answers ({})", text.lines().next().unwrap_or_default())
    };
    let device = Device::new_cuda(0).map_err(|error| says(&error))?;
    let stream = device.as_cuda_device().map_err(|error| says(&error))?.cuda_stream();
    let context = stream.context();
    let (major, minor) = context.compute_capability().map_err(|error| says(&error))?;
    Ok(Card {
        name: context.name().map_err(|error| says(&error))?,
        capability: (major.unsigned_abs() as usize, minor.unsigned_abs() as usize),
        memory: context.total_mem().map_err(|error| says(&error))?,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Card, String> {
    Err("this build has no CUDA: that takes `--features cuda` and an NVIDIA card".to_owned())
}

#[cfg(feature = "metal")]
fn metal() -> Result<(), String> {
    candle_core::Device::new_metal(0).map(drop).map_err(|error| {
        let text = error.to_string();
        format!("no Metal GPU answers ({})", text.lines().next().unwrap_or_default())
    })
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<(), String> {
    Err("this build has no Metal: that takes `--features metal` and a Mac".to_owned())
}
