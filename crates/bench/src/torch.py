"""PyTorch's side of `cargo study bench`: one request a line on standard input, one answer a line on standard output, both JSON.

A request names what is computed (`case`, `way`, `shape` as [batch, heads, heads_kv, queries, keys, dim], `lengths` of ragged
sequences), `threads`, and `span`, the seconds to spend. The answer holds the milliseconds of each run, or with
`"op": "memory"` the bytes by which the process's memory grew at its height.
"""

import json
import signal
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks


def attention(batch, heads, heads_kv, queries, keys, dim, case):
    causal, grouped = case.endswith("causal"), heads != heads_kv
    q = torch.randn(batch, heads, queries, dim)
    k, v = (torch.randn(batch, heads_kv, keys, dim) for _ in range(2))
    if not case.startswith("backward"):
        return lambda: [sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)]
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def both():
        out = sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)
        return [out.detach(), *torch.autograd.grad(out, inputs, torch.ones_like(out))]

    return both


def ragged(heads, dim, lengths, way):
    longest = max(lengths)
    if way == "padded":
        q, k, v = (torch.randn(len(lengths), heads, longest, dim) for _ in range(3))
        keep = torch.arange(longest) < torch.tensor(lengths)[:, None]
        return lambda: [sdpa(q, k, v, attn_mask=keep[:, None, None])]
    parts = [[torch.randn(1, heads, length, dim) for _ in range(3)] for length in lengths]
    return lambda: [sdpa(q, k, v) for q, k, v in parts]


def prepare(request):
    batch, heads, heads_kv, queries, keys, dim = request["shape"]
    if request["case"] == "matmul":
        a, b = torch.randn(queries, dim), torch.randn(dim, keys)
        return lambda: [a @ b]
    if request["case"] == "ragged":
        return ragged(heads, dim, request["lengths"], request["way"])
    return attention(batch, heads, heads_kv, queries, keys, dim, request["case"])


def run(work, backward):
    with torch.set_grad_enabled(backward):
        return work()


def times(work, backward, span):
    """The milliseconds of each run; one run goes before."""
    run(work, backward)
    found, start = [], time.perf_counter()
    while not found or (time.perf_counter() - start < span and len(found) < 2000):
        before = time.perf_counter()
        run(work, backward)
        found.append((time.perf_counter() - before) * 1e3)
    time.sleep(0.02)  # its threads stop waiting for work, and leave the processor to the others
    return found


def status(name):
    """A number of bytes out of what Linux says of this process."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def memory(request, work, backward):
    """How far the process's memory grows beyond the results; nothing where the system does not tell."""
    small = {**request, "shape": [1, 1, 1, 8, 8, 8], "lengths": [8, 8]}
    run(prepare(small), backward)  # loads code and starts threads
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the height begins anew
        before = status("VmRSS")
        results = run(work, backward)
        return max(0, status("VmHWM") - before - sum(x.nbytes for x in results))
    except (OSError, StopIteration):
        return None


last, work = None, None
print(json.dumps({"torch": torch.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        torch.set_num_threads(request["threads"])
        what = [request[name] for name in ("case", "way", "shape", "lengths")]
        if what != last:
            work = None
            last, work = what, prepare(request)
        backward = request["case"].startswith("backward")
        if request["op"] == "memory":
            answer = {"bytes": memory(request, work, backward)}
        else:
            answer = {"ms": times(work, backward, request["span"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
