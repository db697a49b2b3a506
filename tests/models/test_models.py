"""What every network does: shapes, seeds, counts, gradients, messages."""

import random

import numpy as np
import pytest
import torch

from posenb import models

TINY = {
    "small": ("small", {"widths": (8, 8, 16)}),
    "hourglass": ("hourglass", {"channels": 16, "blocks": 1, "depth": 2}),
    "hourglass of 2 stacks": ("hourglass", {"channels": 16, "blocks": 1, "depth": 2, "stacks": 2}),
    "hourglass of stem 2": ("hourglass", {"channels": 16, "blocks": 1, "depth": 3, "stem": 2}),
    "dense hourglass": ("hourglass", {"channels": 16, "blocks": 2, "depth": 2, "block": "dense"}),
    "shufflenet": ("baseline", {"backbone": "shufflenet_v2_x1_0", "channels": 32}),
    "resnet": ("baseline", {"backbone": "resnet18", "channels": 32}),
    "hrnet": ("hrnet", {"width": 18}),
}
# timm takes seconds to import
every = [pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name == "hrnet")) for name, case in TINY.items()]
quick = [pytest.param(*TINY[name], id=name) for name in TINY if "net" not in name]


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("name", "options"), every)
def test_shapes_strides_gradients_and_sides(name, options):
    """One test for all, so that each network is built once."""
    network = models.create(name, 5, options)
    maps = network(images(2, 3, 64, 96))
    assert isinstance(maps, list) and len(maps) == options.get("stacks", 1)
    assert network.stride in (2, 4)
    for stack in maps:
        assert stack.shape == (2, 5, 64 // network.stride, 96 // network.stride)
        assert stack.isfinite().all()
    assert all(weight.grad is None for weight in network.parameters())
    sum((stack * images(*stack.shape, seed=1)).sum() for stack in maps).backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle
    with pytest.raises(ValueError, match=r"image sides must be multiples of \d+, not \(64, 90\)"):
        network(images(1, 3, 64, 90))


@pytest.mark.parametrize(("name", "options"), quick)
def test_the_seed_decides_the_weights(name, options):
    first, again, other = (models.create(name, 4, options, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(("name", "options"), [TINY["small"], TINY["resnet"]])
def test_global_random_states_are_left_alone_and_do_not_matter(name, options):
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    first = models.create(name, 4, options, 1).state_dict()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]
    torch.manual_seed(6)
    again = models.create(name, 4, options, 1).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpus_random_state_is_left_alone():
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    models.create("small", 4, {}, 1)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.slow
def test_hrnet_has_as_many_weights_as_published_for_pose():
    # Sun et al. 2019, table 1: HRNet-W32 28.5M for COCO's 17 joints
    assert round(models.parameters(models.create("hrnet", 17)) / 1e6, 1) == 28.5


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        # by hand in methods.md: 13 places of 3 bottlenecks of 213k, stem and head; 9.4M = 38 MB
        ("hourglass", {}, 9_421_648),
        ("hourglass", {"block": "dense", "channels": 128, "blocks": 6}, 6_083_376),
        ("small", {}, 1_266_024),
    ],
    ids=["residual hourglass", "dense hourglass", "small"],
)
def test_counts_of_weights(name, options, count):
    assert models.parameters(models.create(name, 16, options)) == count


def test_parameters_counts_what_is_learned():
    # 3 x 5 weights, 5 biases, and a normalisation's 2 x 5 but not its running statistics
    assert models.parameters(torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))) == 30


@pytest.mark.parametrize("name", ["small", "hourglass"])
def test_with_group_norm_an_image_is_seen_alone(name):
    options = {"small": {"widths": (8, 8, 16)}, "hourglass": {"channels": 32, "blocks": 1, "depth": 2}}[name]
    batch = images(3, 3, 32, 32)
    for norm, alike in (("group", True), ("batch", False)):
        network = models.create(name, 4, options | {"norm": norm})
        assert network.training
        together, alone = network(batch)[-1][:1], network(batch[:1])[-1]
        assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5) == alike


def test_options_from_json_may_be_lists():
    network = models.create("small", 4, {"widths": [8, 16]})
    assert network.options.widths == (8, 16)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vit", {}, "network must be one of small, hourglass, baseline, hrnet, feedback, shallow, not 'vit'"),
        ("small", {"depth": 2}, "network 'small' has no option depth; it has widths, norm"),
        ("small", {"norm": "layer"}, "norm must be 'batch' or 'group', not 'layer'"),
        ("hourglass", {"norm": "layer"}, "norm must be 'batch' or 'group', not 'layer'"),
        ("hourglass", {"block": "plain"}, "block must be 'residual' or 'dense', not 'plain'"),
        ("hourglass", {"stem": 3}, "stem must be 2 or 4, not 3"),
        ("hourglass", {"stacks": 0}, "stacks must be at least 1, not 0"),
        ("hourglass", {"channels": -1}, "channels must be at least 1, not -1"),
        ("small", {"widths": []}, r"widths must be at least 1, not \[\]"),
        ("small", {"widths": [0, 8]}, r"widths must be at least 1, not \[0, 8\]"),
        ("small", {"widths": 8}, r"network 'small': widths must be something like \[24, 64, 112, 160\], not 8"),
        ("small", {"widths": ["a"]}, r"network 'small': widths must be something like .*, not \['a'\]"),
        ("baseline", {"weights": "COCO"}, "weights of resnet18 must be one of IMAGENET1K_V1, DEFAULT, not 'COCO'"),
        (
            "feedback",
            {"backbone": "googlenet", "weights": "COCO"},
            "weights of googlenet must be one of .*, not 'COCO'",
        ),
        ("baseline", {"backbone": "alexnet"}, "backbone must be one of resnet18, .*, not 'alexnet'"),
        pytest.param("hrnet", {"width": 20}, "width must be 18, 32 or 48, not 20", marks=pytest.mark.slow),
    ],
)
def test_bad_options_are_refused_in_one_line(name, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        models.create(name, 4, options)
