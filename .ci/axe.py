"""axe-core, which judges contrast, names, the order of headings and the reach of the keyboard. Fetched once, by its hash."""

import hashlib
import io
import os
import tarfile
import time
import urllib.request
from pathlib import Path

VERSION = "4.14.1"
SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
URL = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"

# Runs in the page; answers with what is wrong. Other kinds than these are advice.
JUDGE = r"""
async rules => {
  const only = rules ? { runOnly: { type: 'rule', values: rules } } : {};
  const { violations } = await axe.run(document, { ...only, resultTypes: ['violations'] });
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, any, all, none }) => `${id}: ${any.concat(all, none)[0]?.message ?? help}: ${html.slice(0, 160)}`));
}
"""


def package():
    """The package's bytes, from the network if it has not been kept; an error names what came instead."""
    home = Path(os.environ.get("STUDY_HOME") or Path.home() / ".cache" / "attention-from-scratch")
    kept = home / f"axe-core-{VERSION}.tgz"
    if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == SHA256:
        return kept.read_bytes()
    for wait in (2, 10, None):
        try:
            with urllib.request.urlopen(URL, timeout=60) as answer:
                came = answer.read()
            break
        except OSError:
            if wait is None:
                raise
            time.sleep(wait)
    if (got := hashlib.sha256(came).hexdigest()) != SHA256:
        raise ValueError(f"{URL}: expected SHA-256 {SHA256}, got {got}")
    home.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(came)
    return came


def script():
    """The text of axe.min.js."""
    with tarfile.open(fileobj=io.BytesIO(package())) as archive:
        return archive.extractfile("package/axe.min.js").read().decode("utf-8")
