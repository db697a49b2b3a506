"""Fractions of correct limbs: PCP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from posenb.metrics.keypoints import check_shapes
from posenb.skeletons import Skeleton

Ends = tuple[tuple[int, ...], tuple[int, ...]]
"""The two ends of a limb; an end is the mean of the joints listed."""


class LimbScore(NamedTuple):
    """A fraction of limbs, averaged three ways; NaN where nothing is labelled.

    mean: the unweighted mean over limbs; pooled: over all labelled limbs at once; per_limb: by the limb's name.
    """

    mean: float
    pooled: float
    per_limb: dict[str, float]


def pcp_limbs(skeleton: Skeleton) -> dict[str, Ends]:
    """The ten limbs of PCP, by name: torso, head, upper and lower legs, upper arms, forearms.

    Left and right are the person's. The torso goes from the neck to the middle of the hips; evaluations that start it
    at the middle of the shoulders differ by a little: give :func:`pcp` limbs of your own. The head goes from the
    neck to the top of the head. In MPII's joints the neck is the upper neck for the head and the thorax for the torso.

    Raises:
        ValueError: for a skeleton without one of the joints.
    """
    thorax, neck = ("thorax", "upper_neck") if "upper_neck" in skeleton.joints else ("neck", "neck")
    names: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "torso": ((thorax,), ("left_hip", "right_hip")),
        "head": ((neck,), ("head_top",)),
    }
    for part, first, second in (
        ("upper_leg", "hip", "knee"),
        ("lower_leg", "knee", "ankle"),
        ("upper_arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
    ):
        names |= {f"{side}_{part}": ((f"{side}_{first}",), (f"{side}_{second}",)) for side in ("left", "right")}
    missing = {joint for ends in names.values() for end in ends for joint in end} - set(skeleton.joints)
    if missing:
        raise ValueError(f"PCP needs {', '.join(sorted(missing))}, which {skeleton.name} lacks")
    return {name: (skeleton.index(*first), skeleton.index(*second)) for name, (first, second) in names.items()}


def pcp(
    pred: Tensor,
    target: Tensor,
    visible: Tensor,
    parts: Skeleton | Mapping[str, Ends],
    threshold: float = 0.5,
    strict: bool = True,
) -> LimbScore:
    """Percentage of correct parts (Ferrari et al. 2008; strict as Eichner et al. 2012 settle it).

    Args:
        pred, target: ``(B, K, 2)`` in pixels. A NaN prediction is wrong.
        visible: ``(B, K)`` bool; a limb counts where every joint of its ends is labelled.
        parts: a skeleton, for its :func:`pcp_limbs`, or limbs by name.
        threshold: fraction of the labelled limb's length.
        strict: a limb is correct where both ends are within ``threshold`` x its length of their places. Otherwise
            where the mean of the two distances is, which some published figures are, and which is easier.

    Raises:
        ValueError: where the shapes disagree, or the skeleton lacks a joint.
    """
    check_shapes(pred, target, visible)
    ends_by_name = pcp_limbs(parts) if isinstance(parts, Skeleton) else parts
    found, wanted = _ends(pred, ends_by_name), _ends(target, ends_by_name)
    distances = (found - wanted).norm(dim=-1)
    length = (wanted[:, :, 0] - wanted[:, :, 1]).norm(dim=-1)
    deviation = distances.amax(dim=-1) if strict else distances.mean(dim=-1)
    counted = torch.stack([visible[:, [*a, *b]].all(dim=-1) for a, b in ends_by_name.values()], dim=1)
    correct = (deviation <= threshold * length) & counted
    hits, counts = correct.sum(dim=0, dtype=torch.float64), counted.sum(dim=0)
    per_limb = hits / counts
    return LimbScore(
        per_limb.nanmean().item(),
        (hits.sum() / counts.sum()).item(),
        dict(zip(ends_by_name, per_limb.tolist(), strict=True)),
    )


def _ends(points: Tensor, limbs: Mapping[str, Ends]) -> Tensor:
    """Both ends of every limb, ``(B, L, 2, 2)``: limb, end, (x, y)."""
    return torch.stack(
        [torch.stack([points[:, list(end)].mean(dim=1) for end in ends], dim=1) for ends in limbs.values()], dim=1
    )
