import pytest
import torch

from lampyris import nn
from lampyris.report.depth import KINDS, DepthNetwork, block_isometry, gradient_ratio, trains

SAMPLES = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (16, 1, 32, 32), dtype=torch.uint8, generator=SAMPLES)
LABELS = torch.arange(16) % 2


class Linear(torch.nn.Module):
    def __init__(self, matrix):
        super().__init__()
        self.matrix = matrix

    def forward(self, x):
        return (x.flatten(1) @ self.matrix.T).reshape(1, 1, -1, 1, 1)


def test_isometry_of_a_linear_block():
    torch.manual_seed(0)
    matrix = torch.randn(12, 20, dtype=torch.float64)
    wanted = float(matrix.square().sum()) / 12
    x = torch.zeros(1, 1, 20, 1, 1, dtype=torch.float64)
    phi, error = block_isometry(Linear(matrix), x, probes=400)
    assert abs(phi - wanted) < 4 * error and error < 0.1 * wanted


def test_isometry_is_exact_for_a_scaled_identity_up_to_the_probes_length():
    class Scale(torch.nn.Module):
        def forward(self, x):
            return 3.0 * x

    x = torch.zeros(2, 1, 4, 5, 5, dtype=torch.float64)
    random = torch.Generator().manual_seed(0)
    probe = torch.randn(x.shape, generator=random, dtype=x.dtype)
    # float64 sums of 200 squares
    assert block_isometry(Scale(), x, probes=1)[0] == pytest.approx(
        9 * float(probe.square().mean()), rel=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [10, 18])
def test_depth_is_the_number_of_convolutions_on_the_path(kind, depth):
    network = DepthNetwork(kind, depth)
    branches = [m for block in network.blocks for m in block.branch.modules() if isinstance(m, nn.Conv2d)]
    assert len(branches) + 2 == depth  # the stem and the output
    assert network(IMAGES[:2]).shape == (2, 10)


def test_ems_gradients_neither_vanish_nor_explode():
    torch.manual_seed(0)
    network = DepthNetwork("ems", 34)
    assert 0.5 < gradient_ratio(network, IMAGES, LABELS) < 2
    assert all(p.grad is None for p in network.parameters())


def test_gradients_of_a_plain_network_fall_with_depth():
    ratios = []
    for depth in (10, 34):
        torch.manual_seed(0)
        ratios.append(gradient_ratio(DepthNetwork("plain", depth), IMAGES, LABELS))
    assert ratios[1] < ratios[0]


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    network = DepthNetwork("ems", 10, num_classes=2)
    images = torch.where(LABELS[:, None, None, None] == 1, IMAGES, IMAGES // 4)
    early, _ = trains(network, images, LABELS, 1)
    late, accuracy = trains(network, images, LABELS, 20)
    assert late < 0.5 * early and accuracy == 1.0


def test_errors():
    with pytest.raises(ValueError, match="kind must be one of plain, sew, ms, ems, got 'resnet'"):
        DepthNetwork("resnet", 10)
    with pytest.raises(ValueError, match="depth must be even and at least 10, got 11"):
        DepthNetwork("ems", 11)
