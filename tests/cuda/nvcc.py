"""Stands before the real `nvcc`: compiles the kernels of the chosen head dims, and a function that refuses in place of the others.

All 52 kernels of candle-flash-attn take some three hours of one core. Called as `nvcc` would be; reads `REAL_NVCC`, `HEAD_DIMS`
(`64,128`, or `all`) and `KERNEL_TIMES`, a file that gets a line for each kernel: name, seconds of CPU, bytes of its object.
"""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

REFUSES = """#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <cutlass/numeric_types.h>
#include "flash.h"

{signature} {{
    std::fprintf(stderr, "{name}: this build holds the kernels of head dims {dims} only\\n");
    std::abort();
}}
"""


def refusal(kernel, folder, dims):
    """A source of the same function, without its kernel."""
    signature = re.search(r"template<>\s*void run_mha_fwd_\w*<[^{]*\)", kernel.read_text())
    source = folder / f"{kernel.stem}.refusal.cu"
    source.write_text(REFUSES.format(signature=signature.group(0), name=kernel.stem, dims=", ".join(dims)))
    return source


def main(arguments):
    real, dims = os.environ["REAL_NVCC"], os.environ["HEAD_DIMS"].split(",")
    last = Path(arguments[-1]) if arguments else Path()
    head_dim = re.match(r"flash_fwd_(splitkv_)?hdim(\d+)_\w+\.cu$", last.name)
    if head_dim and dims != ["all"] and (head_dim[1] or head_dim[2] not in dims):
        output = Path(arguments[arguments.index("-o") + 1])
        arguments = [*arguments[:-1], f"-I{last.parent.resolve()}", str(refusal(last, output.parent, dims))]
    status = subprocess.run([real, *arguments]).returncode
    if head_dim and status == 0:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = Path(arguments[arguments.index("-o") + 1]).stat().st_size
        with open(os.environ["KERNEL_TIMES"], "a") as times:
            times.write(f"{last.stem} {used.ru_utime + used.ru_stime:.1f} {size}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
