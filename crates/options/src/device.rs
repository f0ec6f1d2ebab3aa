//! Where a program computes.

/// An error unless `asked` is a device of the programs that compute on the CPU only, in their words.
pub fn cpu_only(asked: &str) -> Result<(), String> {
    match asked {
        "auto" | "cpu" => Ok(()),
        _ => Err(format!(
            "--device {asked}: this program computes on the CPU only; type --device cpu"
        )),
    }
}
