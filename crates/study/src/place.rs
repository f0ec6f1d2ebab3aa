//! Who runs the program, and where.

use std::path::Path;

use crate::process::ask;

/// Whether the user is root, as in most containers.
pub fn is_root() -> bool {
    cfg!(unix) && ask("id", &["-u"]).as_deref() == Some("0")
}

/// Whether this is a container, as far as Docker, Podman, Kubernetes and systemd let it be known.
pub fn is_container() -> bool {
    let files = ["/.dockerenv", "/run/.containerenv"];
    let variables = ["container", "KUBERNETES_SERVICE_HOST", "CODESPACES"];
    files.iter().any(|file| Path::new(file).exists())
        || variables.iter().any(|name| std::env::var_os(name).is_some())
}
