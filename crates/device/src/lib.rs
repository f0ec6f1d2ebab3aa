//! Where a program computes: what `--device` asks for, what there is, and in words what was chosen and why.

mod found;

pub use found::{AMPERE, Card, Found, look};

use candle_core::{Device, Error, Result};

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The processor.
    Cpu,
    /// An NVIDIA card.
    Cuda,
    /// An Apple GPU.
    Metal,
}

/// A device, and why it is this one.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Where to compute.
    pub device: Device,
    /// What was chosen, and with `auto` why, in one line.
    pub said: String,
}

/// The device that `--device` asks for, for a program that can compute on those `able`.
///
/// `auto` takes a CUDA card whose kernels the course can use, else a Metal GPU, else the CPU. Errors when `asked` is no
/// kind of device, the program can't use it, or it is not there; the error says which, and what to type.
pub fn choose(asked: &str, able: &[Kind]) -> Result<Choice> {
    let (kind, said) = decide(asked, able, &look())?;
    let device = match kind {
        Kind::Cpu => Device::Cpu,
        Kind::Cuda => Device::new_cuda(0)?,
        Kind::Metal => Device::new_metal(0)?,
    };
    Ok(Choice { device, said })
}

/// As [`choose`], without opening the device.
pub fn decide(asked: &str, able: &[Kind], found: &Found) -> Result<(Kind, String)> {
    let kind = match asked {
        "auto" => return Ok(auto(able, found)),
        "cpu" => return Ok((Kind::Cpu, "cpu".to_owned())),
        "cuda" => Kind::Cuda,
        "metal" => Kind::Metal,
        other => return refused(format!("--device {other}: expected auto, cpu, cuda or metal")),
    };
    if !able.contains(&kind) {
        let also = able.iter().filter(|able| **able != Kind::Cpu).map(|able| able.name());
        let able: Vec<&str> = ["the CPU"].into_iter().chain(also).collect();
        return refused(format!(
            "--device {asked}: this program computes on {} only; type --device cpu",
            able.join(" and ")
        ));
    }
    match found.usable(kind) {
        Ok(name) => Ok((kind, format!("{asked}: {name}"))),
        Err(why) => refused(format!("--device {asked}: {why}; or type --device cpu")),
    }
}

/// An error for whoever typed it: without a backtrace, which `bail!` adds.
fn refused<T>(why: String) -> Result<T> {
    Err(Error::Msg(why))
}

fn auto(able: &[Kind], found: &Found) -> (Kind, String) {
    let mut reasons = vec![];
    let somewhere = |kind: &Kind| *kind != Kind::Metal || cfg!(target_vendor = "apple");
    let kinds = [Kind::Cuda, Kind::Metal].into_iter().filter(|kind| able.contains(kind));
    for kind in kinds.filter(somewhere) {
        match found.usable(kind) {
            Ok(name) => return (kind, format!("{}: {name} (auto: it is there)", kind.flag())),
            Err(why) => reasons.push(why),
        }
    }
    let why = match reasons.is_empty() {
        true => "this program computes nowhere else".to_owned(),
        false => reasons.join("; "),
    };
    (Kind::Cpu, format!("cpu (auto: {why})"))
}

impl Kind {
    /// As `--device` names it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "the CPU",
            Self::Cuda => "CUDA cards",
            Self::Metal => "Metal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 3] = [Kind::Cpu, Kind::Cuda, Kind::Metal];

    fn card(capability: (usize, usize)) -> Found {
        let name = "Test Card".to_owned();
        let card = Card { name, capability, memory: 8 << 30 };
        Found { cuda: Ok(card), metal: Err("no Metal".to_owned()) }
    }

    fn none() -> Found {
        Found { cuda: Err("no card".to_owned()), metal: Err("no Metal".to_owned()) }
    }

    fn refusal(asked: &str, able: &[Kind], found: &Found) -> String {
        decide(asked, able, found).unwrap_err().to_string()
    }

    #[test]
    fn auto_takes_a_card_and_says_so() {
        let (kind, said) = decide("auto", &ALL, &card((9, 0))).unwrap();
        assert_eq!(kind, Kind::Cuda);
        assert!(said.contains("Test Card") && said.contains("9.0"), "{said}");
    }

    #[test]
    fn auto_falls_back_with_every_reason() {
        let (kind, said) = decide("auto", &ALL, &none()).unwrap();
        assert_eq!(kind, Kind::Cpu);
        assert!(said.starts_with("cpu (auto: no card"), "{said}");
        let (kind, said) = decide("auto", &[Kind::Cpu], &card((9, 0))).unwrap();
        assert_eq!(kind, Kind::Cpu);
        assert!(said.contains("computes nowhere else"), "{said}");
    }

    #[test]
    fn a_card_older_than_ampere_is_not_taken() {
        let (kind, said) = decide("auto", &ALL, &card((7, 5))).unwrap();
        assert_eq!(kind, Kind::Cpu);
        assert!(said.contains("7.5") && said.contains("8.0"), "{said}");
        let error = refusal("cuda", &ALL, &card((7, 5)));
        assert!(error.contains("Ampere") && error.contains("--device cpu"), "{error}");
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_what_to_type() {
        assert_eq!(decide("cpu", &ALL, &none()).unwrap().1, "cpu");
        for asked in ["cuda", "metal"] {
            let error = refusal(asked, &ALL, &none());
            assert!(error.contains(asked) && error.contains("--device cpu"), "{error}");
            let error = refusal(asked, &[Kind::Cpu], &none());
            assert!(error.contains("computes on the CPU only"), "{error}");
        }
        assert!(refusal("gpu", &ALL, &none()).contains("expected auto, cpu, cuda or metal"));
    }

    #[test]
    fn what_is_asked_for_and_there_is_taken() {
        let found = Found { metal: Ok(()), ..card((8, 0)) };
        assert_eq!(decide("cpu", &ALL, &found).unwrap().0, Kind::Cpu);
        let (kind, said) = decide("cuda", &ALL, &found).unwrap();
        assert_eq!((kind, said.as_str()), (Kind::Cuda, "cuda: Test Card, capability 8.0"));
        let (kind, said) = decide("metal", &ALL, &found).unwrap();
        assert_eq!((kind, said.as_str()), (Kind::Metal, "metal: an Apple GPU"));
        for kind in ALL {
            assert_eq!(decide(kind.flag(), &ALL, &found).unwrap().0, kind);
        }
    }

    #[test]
    fn a_program_is_not_sent_where_it_cannot_compute() {
        let found = Found { metal: Ok(()), ..card((9, 0)) };
        assert_eq!(decide("auto", &[Kind::Cpu], &found).unwrap().0, Kind::Cpu);
        let error = refusal("metal", &[Kind::Cpu, Kind::Cuda], &found);
        assert!(error.contains("computes on the CPU and CUDA cards only"), "{error}");
    }

    #[test]
    fn only_exact_names_are_devices() {
        for asked in ["", "gpu", "CUDA", "cuda:0", " cpu", "auto "] {
            let error = refusal(asked, &ALL, &card((9, 0)));
            assert!(error.contains("expected auto, cpu, cuda or metal"), "{error}");
        }
    }

    /// What this build and this machine have, whatever it is.
    #[test]
    fn looking_never_fails() {
        let Found { cuda, metal } = look();
        for reason in [cuda.err(), metal.err()].into_iter().flatten() {
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
        assert!(choose("auto", &ALL).is_ok());
    }
}
