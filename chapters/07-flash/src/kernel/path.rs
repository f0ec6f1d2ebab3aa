//! Which instructions the kernel uses.

use candle_core::{Result, bail};
use std::sync::OnceLock;

/// A set of instructions for which the kernel is written. f64 takes the portable path whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Plain Rust, for every processor.
    Portable,
    /// AVX2 and FMA: x86-64 since 2013.
    Avx2,
    /// AVX-512F: most x86-64 servers, and desktops since Zen 4.
    Avx512,
}

impl Path {
    /// All paths that this processor can take, slowest first.
    pub fn available() -> Vec<Self> {
        let here = |path: &Self| path.is_here();
        [Self::Portable, Self::Avx2, Self::Avx512].into_iter().filter(here).collect()
    }

    /// The path to take: the fastest that this processor has, or the one that the environment variable
    /// `FLASH_PATH` (`avx512`, `avx2` or `portable`, read once) names.
    ///
    /// Errors when the variable names no path, or one that this processor lacks.
    pub fn detect() -> Result<Self> {
        static NAMED: OnceLock<Option<String>> = OnceLock::new();
        match NAMED.get_or_init(|| std::env::var("FLASH_PATH").ok()).as_deref() {
            None | Some("") => {
                let all = [Self::Avx512, Self::Avx2];
                Ok(all.into_iter().find(Self::is_here).unwrap_or(Self::Portable))
            }
            Some("avx512") => Self::Avx512.here(),
            Some("avx2") => Self::Avx2.here(),
            Some("portable") => Ok(Self::Portable),
            Some(other) => bail!(
                "FLASH_PATH: expected avx512, avx2 or portable; got {other:?}. Unset it to take the fastest"
            ),
        }
    }

    /// This path, when the processor has its instructions.
    pub(crate) fn here(self) -> Result<Self> {
        if !self.is_here() {
            let available = Self::available();
            bail!("path: expected one that this processor has, {available:?}; got {self:?}");
        }
        Ok(self)
    }

    fn is_here(&self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => super::instructions::avx2::Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => super::instructions::avx512::Avx512::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}
