"""Scores by body part, as the papers' tables print them: a dict of columns, a row of a ``pandas.DataFrame``."""

from __future__ import annotations

import math
from collections.abc import Mapping

from posenb.metrics.keypoints import Score
from posenb.metrics.limbs import LimbScore
from posenb.skeletons import HAND21, LSP14, MPII16, Skeleton

_LIMBS = {"Sho.": "shoulder", "Elb.": "elbow", "Wri.": "wrist", "Hip": "hip", "Knee": "knee", "Ank.": "ankle"}
_BODY = {column: (f"left_{part}", f"right_{part}") for column, part in _LIMBS.items()}

# MPII's Head is the top of the head alone: that gives the published digits. LSP's evaluations average it with the neck.
_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    MPII16.name: {"Head": ("head_top",), **_BODY},
    LSP14.name: {"Head": ("head_top", "neck"), **_BODY},
    HAND21.name: {
        "Wrist": ("wrist",),
        **{
            finger.capitalize(): tuple(joint for joint in HAND21.joints if joint.startswith(finger))
            for finger in ("thumb", "index", "middle", "ring", "little")
        },
    },
}

_PCP_COLUMNS = {
    "Torso": ("torso",),
    "U.leg": ("left_upper_leg", "right_upper_leg"),
    "L.leg": ("left_lower_leg", "right_lower_leg"),
    "U.arm": ("left_upper_arm", "right_upper_arm"),
    "Forearm": ("left_forearm", "right_forearm"),
    "Head": ("head",),
}


def columns(skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    """Which joints a table's columns average.

    MPII and LSP: Head, Sho., Elb., Wri., Hip, Knee, Ank.; hands: the wrist and a column a finger; any other set: its
    joints by their names, left and right together.
    """
    if skeleton.name in _COLUMNS:
        return _COLUMNS[skeleton.name]
    found: dict[str, tuple[str, ...]] = {}
    for joint in skeleton.joints:
        part = joint.removeprefix("left_").removeprefix("right_")
        found[part] = (*found.get(part, ()), joint)
    return found


def joint_table(score: Score, skeleton: Skeleton, scale: float = 100) -> dict[str, float]:
    """A score by column, and 'Mean', the score's own mean over joints.

    A column is the unweighted mean of its joints, left and right; those without any label are left out.

    Args:
        score: of :func:`~posenb.metrics.keypoints.pck`, :func:`~posenb.metrics.keypoints.pckh`,
            :func:`~posenb.metrics.keypoints.auc` or :func:`~posenb.metrics.keypoints.epe`. MPII's mean counts the upper
            neck, which has no column.
        skeleton: its joint set.
        scale: 100 for per cent; 1 for pixels.

    Raises:
        ValueError: where the score has another number of joints.
    """
    if len(score.per_joint) != len(skeleton):
        raise ValueError(f"the score has {len(score.per_joint)} joints, {skeleton.name} has {len(skeleton)}")
    joints = dict(zip(skeleton.joints, score.per_joint.tolist(), strict=True))
    return _averaged(joints, columns(skeleton), scale) | {"Mean": scale * score.mean}


def limb_table(score: LimbScore, scale: float = 100) -> dict[str, float]:
    """PCP as LSP's tables print it: Torso, U.leg, L.leg, U.arm, Forearm, Head, and 'Total', the mean of the ten limbs.

    Raises:
        KeyError: where the score is not of the ten limbs of :func:`~posenb.metrics.limbs.pcp_limbs`.
    """
    return _averaged(score.per_limb, _PCP_COLUMNS, scale) | {"Total": scale * score.mean}


def _averaged(values: Mapping[str, float], groups: Mapping[str, tuple[str, ...]], scale: float) -> dict[str, float]:
    result = {}
    for column, names in groups.items():
        known = [value for name in names if not math.isnan(value := values[name])]
        result[column] = scale * sum(known) / len(known) if known else math.nan
    return result
