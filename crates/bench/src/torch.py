"""PyTorch's side of `cargo study bench`: one request a line on standard input, one answer a line on standard output, both JSON.
The program's argument is the device, `cpu` or `cuda`.

A request names what is computed (`case`, `way`, `shape` as [batch, heads, heads_kv, queries, keys, dim], `dtype`, `lengths` of
ragged sequences), `threads`, `span`, the seconds to spend, and `lap`, the seconds to fill with runs between two looks at the
clock (0: one run). The answer holds the milliseconds of a run, lap by lap; with `"op": "memory"` the bytes by which the
process's memory grew at its height; with `"op": "try"` why it can't be measured here, or null.
"""

import contextlib
import inspect
import itertools
import json
import signal
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
device = sys.argv[1]
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def normal(request, *shape):
    return torch.randn(shape, dtype=DTYPES[request["dtype"]], device=device)


def attention(request):
    batch, heads, heads_kv, queries, keys, dim = request["shape"]
    causal, grouped = request["case"].endswith("causal"), heads != heads_kv
    q = normal(request, batch, heads, queries, dim)
    k, v = (normal(request, batch, heads_kv, keys, dim) for _ in range(2))
    if not request["case"].startswith("backward"):
        return lambda: [sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)]
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def both():
        out = sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)
        return [out.detach(), *torch.autograd.grad(out, inputs, torch.ones_like(out))]

    return both


def ragged(request):
    lengths, way, causal = request["lengths"], request["way"], request["case"].endswith("causal")
    heads, dim, longest = request["shape"][1], request["shape"][5], max(lengths)
    if way == "padded":
        q, k, v = (normal(request, len(lengths), heads, longest, dim) for _ in range(3))
        if causal:  # hides the padding, which stands behind: no mask
            return lambda: [sdpa(q, k, v, is_causal=True)]
        keep = torch.arange(longest) < torch.tensor(lengths)[:, None]
        keep = keep[:, None, None].to(device)
        return lambda: [sdpa(q, k, v, attn_mask=keep)]
    if way == "varlen":
        return varlen(request, causal)
    parts = [[normal(request, 1, heads, length, dim) for _ in range(3)] for length in lengths]
    return lambda: [sdpa(q, k, v, is_causal=causal) for q, k, v in parts]


def varlen(request, causal):
    from torch.nn.attention.varlen import varlen_attn  # PyTorch 2.10 and later

    lengths, (_, heads, _, _, _, dim) = request["lengths"], request["shape"]
    q, k, v = (normal(request, sum(lengths), heads, dim) for _ in range(3))
    ends = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)
    known = inspect.signature(varlen_attn).parameters
    hides = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    options = hides if causal else {}
    return lambda: [varlen_attn(q, k, v, ends, ends, max(lengths), max(lengths), **options)]


def prepare(request):
    _, _, _, queries, keys, dim = request["shape"]
    if request["case"] == "matmul":
        a, b = normal(request, queries, dim), normal(request, dim, keys)
        return lambda: [a @ b]
    return ragged(request) if request["case"].startswith("ragged") else attention(request)


def backend(request):
    """On a card flash attention and nothing else, unless there is a mask, which it does not take."""
    card = request["way"] in ("flash", "varlen") or (request["case"], request["way"]) == ("ragged-causal", "padded")
    if not card:
        return contextlib.nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.FLASH_ATTENTION)


def wait():
    """A card answers before it is done."""
    if device != "cpu":
        torch.cuda.synchronize()


def times(work, span, lap):
    """The milliseconds of a run, lap by lap; laps that find out how many runs fill one go before."""

    def seconds(runs):
        wait()
        before = time.perf_counter()
        for _ in range(runs):
            work()
        wait()
        return time.perf_counter() - before

    runs = 1
    seconds(1)
    while lap and seconds(runs) < lap and runs < 1024:
        runs *= 2
    found, start = [], time.perf_counter()
    while not found or (time.perf_counter() - start < span and len(found) < 2000):
        found.append(seconds(runs) * 1e3 / runs)
    time.sleep(0.02)  # its threads stop waiting for work, and leave the processor to the others
    return found


def why_not(request):
    """Runs it once."""
    try:
        with torch.no_grad(), backend(request):
            prepare(request)()
            wait()
    except Exception as error:
        return f"PyTorch: {type(error).__name__}: {str(error)[:160]}".splitlines()[0]


def status(name):
    """A number of bytes out of what Linux says of this process."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def memory(request, work):
    """How far the process's memory grows beyond the results; nothing where the system does not tell."""
    small = {**request, "shape": [1, 1, 1, 8, 8, 8], "lengths": [8, 8]}
    prepare(small)()  # loads code and starts threads
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the height begins anew
        before = status("VmRSS")
        results = work()
        return max(0, status("VmHWM") - before - sum(x.nbytes for x in results))
    except (OSError, StopIteration):
        return None


def hello():
    found = {"torch": torch.__version__, "python": sys.version.split()[0]}
    if device != "cpu":
        if not torch.cuda.is_available():
            return {"error": "it finds no card: torch.cuda.is_available() is False"}
        found["cuda"] = torch.version.cuda
        import torch.nn.attention as kinds

        current = getattr(kinds, "current_flash_attention_impl", None)  # in newer versions
        found["flash"] = (current and current()) or "FA2"
    return found


def answer(request, work):
    with torch.set_grad_enabled(request["case"].startswith("backward")), backend(request):
        if request["op"] == "memory":
            return {"bytes": memory(request, work)}
        return {"ms": times(work, request["span"], request["lap"])}


last, work = None, None
print(json.dumps(hello()), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        torch.set_num_threads(request["threads"])
        what = [request[name] for name in ("case", "way", "shape", "dtype", "lengths")]
        if request["op"] == "try":
            said = {"why_not": why_not(request)}
        else:
            if what != last:
                work = None
                if device != "cpu":
                    torch.cuda.empty_cache()  # others need the room
                last, work = what, prepare(request)
            said = answer(request, work)
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
