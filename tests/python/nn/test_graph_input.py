"""edge_index, compressed rows, PyG-like objects and batch vectors become checked compressed rows."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
import torch

from lampyris import nn
from lampyris.nn import graph_input


def test_a_hand_case():
    #        edges 3 -> 1, 0 -> 1, 2 -> 0, 1 -> 1
    edge_index = torch.tensor([[3, 0, 2, 1], [1, 1, 0, 1]])
    row_ptr, col, edge = nn.csr_from_edge_index(edge_index, num_nodes=4)
    assert row_ptr.tolist() == [0, 1, 4, 4, 4]
    assert col.tolist() == [2, 3, 0, 1]
    assert edge.tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize("nodes, edges", [(0, 0), (1, 0), (1, 5), (7, 40), (100, 1000)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_rows_hold_the_edges_in_their_order(nodes, edges, dtype):
    edge_index = torch.randint(max(nodes, 1), (2, edges), generator=torch.Generator().manual_seed(0)).to(
        dtype
    )
    row_ptr, col, edge = nn.csr_from_edge_index(edge_index, num_nodes=nodes)
    assert row_ptr.dtype == col.dtype == edge.dtype == torch.int64 and len(row_ptr) == nodes + 1
    for i in range(nodes):
        mine = (edge_index[1] == i).nonzero()[:, 0]
        assert edge[row_ptr[i] : row_ptr[i + 1]].tolist() == mine.tolist()
        assert col[row_ptr[i] : row_ptr[i + 1]].tolist() == edge_index[0, mine].tolist()


def test_all_faces_of_a_graph_agree():
    edge_index = torch.tensor([[0, 2, 1], [1, 1, 2]])
    rows = nn.graph_csr(edge_index, 3)
    data = SimpleNamespace(edge_index=edge_index, num_nodes=3)
    for other in (nn.graph_csr(data), nn.graph_csr(data, 3), nn.graph_csr((rows.row_ptr, rows.col), 3)):
        assert torch.equal(other.row_ptr, rows.row_ptr) and torch.equal(other.col, rows.col)
    again = nn.graph_csr(rows, 3)
    assert torch.equal(again.col, rows.col) and again.edge is None
    assert nn.graph_csr((rows.row_ptr.int(), rows.col.int()), 3).col.dtype == torch.int64


def test_rows_become_edges_again():
    edge_index = torch.randint(20, (2, 60), generator=torch.Generator().manual_seed(0))
    rows = nn.csr_from_edge_index(edge_index, 20)
    assert torch.equal(nn.edge_index_from_csr(rows.row_ptr, rows.col), edge_index[:, rows.edge])
    assert nn.edge_index_from_csr(torch.tensor([0]), torch.tensor([], dtype=torch.int64)).shape == (2, 0)
    with pytest.raises(ValueError, match="rise from 0 to 1, got 0 to 2"):
        nn.edge_index_from_csr(torch.tensor([0, 2]), torch.tensor([0]))


def test_bipartite_sizes():
    edge_index = torch.tensor([[5, 0], [1, 1]])
    assert nn.csr_from_edge_index(edge_index, 2, 6).row_ptr.tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match=r"edge_index\[0\] must be in \[0, 5\), got 5 at \[0\]"):
        nn.csr_from_edge_index(edge_index, 2, 5)


def test_a_conversion_is_kept_until_the_edges_change():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    first = nn.csr_from_edge_index(edge_index, 2)
    assert nn.csr_from_edge_index(edge_index, 2) is first
    assert len(nn.csr_from_edge_index(edge_index, 3).row_ptr) == 4
    assert nn.csr_from_edge_index(edge_index, 2) is first
    edge_index[1, 0] = 0
    assert nn.csr_from_edge_index(edge_index, 2).row_ptr.tolist() == [0, 2, 2]
    kept = len(graph_input._converted)
    del edge_index
    gc.collect()
    assert len(graph_input._converted) == kept - 1


def test_inference_tensors_are_converted_each_time():
    with torch.inference_mode():
        edge_index = torch.tensor([[0, 1], [1, 0]])
        first = nn.csr_from_edge_index(edge_index, 2)
        again = nn.graph_csr((first.row_ptr, first.col), 2)
    assert first.col.tolist() == again.col.tolist() == [1, 0]


def test_compiles_without_a_graph_break():
    edge_index = torch.tensor([[2, 0, 1], [0, 1, 0]])
    batch = torch.tensor([0, 0, 1])

    def convert(edge_index, batch):
        rows = nn.graph_csr(edge_index, 3)
        again = nn.graph_csr((rows.row_ptr, rows.col), 3)
        return again.row_ptr, again.col, rows.edge, nn.graph_ptr_from_batch(batch, 2)

    compiled = torch.compile(convert, fullgraph=True, backend="eager")
    for mine, theirs in zip(compiled(edge_index, batch), convert(edge_index, batch), strict=True):
        assert torch.equal(mine, theirs)


def test_batch_vectors():
    assert nn.graph_ptr_from_batch(torch.tensor([], dtype=torch.int64)).tolist() == [0]
    assert nn.graph_ptr_from_batch(torch.tensor([1, 1], dtype=torch.int32), 4).tolist() == [0, 0, 2, 2, 2]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: nn.csr_from_edge_index(torch.zeros(3, 2).long(), 3),
            r"edge_index must be \[2, E\], got \[3, 2\]",
        ),
        (lambda: nn.csr_from_edge_index(torch.zeros(2, 2), 3), "integer dtype, got torch.float32"),
        (
            lambda: nn.csr_from_edge_index(torch.tensor([[0, 1], [0, 3]]), 3),
            r"edge_index\[1\] must be in \[0, 3\), got 3 at \[1\]",
        ),
        (
            lambda: nn.csr_from_edge_index(torch.tensor([[0, -1], [0, 0]]), 3),
            r"edge_index\[0\] must be in \[0, 3\), got -1 at \[1\]",
        ),
        (
            lambda: nn.graph_csr((torch.tensor([0, 2, 1]), torch.tensor([0])), 2),
            r"row_ptr must not fall, got 1 after 2 at \[2\]",
        ),
        (lambda: nn.graph_csr((torch.tensor([1, 1]), torch.tensor([0])), 1), "rise from 0 to 1, got 1 to 1"),
        (lambda: nn.graph_csr((torch.tensor([0, 2]), torch.tensor([0])), 1), "rise from 0 to 1, got 0 to 2"),
        (
            lambda: nn.graph_csr((torch.tensor([0, 1]), torch.tensor([1])), 1),
            r"col must be in \[0, 1\), got 1",
        ),
        (
            lambda: nn.graph_csr((torch.tensor([0, 1]), torch.tensor([0])), 2),
            r"row_ptr must be \[3\], got \[2\]",
        ),
        (
            lambda: nn.graph_csr((torch.tensor([0, 1]), torch.tensor([[0]])), 1),
            r"col must be \[E\], got \[1, 1\]",
        ),
        (
            lambda: nn.graph_ptr_from_batch(torch.tensor([0, 2, 1])),
            r"batch must not fall, got 1 after 2 at \[2\]",
        ),
        (
            lambda: nn.graph_ptr_from_batch(torch.tensor([0, 2]), 2),
            r"batch must be in \[0, 2\), got 2 at \[1\]",
        ),
        (
            lambda: nn.graph_ptr_from_batch(torch.tensor([-1, 0])),
            r"batch must be in \[0, 1\), got -1 at \[0\]",
        ),
        (lambda: nn.graph_ptr_from_batch(torch.tensor([0.0])), "batch must have an integer dtype"),
        (lambda: nn.graph_ptr_from_batch(torch.tensor([[0]])), r"batch must be \[N\], got \[1, 1\]"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_unknown_graph_is_refused():
    with pytest.raises(TypeError, match="got dict"):
        nn.graph_csr({})
