"""Walks the README's path on this machine, as a newcomer does: looks, reads a page, solves an exercise, starts over.

    python3 .ci/smoke.py            doctor, serve, check
    python3 .ci/smoke.py lab        installs the notebooks' tools and solves week 1 in its notebook: minutes the first time
    python3 .ci/smoke.py check …    only the steps that are named

Python 3.9 or later and cargo are all it needs; it runs on Linux, macOS and Windows. It writes the solutions of week 1 into
the learner's file and puts the file back at the end, whatever happens.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEEK = ROOT / "chapters" / "01-dot-products" / "src"
EXERCISE = WEEK / "exercise.rs"
PAGE = "01-dot-products"
# A first run compiles: this is a net for what hangs, not a measure.
PATIENCE = 40 * 60


def study(*arguments, fails=False):
    """What `cargo study …` says; that it ends well or, with `fails`, that it does not, is part of the step."""
    print("$ cargo study", *arguments, flush=True)
    command = ["cargo", "study", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE)
    said = done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
    print(said, flush=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"`cargo study {' '.join(arguments)}` ended with {done.returncode}")
    return said


def has(said, *parts):
    """Ends the run unless each part is in what was said."""
    for part in parts:
        if part not in said:
            sys.exit(f"expected `{part}` in what was said; it is not there")


def regions(text):
    """The exercises of a file, by name, each from its ANCHOR line to its ANCHOR_END line."""
    found = re.finditer(r"^// ANCHOR: (\w+)\n.*?^// ANCHOR_END: \1\n", text, re.DOTALL | re.MULTILINE)
    return {match[1]: match[0] for match in found}


def doctor():
    """Rust is there, and room."""
    has(study("doctor"), "You are ready to start.")


def serve():
    """The first page can be read in a browser, and Ctrl-C ends the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(f"$ cargo study serve --no-open --port {port}", flush=True)
    group = {"start_new_session": True} if os.name != "nt" else {
        "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    server = subprocess.Popen(["cargo", "study", "serve", "--no-open", "--port", str(port)], cwd=ROOT,
                              stdin=subprocess.DEVNULL, **group)
    try:
        started = time.monotonic()
        for page, part in [("", "Attention from Scratch in Rust"), (f"{PAGE}.html", "<math")]:
            wait_for(server, f"http://127.0.0.1:{port}/{page}", part, started)
            print(f"/{page} can be read after {time.monotonic() - started:.1f} s", flush=True)
        # What Ctrl-C in a terminal is.
        if os.name == "nt":
            server.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            os.killpg(server.pid, signal.SIGINT)
        server.wait(60)
    finally:
        if server.poll() is None:
            server.kill()
    for _ in range(60):
        with socket.socket() as again:
            if again.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.5)
    sys.exit(f"Ctrl-C: `cargo study` has ended, and something still answers on port {port}")


def wait_for(server, url, part, started):
    """Asks for the page until it holds `part`."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                if part in answer.read().decode("utf-8"):
                    return
                said = "answers, without what was expected"
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            said = str(error)
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode} before {url} could be read")
        if time.monotonic() - started > PATIENCE:
            sys.exit(f"{url}: {said}")
        time.sleep(0.5)


def check():
    """The first exercise is pending, wrong, then right; then the whole week; and the stub comes back."""
    stub = EXERCISE.read_bytes()
    solution = (WEEK / "solution.rs").read_text("utf-8")
    others = set(EXERCISE.parent.glob("exercise.backup-*.rs"))
    mine, right = regions(stub.decode("utf-8")), regions(solution)
    first = next(iter(mine))
    if "todo!()" not in mine[first]:
        sys.exit(f"{EXERCISE}: `{first}` is not the stub: this walk needs a fresh clone")
    write = lambda text: EXERCISE.write_bytes(text.encode("utf-8"))
    try:
        has(study("check", "dot_products"), f"○ {first}\n")
        wrong = mine[first].replace("todo!()", 'bail!("not this way")')
        write(stub.decode("utf-8").replace(mine[first], wrong))
        has(study("check", "dot_products", fails=True), f"✗ {first}\n")
        write(stub.decode("utf-8").replace(mine[first], right[first]))
        has(study("check", "dot_products"), f"✓✓ {first}\n")
        write(solution)
        has(study("check", "dot_products"), "Week 1 is done.")
        has(study("reset", "dot_products"), "Your file is kept as")
        if EXERCISE.read_bytes() != stub:
            sys.exit("`cargo study reset` does not give the stub that is committed")
    finally:
        EXERCISE.write_bytes(stub)
        for backup in set(EXERCISE.parent.glob("exercise.backup-*.rs")) - others:
            backup.unlink()


def lab():
    """The kernel and JupyterLab are installed, and week 1's notebook accepts the solutions."""
    study("lab", "--setup-only")
    home = Path(os.environ.get("STUDY_HOME") or ROOT / ".study").resolve()
    python = home / "jupyter" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / "week-1.ipynb"
        write = ["run", "--quiet", "--package", "mdbook-cells", "--", "notebook", PAGE, "--solved", "--out"]
        subprocess.run(["cargo", *write, str(notebook)], cwd=ROOT, check=True)
        run = [str(python), str(ROOT / "crates/study/src/tools/execute.py"), str(notebook), "rust", "600"]
        subprocess.run(run, cwd=ROOT / "notebooks", check=True, timeout=PATIENCE,
                       env={**os.environ, "PYTHONUTF8": "1", "IPYTHONDIR": str(Path(folder) / "ipython")})
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
    checks = [cell for cell in cells if "".join(cell["source"]).startswith("check::")]
    for cell in checks:
        said = "".join("".join(out.get("text") or out.get("data", {}).get("text/plain", "")) for out in cell["outputs"])
        print("".join(cell["source"]), "→", said.strip().splitlines()[:1], flush=True)
        has(said, "✓✓")
    if not checks:
        sys.exit("the notebook holds no checks")


STEPS = {"doctor": doctor, "serve": serve, "check": check, "lab": lab}


def main():
    """Takes the steps that are named, or all but the notebook's; the first that fails ends the walk."""
    sys.stdout.reconfigure(encoding="utf-8")
    chosen = sys.argv[1:] or ["doctor", "serve", "check"]
    if unknown := [name for name in chosen if name not in STEPS]:
        sys.exit(f"there is no step `{unknown[0]}`: they are {', '.join(STEPS)}")
    os.environ.update(CARGO_TERM_COLOR="never", NO_COLOR="1")
    for name in chosen:
        started = time.monotonic()
        print(f"\n=== {name}: {STEPS[name].__doc__}", flush=True)
        STEPS[name]()
        print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
    print(f"\nsmoke: {len(chosen)} passed, 0 failed")


if __name__ == "__main__":
    main()
