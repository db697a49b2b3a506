"""The body in three dimensions: proportions, and forward kinematics from joint angles to joints.

Camera frame: x right, y down, z towards the viewer; unit: the person's stature. The body's own frame, before it is
turned, is x to the person's left, y down, z forward: a person of yaw 0 faces the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from posenb.data.synthetic.draws import Array, Bools, Draws
from posenb.data.synthetic.poses import ANGLES
from posenb.skeletons import COCO17, MPII16

JOINTS = (*MPII16.joints, *(joint for joint in COCO17.joints if joint not in MPII16.joints))
"""The 21 joints that are labelled: MPII16 in its order, then the five of COCO17's face."""
INDEX = {name: k for k, name in enumerate(JOINTS)}

# in head radii: (to the left, down, forward)
FACE = {
    "nose": (0.0, 0.16, 1.08),
    "left_eye": (0.38, -0.10, 0.90),
    "right_eye": (-0.38, -0.10, 0.90),
    "left_ear": (1.0, 0.04, -0.08),
    "right_ear": (-1.0, 0.04, -0.08),
}


@dataclass(frozen=True)
class Build:
    """Proportions of N people, each ``(N,)`` and in statures."""

    shoulder: Array
    hip: Array
    trunk: Array
    neck: Array
    head: Array
    upper_arm: Array
    forearm: Array
    thigh: Array
    shin: Array
    girth: Array
    """Thickness of everything, 1 for the average."""
    curve: Array
    """-1: broad shoulders and narrow hips; 1: the other way round, with a waist."""


@dataclass(frozen=True)
class Posed:
    """N people in the camera frame, in statures.

    Attributes:
        joints: ``(N, 21, 3)``, named by ``JOINTS``.
        spine: ``(N, 3)``, the waist, where the back bends.
        hands, toes, heels: ``(N, 2, 3)``, left then right: finger tips, tips and heels of the feet.
        pelvis, chest, head: ``(N, 3, 3)`` rotations; columns are the part's left, down and forward.
        head_center: ``(N, 3)``.
        head_radii: ``(N, 3)``, half width, half height, half depth.
        build: the proportions.
    """

    joints: Array
    spine: Array
    hands: Array
    toes: Array
    heels: Array
    pelvis: Array
    chest: Array
    head: Array
    head_center: Array
    head_radii: Array
    build: Build


def sample_build(draws: Draws) -> Build:
    """Proportions of a block of people: adults and some children."""
    child = draws.uniform(0, 1) ** 6
    curve = draws.uniform(-1, 1)

    def around(mean: float, spread: float = 0.04) -> Array:
        return mean * (1 + spread * draws.normal())

    return Build(
        shoulder=around(0.112) * (1 - 0.07 * curve),
        hip=around(0.066) * (1 + 0.08 * curve),
        trunk=around(0.285, 0.03),
        neck=around(0.045, 0.06),
        head=around(0.150, 0.03) * (1 + 0.25 * child),
        upper_arm=around(0.172) * (1 - 0.06 * child),
        forearm=around(0.148) * (1 - 0.06 * child),
        thigh=around(0.245, 0.03) * (1 - 0.08 * child),
        shin=around(0.240, 0.03) * (1 - 0.08 * child),
        girth=around(1.0, 0.09) * (1 + 0.12 * child),
        curve=curve,
    )


def rotation(axis: str, degrees: Array) -> Array:
    """Rotations ``(N, 3, 3)``: x raises a hanging arm forward, z raises it to the left, y turns forward to the left."""
    angle = np.deg2rad(degrees)
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, cos, -sin, zero, sin, cos),
        "y": (cos, zero, sin, zero, one, zero, -sin, zero, cos),
        "z": (cos, sin, zero, -sin, cos, zero, zero, zero, one),
    }[axis]
    return np.stack(rows, -1).reshape(*angle.shape, 3, 3)


