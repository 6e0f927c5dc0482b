"""goat_aggregate, forward and backward, ordering and projection included, on Barabasi-Albert graphs.

Peers: PyG's LSTMAggregation, which pads every row to the largest degree, and torch's nn.LSTM over rows of a
PackedSequence, no padding. Both get their neighbours ordered and the packing worked out beforehand, for
nothing; PyG's needs the edges sorted by row, which they are. Most of the packed LSTM's backward is autograd
filling a tensor of all edges at every step; its forward alone is compared too.

``python -m benchmarks goat_aggregate`` gives CPU time on one thread; ``python
benchmarks/graph/bench_goat_aggregate.py --threads 2`` wall time on two, and the growth of the resident
memory, each case in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.harness import Case, _peak_mb
from lampyris import ops

NODES, DEGREE = 20_000, 5
HIDDEN = (16, 64)
GATES = {"lstm": 4, "gru": 3, "scan": 2, "lif": 1}


def barabasi_albert(nodes: int, degree: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(row_ptr, col) of the undirected graph of ``degree`` edges for every new node."""
    random = torch.Generator().manual_seed(seed)
    ends = list(range(degree))  # every end of every edge: a draw is in proportion to the degree
    edges = []
    for node in range(degree, nodes):
        chosen: set[int] = set()
        while len(chosen) < degree:
            chosen.add(ends[int(torch.randint(len(ends), (), generator=random))])
        edges += [(node, other) for other in chosen]
        ends += [*chosen, *[node] * degree]
    one = torch.tensor(edges).T
    source, target = torch.cat((one, one.flip(0)), 1)
    target, order = torch.sort(target, stable=True)
    return torch.searchsorted(target, torch.arange(nodes + 1)), source[order]


class Problem:
    """A graph with features, scores and parameters of a cell."""

    def __init__(self, graph: tuple[Tensor, Tensor], hidden: int, cell: str = "lstm") -> None:
        torch.manual_seed(0)
        self.row_ptr, self.col = graph
        self.cell, nodes, width = cell, self.row_ptr.numel() - 1, GATES[cell] * hidden
        self.hidden, self.edges = hidden, self.col.numel()
        self.x = torch.randn(nodes, hidden, requires_grad=True)
        self.keys, self.scores = torch.randn(nodes, 1), torch.randn(self.edges, 1)
        self.weight_ih = torch.randn(1, width, hidden).div_(hidden**0.5).requires_grad_()
        self.weight_hh = None
        if cell in ("lstm", "gru"):
            self.weight_hh = torch.randn(1, width, hidden).div_(hidden**0.5).requires_grad_()
        self.bias = torch.zeros(1, width).requires_grad_()
        self.grad = torch.randn(nodes, hidden)

    def ours(self, per_source: bool = True) -> None:
        score = self.keys if per_source else self.scores
        weights = self.weight_ih, self.weight_hh, self.bias
        out = ops.goat_aggregate(
            self.x, score, self.row_ptr, self.col, *weights, cell=self.cell, per_source=per_source
        )
        self._backward(out[:, 0])

    def _backward(self, out: Tensor, parameters: tuple = ()) -> None:
        if not out.requires_grad:
            return
        leaves = (self.x, self.weight_ih, self.weight_hh, self.bias, *parameters)
        for leaf in leaves:
            if leaf is not None:
                leaf.grad = None
        out.backward(self.grad)

    def packed(self) -> Callable[[], None]:
        """nn.LSTM over rows by falling degree, step after step; rows without neighbours do not occur."""
        degree = self.row_ptr.diff()
        rows = torch.argsort(degree, descending=True, stable=True)
        sizes = torch.tensor([int((degree > t).sum()) for t in range(int(degree.max()))])
        places = torch.cat([self.row_ptr[rows[:count]] + t for t, count in enumerate(sizes.tolist())])
        index, back = self.col[places], rows.argsort()
        lstm = torch.nn.LSTM(self.hidden, self.hidden)

        def call() -> None:
            sequence = torch.nn.utils.rnn.PackedSequence(self.x.index_select(0, index), sizes)
            self._backward(lstm(sequence)[1][0][0].index_select(0, back), tuple(lstm.parameters()))

        return call

    def padded(self) -> Callable[[], None]:
        from torch_geometric.nn.aggr import LSTMAggregation

        aggregation = LSTMAggregation(self.hidden, self.hidden)
        nodes = self.row_ptr.numel() - 1
        index = torch.repeat_interleave(torch.arange(nodes), self.row_ptr.diff())

        def call() -> None:
            out = aggregation(self.x.index_select(0, self.col), index, dim_size=nodes)
            self._backward(out, tuple(aggregation.parameters()))

        return call


