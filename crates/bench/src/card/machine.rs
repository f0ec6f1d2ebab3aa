//! What the card and its driver say of themselves.

use crate::report::Card;
use anyhow::{Result, anyhow};
use std::process::Command;

/// The first CUDA card.
pub fn card() -> Result<Card> {
    let found = device::look().cuda.map_err(|why| anyhow!(why))?;
    let (major, minor) = found.capability;
    let said = Command::new("nvidia-smi").arg("-q").output().ok();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    Ok(Card {
        name: found.name,
        capability: format!("{major}.{minor}"),
        memory: found.memory as u64,
        driver: value(&said, "Driver Version"),
        cuda: value(&said, "CUDA Version"),
    })
}

/// What stands behind `name` and a colon, in the first such line.
fn value(said: &str, name: &str) -> Option<String> {
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix(name));
    let mut values = lines.filter_map(|rest| rest.trim().strip_prefix(':'));
    values.next().map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn versions_are_found_in_what_nvidia_smi_says() {
        let said =
            "=====NVSMI LOG=====\n\nDriver Version                 : 1.2.3\nCUDA Version  : 4.5\n";
        assert_eq!(value(said, "Driver Version").as_deref(), Some("1.2.3"));
        assert_eq!(value(said, "CUDA Version").as_deref(), Some("4.5"));
        assert_eq!(value("", "CUDA Version"), None);
    }
}
