"""The rows of `examples/speed.rs` beside PyTorch's `scaled_dot_product_attention`, in turn.

cargo build -p flash --example speed
python chapters/07-flash/bench/pytorch.py 5 target/debug/examples/speed [row]

Milliseconds, medians over the rounds; `/1` and `/2` is PyTorch on one and two threads; the last columns say how many
times as fast as PyTorch ours is, on one thread and on two.
"""

import json
import statistics
import subprocess
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

# name: heads, heads_kv, queries, keys, head dim, causal; "back …" with the gradients of q, k and v
ROWS = {
    "dense": (8, 8, 2048, 2048, 64, False),
    "causal": (8, 8, 2048, 2048, 64, True),
    "dense d128": (8, 8, 2048, 2048, 128, False),
    "causal d128": (8, 8, 2048, 2048, 128, True),
    "dense n4096": (8, 8, 4096, 4096, 64, False),
    "causal n4096": (8, 8, 4096, 4096, 64, True),
    "grouped": (8, 2, 2048, 2048, 64, False),
    "n1000": (8, 8, 1000, 1000, 64, False),
    "n1537": (8, 8, 1537, 1537, 64, False),
    "n16": (8, 8, 16, 16, 64, False),
    "n64": (8, 8, 64, 64, 64, False),
    "n128": (8, 8, 128, 128, 64, False),
    "n256": (8, 8, 256, 256, 64, False),
    "decode": (8, 8, 1, 2048, 64, False),
    "back dense": (8, 8, 2048, 2048, 64, False),
    "back causal": (8, 8, 2048, 2048, 64, True),
    "back d128": (8, 8, 2048, 2048, 128, False),
    "back grouped": (8, 2, 2048, 2048, 64, True),
    "back one head": (1, 1, 4096, 4096, 64, False),
    "back n128": (8, 8, 128, 128, 64, False),
}


def measure(row, threads):
    """Milliseconds of each run within a quarter of a second."""
    heads, heads_kv, queries, keys, dim, causal = ROWS[row]
    torch.set_num_threads(threads)
    back = row.startswith("back")
    q = torch.randn(1, heads, queries, dim, requires_grad=back)
    k, v = (torch.randn(1, heads_kv, keys, dim, requires_grad=back) for _ in range(2))
    grad = torch.ones(1, heads, queries, dim)

    def run():
        out = sdpa(q, k, v, is_causal=causal, enable_gqa=heads != heads_kv)
        if back:
            torch.autograd.grad(out, (q, k, v), grad)

    run()
    start, times = time.perf_counter(), []
    while len(times) < 3 or (time.perf_counter() - start < 0.25 and len(times) < 2000):
        before = time.perf_counter()
        run()
        times.append((time.perf_counter() - before) * 1e3)
    return times


rounds, program, only = int(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:4])
found = {}
for row in filter(lambda row: row.startswith(only), ROWS):
    with torch.set_grad_enabled(row.startswith("back")):
        for _ in range(rounds):
            for threads in (1, 2):
                found.setdefault((row, f"torch/{threads}"), []).append(statistics.median(measure(row, threads)))
            command = [program, "--json", "--rounds", "1", "--only", row, "--ways", "avx2,ours-1,ours-2"]
            for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
                cells = json.loads(line)
                if cells.pop("row") == row:
                    for way, ms in cells.items():
                        found.setdefault((row, way), []).append(ms)
        ms = {way: statistics.median(times) for (name, way), times in found.items() if name == row}
        if row == next(filter(lambda row: row.startswith(only), ROWS)):
            print(f"{'ms':<14}" + "".join(f"{way:>10}" for way in ms) + f"{'x, 1':>8}{'x, 2':>8}")
        ratios = [ms[f"torch/{threads}"] / ms[f"ours-{threads}"] for threads in (1, 2)]
        print(f"{row:<14}" + "".join(f"{x:>10.3f}" for x in ms.values()) + "".join(f"{x:>8.2f}" for x in ratios), flush=True)
