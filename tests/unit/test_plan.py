"""The plan of a study against counts by hand."""

import pytest
import torch

from neural_collapse.__main__ import main
from neural_collapse.config.declarations import known_figures
from neural_collapse.config.runs import load_study
from neural_collapse.errors import InputError
from neural_collapse.plan import flops_of_jobs, network_cost, plan
from neural_collapse.storage import write_json
from neural_collapse.train import networks

DRAWN = ("figure-02", "figure-07", "figure-11")
LEFT_OUT = [figure for figure in known_figures() if figure not in DRAWN]


def study(runs, **settings):
    networks = {"vgg11": {"width": 0.125}, "resnet18": {"width": 0.125}}
    small = {"seeds": [0, 1], "measured_epochs": 3, "networks": networks}
    system = {"classes": 3, "examples_per_class": 5, "features": 4, "spectrum": [1, 2], "horizon": 10}
    small |= {"theory": {"three": system}, "leave_out": LEFT_OUT}
    small |= {"training": {"epochs": 10, "batch_size": 64, "learning_rate": 0.1}, "runs": runs}
    return load_study({"study": "small", "studies": {"small": small | settings}})


def by_layer(study, results="nowhere"):
    return {cost.layer: cost for cost in plan(study, results)}


@pytest.mark.parametrize("name, options", [("vgg11", {"width": 0.125}), ("densenet40", {"growth_rate": 4})])
def test_flops_are_those_of_every_convolution_and_linear_layer(name, options):
    network = networks.build(name, in_channels=3, classes=10, image_size=16, seed=0, **options).eval()
    counted = []

    def count(module, _, output):
        pixels = output[0, 0].numel() if output.ndim == 4 else 1
        counted.append(2 * module.weight.numel() * pixels)

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    network(torch.zeros(1, 3, 16, 16))

    cost = network_cost(name, tuple(options.items()), channels=3, image_size=16, classes=10)
    assert cost.forward_flops == sum(counted)
    # Backward: to every layer's weight, and to every layer's input but the images.
    assert cost.training_flops == 3 * sum(counted) - counted[0]
    assert cost.checkpoint_bytes == sum(tensor.nbytes for tensor in network.state_dict().values())


def test_counts_jobs_arithmetic_and_disk():
    costs = by_layer(study({"mnist-vgg11-mse": {}, "mnist-vgg11-ce": {}, "svhn-resnet18-mse": {}}))
    assert {layer: cost.jobs for layer, cost in costs.items()} == {
        "data": 2,
        "sweep": 1,
        "train": 6,
        "features": 6,
        "metrics": 20,
        "theory": 2,
        "figures": 5,  # and table 1, and the claims
    }
    # MNIST 5,000 a class, padded to 32x32; SVHN 4,600 a class; test sets whole; a label is 8 bytes.
    mnist, svhn = (50_000, 10_000), (46_000, 26_032)
    assert costs["data"].disk == sum(mnist) * (32 * 32 + 8) + sum(svhn) * (3 * 32 * 32 + 8)
    vgg = network_cost("vgg11", (("width", 0.125),), channels=1, image_size=32, classes=10)
    resnet = network_cost("resnet18", (("width", 0.125),), channels=3, image_size=32, classes=10)
    trained = {
        cost: 10 * (train // 64 * 64 * cost.training_flops + test * cost.forward_flops)
        for cost, (train, test) in ((vgg, mnist), (resnet, svhn))
    }
    assert costs["train"].flops == pytest.approx(4 * trained[vgg] + 2 * trained[resnet])
    assert costs["train"].disk == 3 * (4 * vgg.checkpoint_bytes + 2 * resnet.checkpoint_bytes)
    assert costs["features"].flops == 3 * (4 * sum(mnist) * vgg.forward_flops + 2 * sum(svhn) * resnet.forward_flops)


def test_leaves_out_what_a_study_of_one_loss_cannot_show():
    # Figure 2 is of the MSE loss; figures 7 and 11, table 1 (its header) and the claims are left.
    assert by_layer(study({"mnist-vgg11-ce": {}}))["figures"].jobs == 4


def test_a_sweep_trains_once_for_each_rate_of_a_pair():
    fixed = by_layer(study({"mnist-vgg11-mse": {}}, seeds=[0]))
    swept = by_layer(study({"mnist-vgg11-mse": {"learning_rate": "sweep"}}, sweep={"count": 7}))
    assert swept["sweep"].jobs == 7 + 1 + 1
    assert swept["sweep"].flops == 7 * fixed["train"].flops
    sweep = {"count": 7, "method": "halving"}
    halved = by_layer(study({"mnist-vgg11-mse": {"learning_rate": "sweep"}}, sweep=sweep))
    assert halved["sweep"].jobs == (7 + 1) + (2 + 1) + 1
    # Of the 10 epochs a ninth is 1, a third 3.
    assert halved["sweep"].flops == pytest.approx((7 * 1 + 2 * 3) / 10 * fixed["train"].flops)


def test_a_users_own_data_set_is_planned_once_it_is_prepared(tmp_path):
    own = study({"own-vgg11-mse": {}}, datasets={"own": {"source": "arrays", "path": "own.npz"}})
    with pytest.raises(InputError, match=r"studies\.small\.datasets\.own: .* run `snakemake --cores all data` first"):
        plan(own, tmp_path)
    assert flops_of_jobs(own, {})["train"] == {}, "what is known of others can be counted meanwhile"
    card = {"classes": ["a", "b"], "image": [3, 8, 8], "train_per_class": [40, 24], "test_per_class": [10, 10]}
    write_json(tmp_path / "datasets" / "own.json", card)
    assert by_layer(own, tmp_path)["data"].disk == 84 * (3 * 8 * 8 + 8)


def test_prints_the_plan_of_a_study(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(
        "study: one\nstudies:\n  one:\n    measured_epochs: 2\n    networks: {vgg11: {width: 0.125}}\n"
        "    runs: {mnist-vgg11-mse: {learning_rate: 0.1, epochs: 350}}\n"
    )
    assert main(["plan", "--config", str(tmp_path / "config.yaml"), "--tflops", "0.001"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cost = network_cost("vgg11", (("width", 0.125),), channels=1, image_size=32, classes=10)
    flops = 350 * (50_000 // 128 * 128 * cost.training_flops + 10_000 * cost.forward_flops)
    assert lines[0] == "study one: 1 runs, each measured at 2 epochs"
    train = next(line.split() for line in lines if line.startswith("train"))
    assert train[1] == "1"
    assert float(train[2]) == pytest.approx(flops / 1e12, rel=0.01) and train[3] == "TFLOP"
    assert float(train[4]) == pytest.approx(flops / 1e9 / 3600, abs=0.01)
    assert any(line.startswith("total") for line in lines)
