import pytest
import torch

from lampyris import models, nn


def detector():
    torch.manual_seed(0)
    model = models.ems_yolo(num_classes=3, family="tiny", time_steps=4)
    with torch.no_grad():
        model(torch.randint(0, 256, (4, 3, 48, 48), dtype=torch.uint8))  # statistics of the norms
    return model.eval()


def test_converted_neuron_by_hand():
    # 0.3 a step from a half of 1: V before firing 0.8, 1.1 (spike, 0.1), 0.4, 0.7.
    assert nn.ConvertedIF(1.0)(torch.full((4, 1, 1), 0.3)).flatten().tolist() == [0, 1, 0, 0]
    assert nn.ConvertedIF(2.0)(torch.full((2, 1, 1), 2.0)).flatten().tolist() == [2, 2]


@pytest.mark.parametrize("value", [-0.4, 0.0, 0.13, 0.5, 0.98])
def test_mean_of_a_converted_neuron_approaches_the_relu(value):
    for steps in (4, 64):
        mean = nn.ConvertedIF(1.0)(torch.full((steps, 1), value)).mean()
        # soft reset: what was not sent stays in the membrane, at most half a threshold over T
        assert abs(float(mean) - max(value, 0.0)) <= 0.5 / steps + 1e-6


def test_twin_has_the_same_graph_and_weights():
    model = detector()
    twin = nn.ann_twin(model)
    assert not any(isinstance(m, nn.LIF) for m in twin.modules())
    state, copied = model.state_dict(), twin.state_dict()
    assert state.keys() == copied.keys()
    assert all(torch.equal(state[key], copied[key]) for key in state)
    images = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8)
    twin(images).sum().backward()
    assert all(p.grad is not None for p in twin.parameters())
    assert any(isinstance(m, nn.LIF) for m in model.modules())


def test_conversion_approaches_the_twin_with_more_steps():
    twin = nn.ann_twin(detector()).eval()
    images = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8)
    network = nn.convert_twin(twin, [images], time_steps=4, percentile=100)
    errors = []
    with torch.no_grad():
        wanted = twin(images)
        for steps in (4, 32, 256):
            nn.set_time_steps(network, steps)
            errors.append(float((network(images) - wanted).abs().mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.2 * errors[0]
    assert any(isinstance(m, torch.nn.ReLU) for m in twin.modules())


def test_errors():
    with pytest.raises(ValueError, match="ann_twin: model must hold neurons, got Conv2d"):
        nn.ann_twin(nn.Conv2d(1, 1, 1))
    twin = torch.nn.Sequential(torch.nn.ReLU())
    with pytest.raises(ValueError, match=r"percentile must be in \(0, 100\], got 0"):
        nn.convert_twin(twin, [], time_steps=4, percentile=0)
    with pytest.raises(ValueError, match="batches must hold at least one, got none"):
        nn.convert_twin(twin, [], time_steps=4)
    with pytest.raises(ValueError, match="twin must hold ReLU layers, got Conv2d"):
        nn.convert_twin(nn.Conv2d(1, 1, 1), [], time_steps=4)
    with pytest.raises(ValueError, match="threshold must be greater than 0, got 0"):
        nn.ConvertedIF(0)
