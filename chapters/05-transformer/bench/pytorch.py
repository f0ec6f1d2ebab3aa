"""Target tokens per second of PyTorch, eager, 2 threads, in training on the copy task: what
`examples/throughput.rs` measures, with the same model in plain modules.

cargo build -p transformer --example throughput
python chapters/05-transformer/bench/pytorch.py 5 target/debug/examples/throughput

measures both in turn, five times, and writes `throughput.md`, the table in week 5's page.
"""

import datetime
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

BATCHES = [32, 80, 256]
LENGTH, VOCAB, D_MODEL, D_FF, HEADS, LAYERS = 10, 11, 64, 128, 4, 2
START, END = 1, 2
SPAN = 1.5  # seconds


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(D_MODEL, D_MODEL) for _ in range(4))

    def forward(self, query, memory, mask):
        split = lambda x: x.view(x.size(0), x.size(1), HEADS, -1).transpose(1, 2)
        q, k, v = split(self.q_proj(query)), split(self.k_proj(memory)), split(self.v_proj(memory))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Linear(D_MODEL, D_FF), nn.Linear(D_FF, D_MODEL)

    def forward(self, x):
        return self.narrow(F.relu(self.wide(x)))


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.feed_forward = Attention(), FeedForward()
        self.norm1, self.norm2 = nn.LayerNorm(D_MODEL), nn.LayerNorm(D_MODEL)

    def forward(self, x, mask):
        y = self.norm1(x)
        x = x + self.attention(y, y, mask)
        return x + self.feed_forward(self.norm2(x))


class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.cross, self.feed_forward = Attention(), Attention(), FeedForward()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(D_MODEL) for _ in range(3))

    def forward(self, y, memory, causal, mask):
        x = self.norm1(y)
        y = y + self.attention(x, x, causal)
        y = y + self.cross(self.norm2(y), memory, mask)
        return y + self.feed_forward(self.norm3(y))


def positions(seq):
    angle = torch.arange(seq)[:, None] * torch.exp(torch.arange(0, D_MODEL, 2) * (-math.log(10_000) / D_MODEL))
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(VOCAB, D_MODEL), nn.Embedding(VOCAB, D_MODEL)
        self.encoder = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.decoder = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(D_MODEL), nn.LayerNorm(D_MODEL)
        self.generator = nn.Linear(D_MODEL, VOCAB)
        self.register_buffer("positions", positions(LENGTH + 1))

    def forward(self, source, target):
        mask = (source != 0)[:, None, None]
        causal = torch.ones(target.size(1), target.size(1), dtype=torch.bool).tril()
        x = self.source(source) * math.sqrt(D_MODEL) + self.positions[: source.size(1)]
        for layer in self.encoder:
            x = layer(x, mask)
        memory = self.encoder_norm(x)
        y = self.target(target) * math.sqrt(D_MODEL) + self.positions[: target.size(1)]
        for layer in self.decoder:
            y = layer(y, memory, causal, mask)
        return self.generator(self.decoder_norm(y))


def step_times(batch, fused):
    torch.manual_seed(1)
    model = Transformer()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-9, fused=fused)
    column = lambda token: torch.full((batch, 1), token)

    def step():
        source = torch.randint(3, VOCAB, (batch, LENGTH))
        target, expected = torch.cat([column(START), source], 1), torch.cat([source, column(END)], 1)
        logits = model(source, target)
        loss = F.cross_entropy(logits.flatten(0, 1), expected.flatten(), ignore_index=0)
        adam.zero_grad()
        loss.backward()
        adam.step()

    for _ in range(5):
        step()
    start, times = time.perf_counter(), []
    while time.perf_counter() - start < SPAN:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return times


def medians(fused):
    """Target tokens per second of PyTorch, by batch."""
    return {batch: batch * (LENGTH + 1) / statistics.median(step_times(batch, fused)) for batch in BATCHES}


def ours(program):
    """What the example's table says: target tokens per second by batch, for each of its ways."""
    head, *rows = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    cells = [list(map(float, row.split())) for row in rows if row.strip()]
    return [(way, {int(row[0]): row[at] for row in cells}) for at, way in enumerate(head.split()) if at > 0]


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))


torch.set_num_threads(2)
rounds, program = int(sys.argv[1]), sys.argv[2]
found = {}
for _ in range(rounds):
    for way, speeds in [("eager", medians(False)), ("fused", medians(True)), *ours(program)]:
        for batch, speed in speeds.items():
            found.setdefault(way, {}).setdefault(batch, []).append(speed)
names = {
    "eager": f"PyTorch {torch.__version__.split('+')[0]}, eager",
    "fused": "the same with its fused Adam",
    "readable-1": "readable, one thread",
    "readable-2": "readable, batch on two threads",
    "fast-1": "fast, one thread",
    "fast-2": "fast, batch on two threads",
}
lines = ["| | " + " | ".join(f"batch of {batch}" for batch in BATCHES) + " |", "|---|" + "---:|" * len(BATCHES)]
for way, name in names.items():
    speeds = [statistics.median(found[way][batch]) for batch in BATCHES]
    lines.append(f"| {name} | " + " | ".join(f"{speed:,.0f}" for speed in speeds) + " |")
text = "\n".join(lines) + f"""

(Target tokens per second, median of {rounds} rounds in turn; 2 threads of {processor()}, {datetime.date.today():%d %B %Y}.)
"""
Path(__file__).with_name("throughput.md").write_text(text)
print(text)