def pose(angles: Array, build: Build, yaw: Array, elevation: Array, roll: Array) -> Posed:
    """Forward kinematics.

    Args:
        angles: ``(N, 26)`` degrees, columns as in ``poses.ANGLES``.
        build: proportions of N people.
        yaw: ``(N,)`` degrees the person is turned to their own left; 0 faces the viewer.
        elevation: ``(N,)`` degrees the viewer looks down.
        roll: ``(N,)`` degrees the picture of the person is turned clockwise.
    """
    a = {name: angles[:, k] for k, name in enumerate(ANGLES)}
    left, down, forward = np.eye(3)

    def along(turn: Array, direction: Array, length: Array) -> Array:
        return (turn @ direction) * length[:, None]

    view = rotation("z", -roll) @ rotation("x", -elevation) @ rotation("y", yaw)
    pelvis = view @ rotation("z", a["tilt"]) @ rotation("x", -a["lean"])
    bend = rotation("z", a["side"]) @ rotation("x", -a["bend"])
    half_bend = rotation("z", a["side"] / 2) @ rotation("x", -a["bend"] / 2)
    chest = pelvis @ bend @ rotation("y", a["twist"])
    head = chest @ rotation("y", a["turn"]) @ rotation("z", a["cock"]) @ rotation("x", -a["nod"])

    joint: dict[str, Array] = {"pelvis": np.zeros((len(angles), 3))}
    waist = along(pelvis @ half_bend, -down, build.trunk * 0.4)
    joint["thorax"] = waist + along(chest, -down, build.trunk * 0.6)
    joint["upper_neck"] = joint["thorax"] + along(chest, -down + 0.18 * forward, build.neck)
    joint["head_top"] = joint["upper_neck"] + along(head, -down, build.head)
    hands, toes, heels = [], [], []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        # an arm that is raised lifts its shoulder
        lift = np.maximum(np.abs(a[f"{side}_raise"]), a[f"{side}_spread"]).clip(60, 180) - 60
        shoulder = along(chest, sign * left, build.shoulder) + along(chest, -down, 0.035 * lift / 120 - 0.012)
        upper = (
            chest
            @ rotation("x", a[f"{side}_raise"])
            @ rotation("z", sign * a[f"{side}_spread"])
            @ rotation("y", sign * a[f"{side}_twist"])
        )
        fore = upper @ rotation("x", a[f"{side}_elbow"])
        joint[f"{side}_shoulder"] = joint["thorax"] + shoulder
        joint[f"{side}_elbow"] = joint[f"{side}_shoulder"] + along(upper, down, build.upper_arm)
        joint[f"{side}_wrist"] = joint[f"{side}_elbow"] + along(fore, down, build.forearm)
        hands.append(joint[f"{side}_wrist"] + along(fore, down + 0.1 * forward, build.forearm * 0.52))
        thigh = (
            pelvis
            @ rotation("x", a[f"{side}_thigh"])
            @ rotation("z", sign * a[f"{side}_open"])
            @ rotation("y", sign * a[f"{side}_out"])
        )
        shin = thigh @ rotation("x", -a[f"{side}_knee"])
        foot = shin @ rotation("x", -a[f"{side}_toe"])
        joint[f"{side}_hip"] = along(pelvis, sign * left, build.hip)
        joint[f"{side}_knee"] = joint[f"{side}_hip"] + along(thigh, down, build.thigh)
        joint[f"{side}_ankle"] = joint[f"{side}_knee"] + along(shin, down, build.shin)
        toes.append(joint[f"{side}_ankle"] + along(foot, 0.105 * forward + 0.030 * down, np.ones(len(angles))))
        heels.append(joint[f"{side}_ankle"] + along(foot, -0.024 * forward + 0.026 * down, np.ones(len(angles))))

    radii = build.head[:, None] * np.array([0.37, 0.5, 0.44])
    center = joint["upper_neck"] + along(head, -down + 0.12 * forward, build.head * 0.5)
    for name, place in FACE.items():
        joint[name] = center + (head @ (radii * np.array(place))[..., None])[..., 0]
    return Posed(
        joints=np.stack([joint[name] for name in JOINTS], 1),
        spine=waist,
        hands=np.stack(hands, 1),
        toes=np.stack(toes, 1),
        heels=np.stack(heels, 1),
        pelvis=pelvis,
        chest=chest,
        head=head,
        head_center=center,
        head_radii=radii,
        build=build,
    )


def taken(people: Posed, rows: Bools) -> Posed:
    """Some of the people: those where ``rows (N,)`` is True."""
    build = replace(people.build, **{f.name: getattr(people.build, f.name)[rows] for f in fields(people.build)})
    arrays = {f.name: getattr(people, f.name)[rows] for f in fields(people) if f.name != "build"}
    return replace(people, build=build, **arrays)
