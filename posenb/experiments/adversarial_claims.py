"""The claims on adversarial data augmentation: one function a claim measures one seed.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
Runs of a seed start from the same pose network, see the same images in the same order, and are tested on the same ones,
so all differences are paired. Accuracy is PCK@.2 as a fraction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from posenb import augment, data, models, runs
from posenb.claims import Measurement, Parts
from posenb.data.dataset import PoseDataset
from posenb.experiments import adversarial
from posenb.experiments import adversarial_accuracy as accuracy
from posenb.experiments.accuracy import MARGIN, pck
from posenb.experiments.adversarial_specs import HOURGLASSES, components, hourglasses, specs
from posenb.methods.adversarial_augmentation import Adversaries
from posenb.runs import Run
from posenb.spec import Network, Spec

# images on which losses over rotation are measured, nine times each
IMAGES = {"smoke": 16, "quick": 100, "full": 300, "paper": 300}


def trained(names: tuple[str, ...], profile: str, dataset: str, seed: int, device: str) -> dict[str, Run]:
    """The named runs of :func:`~posenb.experiments.adversarial_specs.specs`, trained where they are missing."""
    wanted = specs(profile, dataset, seed)
    return {name: runs.train(wanted[name], device=device) for name in names}


def tested(spec: Spec, profile: str) -> PoseDataset:
    """The test images on which losses over rotation are measured, with real surroundings to turn into view."""
    return spec.data.load("final", margin=spec.data.margin)[: IMAGES[profile]]


def measure_ada2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Depth of the bowl of the pose loss over rotation, as a fraction of the curve's mean: the smaller of the depth
    before adversarial training (ASR and AHO) less that after it, and of the depth after random training less that.

    Of the mean of each image's loss, in nine bins from -60 to 60 degrees.
    """
    return _bowls(trained(("start", "random", "both"), profile, dataset, seed, device), _flattening, profile)


def _flattening(means: adversarial.Array) -> tuple[float, float]:
    random, ours = means
    return adversarial.flattening(ours, random)


def _bowls(found: dict[str, Run], statistic: Callable[[adversarial.Array], Parts], profile: str) -> Measurement:
    """A statistic of the mean losses over rotation ``(runs, S, A)`` of the runs after the first one, from which they go
    on and which is stage one of each."""
    (_, *names), (start, *others) = found, found.values()
    stages, curves = adversarial.curves_over_training([start, *others], tested(start.spec, profile))
    later = np.split(curves[1:], len(others))
    losses = np.stack([np.concatenate([curves[:1], of_run]) for of_run in later]).transpose(2, 0, 1, 3)
    means = losses.mean(axis=0)  # of (N, runs, S, A)
    return Measurement(
        statistic(means),
        losses,
        statistic,
        [run.spec.key for run in others],
        {
            "stages": stages[: means.shape[1]],
            "angles": list(augment.ROTATIONS.centres),
            "loss": dict(zip(names, means.tolist(), strict=True)),
            "depth": dict(zip(names, adversarial.depth(means).tolist(), strict=True)),
            "pck": {name: run.metrics["pck"] for name, run in zip(names, others, strict=True)},
        },
    )


def measure_ada3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The Pearson correlation over nine bins between the rotation distribution that the agent predicts for an image and
    the distribution of the pose network's losses; the mean over test images and over the stages of joint training.

    An image one of whose distributions is flat counts 0.
    """
    run = trained(("both",), profile, dataset, seed, device)["both"]
    images = tested(run.spec, profile)
    methods = [cast(Adversaries, run.at(step)) for step in run.snapshots]
    found = [adversarial.rotation_agreement(method, images) for method in methods]
    predicted = [adversarial.predicted_distributions(method, images)["rotation"].mean(dim=0) for method in methods]
    pearson = np.nan_to_num(np.stack([one.pearson for one in found], axis=1))  # (N, S)
    return Measurement(
        float(pearson.mean()),
        pearson,
        lambda mean: float(mean.mean()),
        [run.spec.key],
        {
            "steps": run.snapshots,
            "angles": list(augment.ROTATIONS.centres),
            "predicted": torch.stack(predicted).tolist(),
            "pearson": pearson.mean(axis=0).tolist(),
            "spearman": [float(np.nan_to_num(one.spearman).mean()) for one in found],
            "divergence": [float(one.divergence.mean()) for one in found],
        },
    )


def measure_ada4(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """In PCK@.2, the smallest of ASR less random, AHO less random, both less ASR, and both less AHO; the smallest over
    the networks (at the paper profile residual and dense hourglass, else the small network alone)."""
    found = {name: runs.train(spec, device=device) for name, spec in components(profile, dataset, seed).items()}
    return accuracy.component_gain(found)


def measure_ada5(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smaller of two: the mean gain in PCK@.2 of wrists, knees and ankles, by ASR and AHO over random augmentation;
    that less the other joints' gain."""
    return accuracy.hard_joint_gain(trained(("random", "both"), profile, dataset, seed, device))


