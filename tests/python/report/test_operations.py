import json

import pytest
import torch

from lampyris import models, nn
from lampyris.report import count_operations


class Fixed(torch.nn.Module):
    """Gives what it was told, whatever it reads."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value


def network(value, conv):
    return torch.nn.Sequential(nn.Conv2d(1, 1, 1), Fixed(value), conv)


def only(value, conv):
    counted = count_operations(network(value, conv), [torch.ones(1, 1, 1, 2, 2)])
    return counted.layers[1], counted


def test_spikes_by_hand():
    # One spike in the middle of 3 x 3: all nine taps of the padded 3 x 3 kernel meet it, two output channels.
    spikes = torch.zeros(1, 1, 1, 3, 3)
    spikes[..., 1, 1] = 1
    conv = nn.Conv2d(1, 2, 3)
    with torch.no_grad():
        conv.weight.fill_(0.5)
        conv.weight[0, 0, 0, 0] = 0
    row, counted = only(spikes, conv)
    assert (row.operand, row.ac, row.mac) == ("spikes", 17.0, 0.0)
    # Taps inside the picture: 4 corners x 4, 4 edges x 6, the middle 9; two output channels.
    assert row.dense == 2 * (16 + 24 + 9) and row.density == pytest.approx(1 / 9)
    assert counted.ac == 17 and counted.zero_connections == 1


def test_operand_types():
    conv = nn.Conv2d(1, 1, 1)
    counts = torch.tensor([0.0, 1, 2, 3]).reshape(1, 1, 1, 2, 2)
    row, _ = only(counts, conv)
    assert (row.operand, row.ac) == ("counts", 6.0)
    row, _ = only(counts * 0.3, conv)
    assert (row.operand, row.ac, row.mac) == ("real", 0.0, 3.0)
    row, _ = only((counts > 1) * 0.7, conv)  # a converted neuron: spikes of one height
    assert (row.operand, row.ac) == ("spikes", 2.0)
    row, _ = only(torch.zeros(1, 1, 1, 2, 2), conv)
    assert (row.operand, row.ac, row.mac) == ("spikes", 0.0, 0.0)


def test_groups_strides_and_linear():
    torch.manual_seed(0)
    spikes = (torch.rand(2, 1, 4, 5, 5) < 0.4).float()
    conv = nn.Conv2d(4, 6, 3, stride=2, groups=2)
    row, _ = only(spikes, conv)
    unit = torch.nn.functional.conv2d(
        spikes.flatten(0, 1), torch.ones_like(conv.weight), None, conv.stride, conv.padding, 1, 2
    )
    assert row.ac == float(unit.sum())
    linear = torch.nn.Linear(5, 3)
    row, _ = only(spikes, linear)
    assert row.ac == float(spikes.sum()) * 3


def test_a_detector_and_its_energy():
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=10, family="tiny").eval()
    images = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    counted = count_operations(model, [images], time_steps=4)
    stem, *others = counted.layers
    assert stem.operand == "real" and stem.name == "stem.conv"
    assert {layer.operand for layer in others} == {"spikes"}
    # A still image is convolved once, not T times.
    assert stem.dense == 2 * (3 * 16 * (40 * 3 - 1) ** 2)
    assert counted.mac == stem.mac / 2 and counted.ac > 0
    assert counted.millijoule == pytest.approx((0.9 * counted.ac + 4.6 * counted.mac) * 1e-9)
    with nn.monitor(model) as record:
        nn.set_time_steps(model, 4)
        model(images)
    spikes = sum(r.spikes for r in record.rates.values())
    assert counted.firing_rate == spikes / sum(r.steps for r in record.rates.values())
    more = count_operations(model, [images[:1], images[1:]], time_steps=4)
    assert (more.ac, more.mac, more.samples) == (counted.ac, counted.mac, 2)
    keys = json.loads(json.dumps(counted.to_json()))["neurobench"]
    assert keys["synaptic_operations"]["Effective_ACs"] == counted.ac
    assert keys["connection_sparsity"] == 0.0 and 0 < keys["activation_sparsity"] < 1


def test_ann_twin_multiplies():
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=10, family="tiny").eval()
    images = torch.randint(0, 256, (1, 3, 80, 80), dtype=torch.uint8)
    twin = count_operations(nn.ann_twin(model), [images])
    spiking = count_operations(model, [images], time_steps=4)
    assert {layer.operand for layer in twin.layers} == {"real"}
    assert twin.ac == 0 and twin.firing_rate == 0 and twin.time_steps == 1
    # the stem once in both, everything else T times in the spiking network
    assert spiking.dense - spiking.layers[0].dense == 4 * (twin.dense - twin.layers[0].dense)
    assert twin.dense_millijoule == pytest.approx(4.6e-9 * twin.dense)


def test_errors():
    with pytest.raises(ValueError, match="count_operations: model must hold convolutions, got ReLU"):
        count_operations(torch.nn.ReLU(), [])
    with pytest.raises(ValueError, match="batches must hold at least one, got none"):
        count_operations(nn.Conv2d(1, 1, 1), [])
