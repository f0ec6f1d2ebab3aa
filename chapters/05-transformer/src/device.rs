//! Where a model is computed.

use candle_core::{Device, Result, bail};

/// The device that `--device` asks for, and in words what was chosen and why.
///
/// This build computes on the CPU only: an error for anything but `auto` and `cpu`.
pub fn chosen(asked: &str) -> Result<(Device, &'static str)> {
    match asked {
        "auto" => Ok((Device::Cpu, "cpu (auto: this build can compute nowhere else)")),
        "cpu" => Ok((Device::Cpu, "cpu")),
        other => bail!(
            "--device {other}: this build computes on the CPU only, and the models are small enough for it; type --device cpu"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_device_that_is_not_there_is_refused_with_what_to_type() {
        assert_eq!(chosen("cpu").unwrap().1, "cpu");
        assert!(chosen("auto").unwrap().1.starts_with("cpu (auto"));
        for asked in ["cuda", "metal", "gpu"] {
            let error = chosen(asked).unwrap_err().to_string();
            assert!(error.contains(asked) && error.contains("--device cpu"), "{error}");
        }
    }
}
