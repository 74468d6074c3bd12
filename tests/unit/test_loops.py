"""Measures within a training loop: what `measure` and `CollapseMetric` find is what `collapse_measures` finds."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import neural_collapse
from neural_collapse.errors import InputError
from neural_collapse.metrics.loops import measure
from neural_collapse.metrics.measures import collapse_measures

CLASSES, COUNT = 3, 47


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (COUNT,), generator=generator)
    labels[:CLASSES] = torch.arange(CLASSES)
    inputs = torch.randn(COUNT, 8, generator=generator) + 2 * nn.functional.one_hot(labels, 8)
    return TensorDataset(inputs, labels)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        body = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
        return nn.ModuleDict({"body": body, "fc": nn.Linear(6, CLASSES)})


class Model(nn.Module):
    def __init__(self, parts, flat=True):
        super().__init__()
        self.body, self.fc, self.flat = parts["body"], parts["fc"], flat

    def forward(self, inputs):
        return self.fc(self.body(inputs) if self.flat else self.body(inputs)[:, None])


def expected(model, data):
    training = model.training
    model.eval()
    features = model.body(data.tensors[0]).detach()
    model.train(training)
    return features, collapse_measures(features, data.tensors[1], model.fc.weight, model.fc.bias)


def test_measures_of_a_loader_are_those_of_its_features(data, model):
    model = Model(model)
    model.body[1].eval()  # frozen
    _, wanted = expected(model, data)
    model.body[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = measure(model, DataLoader(data, batch_size=10, shuffle=True), classifier="fc")
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert model.training and not model.body[1].training and not model.fc._forward_pre_hooks
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_tables_as_batches_and_the_last_layer_by_default(data, model):
    model = Model(model)
    _, wanted = expected(model, data)
    examples = [{"inputs": inputs, "labels": label} for inputs, label in data]
    found = measure(model, DataLoader(examples, batch_size=16), DataLoader(data, batch_size=5))
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert {name: found[f"test_{name}"] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"classifier": "head"}, "no linear layer named 'head'; the last that it has: body.0, fc"),
        ({"train_loader": [(torch.zeros(2, 8), [0, 1], 3)]}, "train_loader: a batch must be a pair"),
        ({"train_loader": []}, "train_loader: it gives no batch"),
        ({"train_loader": [(torch.zeros(2, 8), torch.zeros(2))]}, "train_loader: labels must be whole numbers"),
        ({"train_loader": [(torch.zeros(2, 8), torch.tensor([0, 1]))]}, "every class needs an example"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, data, model):
    with pytest.raises(InputError, match=sentence):
        measure(Model(model), **{"train_loader": DataLoader(data, batch_size=9)} | arguments)


def test_features_of_another_shape_and_parts_of_the_data_are_refused(data, model):
    with pytest.raises(InputError, match=r"found \(9, 1, 6\); name the last linear layer"):
        measure(Model(model, flat=False), DataLoader(data, batch_size=9))
    sampler = DistributedSampler(data, num_replicas=2, rank=0)
    with pytest.raises(InputError, match="gives each of 2 processes a part of the data"):
        measure(Model(model), DataLoader(data, batch_size=9, sampler=sampler))


def metric_of(model, data, rows, **options):
    features, wanted = expected(model, data)
    metric = neural_collapse.CollapseMetric(torch.bincount(data.tensors[1]), model.fc, **options)
    for chosen in torch.as_tensor(rows).split(7):
        metric.update(features[chosen], data.tensors[1][chosen])
    return metric, wanted


def test_the_metric_merges_processes_exactly(data, model):
    """Two processes, each with every second example; what torchmetrics would gather is handed over by hand."""
    model = Model(model)
    second, wanted = metric_of(model, data, range(1, COUNT, 2))
    names = iter(second._defaults)
    first, _ = metric_of(
        model,
        data,
        range(0, COUNT, 2),
        dist_sync_fn=lambda mine, group: [mine, getattr(second, next(names))],
        distributed_available_fn=lambda: True,
    )
    measures = first.compute()
    assert measures == pytest.approx({name: wanted[name] for name in measures}, rel=1e-9, abs=1e-12)
    assert {"loss_perp", "nc1"} <= measures.keys()
    with pytest.raises(InputError, match="have come"):
        second.compute()


def test_the_metric_can_be_reset_and_refuses_repeated_examples(data, model):
    metric, wanted = metric_of(Model(model), data, range(COUNT))
    assert metric.compute()["nc1"] == pytest.approx(wanted["nc1"], rel=1e-9)
    metric.update(torch.zeros(1, 6), torch.zeros(1, dtype=torch.int64))  # as a DistributedSampler pads
    with pytest.raises(InputError, match="use a sampler that gives each once"):
        metric.compute()
    metric.reset()
    with pytest.raises(InputError, match="have come"):
        metric.compute()
