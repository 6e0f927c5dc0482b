"""Our pooling layers beside torch-geometric-pool's with equal weights, and `mincut_pool` beside PyG's.

``python -m benchmarks.graph.equal_pooling`` prints the largest differences of losses, pooled features, pooled
adjacency and gradients; exit status 1 above LIMIT. The peer's sparse path wants edges in order of the batch.
"""

from __future__ import annotations

import sys
import warnings

import torch
from torch import Tensor

from lampyris import nn, ops

LIMIT = 5e-6  # float32 sums of some tens of values of order 1, in another order
NODES, FIRST, FEATURES, CLUSTERS = 30, 13, 5, 4  # two graphs, of 13 and 17 nodes
POOLERS = ("MinCutPooling", "DMoNPooling", "JustBalancePooling", "AsymCheegerCutPooling")


def _graphs() -> tuple[Tensor, Tensor, Tensor]:
    """x [N, F], edge_index [2, E] by batch, batch [N]."""
    random = torch.Generator().manual_seed(0)
    batch = (torch.arange(NODES) >= FIRST).long()
    near = torch.rand(NODES, NODES, generator=random) < 0.1
    near = ((near | near.T) & (batch[:, None] == batch)).fill_diagonal_(False)
    return torch.randn(NODES, FEATURES, generator=random), near.nonzero().T.contiguous(), batch


def _values(pool: torch.nn.Module, x: Tensor, edge_index: Tensor, batch: Tensor) -> dict[str, Tensor]:
    leaf = x.clone().requires_grad_()
    out = pool(leaf, edge_index, batch=batch)
    (sum(out.loss.values()) + out.x.square().sum() + out.edge_index.square().sum()).backward()
    found = {name: value.detach() for name, value in out.loss.items()}
    return {**found, "x": out.x.detach(), "adj": out.edge_index.detach(), "gradient": leaf.grad}


def _layer(name: str) -> dict[str, float]:
    from tgp import poolers

    torch.manual_seed(0)
    ours = getattr(nn, name)(FEATURES, CLUSTERS)
    theirs = getattr(poolers, name)(FEATURES, CLUSTERS, batched=False)
    (weight,) = (p for p in theirs.parameters() if p.dim() == 2)
    (bias,) = (p for p in theirs.parameters() if p.dim() == 1)
    with torch.no_grad():
        weight.copy_(ours.selector.layers[0].weight)
        bias.copy_(ours.selector.layers[0].bias)
    graphs = _graphs()
    mine, peer = _values(ours, *graphs), _values(theirs, *graphs)
    return {key: float((value - peer[key]).abs().max()) for key, value in mine.items()}


def _operator() -> dict[str, float]:
    from torch_geometric.nn import dense_mincut_pool

    x, edge_index, _ = _graphs()
    logits = torch.randn(NODES, CLUSTERS, generator=torch.Generator().manual_seed(1))
    rows = nn.csr_from_edge_index(edge_index, NODES)
    adj = torch.zeros(NODES, NODES).index_put((edge_index[1], edge_index[0]), torch.ones(edge_index.shape[1]))
    ours = ops.mincut_pool(x, logits, rows.row_ptr, rows.col)
    pairs = zip(("x", "adj", "cut", "ortho"), ours, dense_mincut_pool(x, adj, logits), strict=True)
    return {name: float((a - b).abs().max()) for name, a, b in pairs}


def main() -> int:
    warnings.simplefilter("ignore")
    found = {f"{name} | torch-geometric-pool": _layer(name) for name in POOLERS}
    found["mincut_pool | PyG dense_mincut_pool"] = _operator()
    for name, differences in found.items():
        print(f"{name}: {', '.join(f'{key} {value:.1e}' for key, value in differences.items())}")
    return int(any(value > LIMIT for differences in found.values() for value in differences.values()))


if __name__ == "__main__":
    sys.exit(main())