def _forward(call: Callable[[], None]) -> None:
    with torch.no_grad():
        call()


def _missing() -> str | None:
    try:
        import torch_geometric.nn.aggr  # noqa: F401
    except ImportError as error:
        return f"goat_aggregate against PyG's LSTMAggregation: {error}"
    return None


def cases() -> list[Case]:
    graph = barabasi_albert(NODES, DEGREE)
    out = []
    for hidden in HIDDEN:
        problem = Problem(graph, hidden)
        shape = f"BA({NODES},{DEGREE}) H{hidden} fwd+bwd"
        size = problem.edges * hidden
        packed = problem.packed()
        for name, per_source in (("ranking", True), ("segment sort", False)):
            ours = partial(problem.ours, per_source)
            out.append(Case(f"goat lstm {name} {shape}", ours, packed, "packed nn.LSTM", None, size))
        if hidden == HIDDEN[0] and _missing() is None:
            peer = problem.padded()
            out.append(
                Case(f"goat lstm ranking {shape}", problem.ours, peer, "PyG LSTMAggregation", None, size)
            )
        name = f"goat lstm ranking {shape.removesuffix('+bwd')}"
        out.append(Case(name, partial(_forward, problem.ours), partial(_forward, packed), "packed nn.LSTM"))
        for cell in ("gru", "scan", "lif"):
            ours = Problem(graph, hidden, cell).ours
            out.append(Case(f"goat {cell} ranking {shape}", ours, packed, "packed nn.LSTM", None, size))
    return out


def skipped() -> list[str]:
    reason = _missing()
    return [] if reason is None else [reason]


def _one(name: str, hidden: int, threads: int, rounds: int) -> None:
    """Times and peak of one contender, as JSON."""
    torch.set_num_threads(threads)
    problem = Problem(barabasi_albert(NODES, DEGREE), hidden)
    call = {"packed": problem.packed, "padded": problem.padded}.get(name, lambda: problem.ours)()
    call()
    peak = _peak_mb(call)
    from lampyris import memory

    memory.reuse_pages()
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps([statistics.median(times[1:]), min(times[1:]), max(times[1:]), peak]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--hidden", type=int, default=HIDDEN[0])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _one(options.one, options.hidden, options.threads, options.rounds)
    print(f"BA({NODES},{DEGREE}), H = {options.hidden}, forward + backward, {options.threads} threads")
    names = ["ours", "packed"] + ([] if _missing() else ["padded"])
    ours = None
    for name in names:
        rounds = 1 if name == "padded" else options.rounds
        arguments = [
            "--one",
            name,
            "--hidden",
            options.hidden,
            "--threads",
            options.threads,
            "--rounds",
            rounds,
        ]
        command = [sys.executable, __file__, *map(str, arguments)]
        figures = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        median, low, high, peak = json.loads(figures)
        ours = median if ours is None else ours
        print(f"{name:7} {median:9.1f} ms ({low:.1f} to {high:.1f})  x{median / ours:6.1f}  {peak:8.0f} MiB")


if __name__ == "__main__":
    main()
