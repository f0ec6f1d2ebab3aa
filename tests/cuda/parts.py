"""What a build of candle's CUDA code needs beside a compiler, for `check-cuda-types` and `compile-cuda`."""

import subprocess
from pathlib import Path

# The revision of CUTLASS that candle-flash-attn's build script asks for.
CUTLASS = "7d49e6c7e2f8896c47f586706e67e1fb215529dc"


def executable(file, text):
    """Writes a program."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def cutlass(home, headers=None):
    """A folder that the build script takes for its clone of CUTLASS: these headers, or none, at the revision it wants."""
    clone = home / "git" / "checkouts" / f"cutlass-{CUTLASS[:16]}"
    clone.mkdir(parents=True, exist_ok=True)
    if not (clone / ".git").exists():
        subprocess.run(["git", "init", "--quiet", clone], check=True)
    (clone / ".git" / "HEAD").write_text(CUTLASS + "\n")
    for name in ("include", "tools"):
        here = clone / name
        if headers is None:
            here.mkdir(exist_ok=True)
        elif not here.exists():
            here.symlink_to(Path(headers) / name)
    return home
