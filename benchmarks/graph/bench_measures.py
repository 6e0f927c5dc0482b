"""Betweenness and effective size against networkx, on the graphs of the betweenness task."""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Case
from lampyris.data import graphs


def cases() -> list[Case]:
    import networkx

    out = []
    for nodes, p in ((100, 0.09), (1000, 0.01)):
        edge_index = graphs.erdos_renyi(nodes, p, seed=0)
        theirs = networkx.Graph(edge_index.T.tolist())
        theirs.add_nodes_from(range(nodes))
        for name in ("betweenness", "effective_size"):
            peer = networkx.betweenness_centrality if name == "betweenness" else networkx.effective_size
            out.append(
                Case(
                    f"{name} ER({nodes}, {p})",
                    partial(getattr(graphs, name), edge_index, nodes),
                    partial(peer, theirs),
                    f"networkx {networkx.__version__}",
                )
            )
    return out