def measure_ada6(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """A half less the share of the residual hourglass's weights that the dense one has, both as in Table 1 and counted;
    at the paper profile the smaller of that and of 2 points less the PCK@.2 that the dense one lacks."""
    joints = len(data.skeleton(dataset))
    weights = {name: count_weights(network, joints) for name, network in HOURGLASSES.items()}
    fewer = 0.5 - weights["dense"] / weights["residual"]
    if profile != "paper":
        return Measurement(fewer, np.array([fewer]), float, [], {"weights": weights})
    found = {name: runs.train(spec, device=device) for name, spec in hourglasses(profile, dataset, seed).items()}

    def statistic(mean: adversarial.Array) -> tuple[float, float]:
        residual, dense = (pck(of_run) for of_run in mean)
        return fewer, MARGIN - (residual - dense)

    compared = accuracy.compared(found, statistic)
    compared.curves["weights"] = weights
    return compared


def count_weights(network: Network, joints: int) -> int:
    """How many numbers a pose network of K ``joints`` learns."""
    return models.parameters(models.create(network.name, joints, network.options))


def measure_ada7(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The share of test images that an agent which generates scale and angle directly turns by more than 90 degrees
    after joint training, less a half."""
    run = trained(("direct",), profile, dataset, seed, device)["direct"]
    angles = adversarial.predicted_distributions(cast(Adversaries, run.method), run.spec.data.load("final"))["angle"]
    images = (angles.abs() > 90).double().numpy() - 0.5
    return Measurement(
        float(images.mean()),
        images,
        float,
        [run.spec.key],
        {"angles": angles.tolist(), "pck": run.metrics["pck"]},
    )


def measure_ada8(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of AHO with one mask scaled up from the lowest resolution, less the higher of a mask scaled down and of
    independent masks."""
    return accuracy.gain(trained(("aho", "scaled down", "independent"), profile, dataset, seed, device))


def measure_ada9(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of a stacked hourglass with ASR and AHO less that of the same with random augmentation."""
    return accuracy.gain(trained(("stacked both", "stacked random"), profile, dataset, seed, device))


def measure_ada10(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Passes through the pose network of a joint step that judges all augmentations of an image, over those of a step
    that judges a pair, less 1; a forward and backward pass counts as three forward ones.

    A count, not a time: the benchmark measures that a step takes as long as its passes.
    """
    pair, sweep = (adversarial.passes(1, swept=swept).units(agent=0) for swept in (False, True))
    value = sweep / pair - 1
    return Measurement(value, np.array([value]), float, [], {"pair": pair, "sweep": sweep, "supervised": 3})


def measure_ada11(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of AHO that occludes features less that of AHO that occludes the same cells of the image's pixels."""
    return accuracy.gain(trained(("aho", "pixels"), profile, dataset, seed, device))


def measure_ada12(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of ASR and AHO on different images of a batch, less the higher of both on the same images and of random
    augmentation."""
    return accuracy.gain(trained(("both", "together", "random"), profile, dataset, seed, device))


def measure_ada13(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of ASR and AHO with pre-trained agents less that with fresh ones."""
    return accuracy.gain(trained(("both", "unprepared"), profile, dataset, seed, device))


def measure_ada14(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The share of wrong joints that are nearer to their mirror image's place than to their own: after random training
    less after ASR and AHO."""
    found: Any = trained(("random", "both"), profile, dataset, seed, device)
    return accuracy.confusion_less(found["random"], found["both"])


def measure_ada15(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Depth of the bowl of the pose loss over rotation, as in ADA-2, at the end of joint training: with bins and cells
    drawn with equal probability, less with those that ASR and AHO choose. Random augmentation is there for comparison.
    """
    found = trained(("start", "uniform", "both", "random"), profile, dataset, seed, device)
    return _bowls(found, _chosen, profile)


def _chosen(means: adversarial.Array) -> float:
    uniform, ours, _ = adversarial.depth(means)[:, -1]
    return float(uniform - ours)
