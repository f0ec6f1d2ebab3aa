"""Starts the Rust kernel in a build folder of its own that stays, so that its first cell compiles next to nothing.

A folder serves one kernel at a time: the first free one is taken, or a new one is made. The lock goes with this process,
which stays beside the kernel and ends it, with all it runs, when Jupyter is gone without having done so.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

kernel, folders, connection = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def locked(path):
    """Opens the file and locks it for this process; None when another has it."""
    file = open(path, "a+")
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


def outlive(jupyter):
    """Ends this process and its group, which Jupyter made for it, when it has another parent than `jupyter`."""
    while os.getppid() == jupyter:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def said(*command):
    """What the command prints; nothing when it can't be run."""
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip()


jupyter = os.getppid()
folder, lock = free()
compiler = said("rustc", "-vV")
stamp = folder / "compiler.txt"
if not stamp.is_file() or stamp.read_text() != compiler:
    # What another compiler left is of no use, and would only fill the disk.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stamp.write_text(compiler)
os.environ["EVCXR_TMPDIR"] = str(folder)
# The kernel's own paths to the standard library are one step off when this folder and the toolchain share a top folder.
libraries = said("rustc", "--print", "target-libdir")
search = {"win32": "PATH", "darwin": "DYLD_FALLBACK_LIBRARY_PATH"}.get(sys.platform, "LD_LIBRARY_PATH")
os.environ[search] = os.pathsep.join(filter(None, [libraries, os.environ.get(search)]))

if os.name != "nt" and os.getpgrp() == os.getpid():
    threading.Thread(target=outlive, args=[jupyter], daemon=True).start()
sys.exit(subprocess.call([kernel, "--control_file", connection]))
