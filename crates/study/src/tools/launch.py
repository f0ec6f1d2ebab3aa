"""Starts the Rust kernel in a build folder of its own that stays, so that its first cell compiles next to nothing.

A folder serves one kernel at a time: the first free one is taken, or a new one is made. The lock goes with the process.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

kernel, folders, connection = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def locked(path):
    """Opens the file and locks it, for this process and the one that takes its place; None when another has it."""
    file = open(path, "a+")
    os.set_inheritable(file.fileno(), True)
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def free():
    """The first folder that no kernel has, and its lock."""
    folders.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        lock = locked(folders / f"{number}.lock")
        if lock:
            return folders / str(number), lock
        number += 1


def said(*command):
    """What the command prints; nothing when it can't be run."""
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip()


# As in the workspace: models are trained with these crates. What stands in a cell keeps its checks.
SETTINGS = """\
[profile.dev.package."*"]
opt-level = 3
debug-assertions = false
overflow-checks = false
"""

folder, lock = free()
compiler = said("rustc", "-vV")
stamp = folder / "compiler.txt"
if not stamp.is_file() or stamp.read_text() != compiler:
    # What another compiler left is of no use, and would only fill the disk.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stamp.write_text(compiler)
settings = folders / ".cargo" / "config.toml"
if not settings.is_file() or settings.read_text() != SETTINGS:
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(SETTINGS)

os.environ["EVCXR_TMPDIR"] = str(folder)
# The kernel's own paths to the standard library are one step off when this folder and the toolchain share a top folder.
libraries = said("rustc", "--print", "target-libdir")
search = {"win32": "PATH", "darwin": "DYLD_FALLBACK_LIBRARY_PATH"}.get(sys.platform, "LD_LIBRARY_PATH")
os.environ[search] = os.pathsep.join(filter(None, [libraries, os.environ.get(search)]))

command = [kernel, "--control_file", connection]
if os.name == "nt":
    sys.exit(subprocess.call(command))
os.execvp(kernel, command)
