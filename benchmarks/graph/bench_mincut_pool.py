"""minCUT pooling, forward and backward, against PyG's dense operator and torch-geometric-pool's sparse layer.

Barabasi-Albert graphs (5 edges a new node), edge_index in the order it came, 32 features. Layers hold one
linear map to the logits; the losses and all pooled values are differentiated. Peers are installed for the
benchmark alone: ``pip install torch_geometric torch-geometric-pool torch_scatter``.

``python -m benchmarks mincut_pool``; the columns MB show the peak of one call: O(E + N K) for ours.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from benchmarks.harness import Case
from lampyris import nn, ops

SHAPES = [(1000, 16), (4000, 32), (20_000, 64), (50_000, 64)]
FEATURES, ATTACHED = 32, 5
DENSE_NODES = 4000  # the dense peer's matrices of 20000 nodes take 1.6 GB each
BATCH, SMALL = 64, 60  # graphs and nodes of the batched case, as in graph classification


def _missing(module: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@cache
def barabasi_albert(nodes: int, seed: int = 0) -> Tensor:
    """edge_index [2, E] of an undirected graph: each new node picks by degree, with repetitions dropped."""
    random = torch.Generator().manual_seed(seed)
    ends = list(range(ATTACHED))
    pairs = []
    for node in range(ATTACHED, nodes):
        picks = torch.randint(len(ends), (ATTACHED,), generator=random).tolist()
        chosen = {ends[p] for p in picks}
        pairs += [(node, other) for other in chosen]
        ends += [*chosen, *[node] * len(chosen)]
    edges = torch.tensor(pairs).T
    return torch.cat((edges, edges.flip(0)), 1)


def _step(pool: Callable, x: Tensor, edge_index: Tensor, **batch: Tensor) -> None:
    out = pool(x, edge_index, **batch)
    (sum(out.loss.values()) + out.x.sum() + out.edge_index.sum()).backward()
    for parameter in pool.parameters():
        parameter.grad = None


def _against_sparse(nodes: int, clusters: int) -> Case:
    from tgp.poolers import MinCutPooling

    x = torch.randn(nodes, FEATURES, generator=torch.manual_seed(0))
    edge_index = barabasi_albert(nodes)
    ours, peer = nn.MinCutPooling(FEATURES, clusters), MinCutPooling(FEATURES, clusters, batched=False)
    _, edges = edge_index.shape
    name = f"MinCutPooling N{nodes} E{edges} K{clusters} fwd+bwd"
    return Case(name, partial(_step, ours, x, edge_index), partial(_step, peer, x, edge_index), "tgp sparse")


def _against_dense(nodes: int, clusters: int) -> Case:
    from torch_geometric.nn import dense_mincut_pool

    random = torch.manual_seed(0)
    x = torch.randn(nodes, FEATURES, generator=random)
    logits = torch.randn(nodes, clusters, generator=random, requires_grad=True)
    rows = nn.csr_from_edge_index(barabasi_albert(nodes), nodes)
    adj = torch.zeros(nodes, nodes)
    adj[barabasi_albert(nodes)[1], barabasi_albert(nodes)[0]] = 1

    def differentiate(out: tuple[Tensor, ...]) -> None:
        logits.grad = None
        sum(value.sum() for value in out).backward()

    return Case(
        f"mincut_pool N{nodes} K{clusters} fwd+bwd",
        lambda: differentiate(ops.mincut_pool(x, logits, rows.row_ptr, rows.col)),
        lambda: differentiate(dense_mincut_pool(x, adj, logits)),
        "PyG dense",
    )


def _batched() -> Case:
    from tgp.poolers import MinCutPooling

    clusters = SMALL // 2
    edge_index = torch.cat([barabasi_albert(SMALL, g) + SMALL * g for g in range(BATCH)], 1)
    x = torch.randn(BATCH * SMALL, FEATURES, generator=torch.manual_seed(0))
    batch = torch.arange(BATCH).repeat_interleave(SMALL)
    ours, peer = nn.MinCutPooling(FEATURES, clusters), MinCutPooling(FEATURES, clusters, batched=True)
    return Case(
        f"MinCutPooling {BATCH} graphs of {SMALL} K{clusters} fwd+bwd",
        partial(_step, ours, x, edge_index, batch=batch),
        partial(_step, peer, x, edge_index, batch=batch),
        "tgp dense batch",
    )


def cases() -> list[Case]:
    out = []
    if _missing("torch_geometric") is None:
        out += [_against_dense(*shape) for shape in SHAPES if shape[0] <= DENSE_NODES]
    if _missing("tgp.poolers") is None:
        out += [_against_sparse(*shape) for shape in SHAPES]
        out.append(_batched())
    return out


def skipped() -> list[str]:
    reasons = {name: _missing(name) for name in ("torch_geometric", "tgp.poolers")}
    return [f"mincut_pool against {name}: {why}" for name, why in reasons.items() if why is not None]
