"""PoseDataset: images, points and labels as arrays, and the checks at the door."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from posenb.skeletons import Skeleton, convert


class Batch(NamedTuple):
    """Samples as they are stored: uint8 images ``(B, 3, H, W)`` and their labels, in pixels of those images."""

    images: Tensor
    points: Tensor
    visible: Tensor
    occluded: Tensor


@dataclass(frozen=True)
class PoseDataset:
    """N images of one person (or hand) each, with K joints.

    Attributes:
        images: ``(N, 3, H, W)`` uint8, RGB. Kept channels-last, so that OpenCV can read them without a copy.
        points: ``(N, K, 2)`` float32, (x, y) in pixels of ``images``. NaN where ``visible`` is False is allowed.
        visible: ``(N, K)`` bool; False means that there is no label.
        occluded: ``(N, K)`` bool; True means labelled, and hidden in the picture.
        reference: ``(N,)`` float32, the length in pixels that PCK refers to (NaN: unknown).
        head: ``(N,)`` float32, the head size in pixels that PCKh refers to (NaN: unknown).
        skeleton: the joint set.
        name: for messages and figures.
        margin: pixels around the sample proper. Augmentation turns and shifts real surroundings into view;
            the sample itself is ``images[..., margin:H - margin, margin:W - margin]``.
        area: ``(N,)`` float32, the person's area in square pixels of ``images``, for OKS (NaN or None: unknown).
        picture: ``(N,)`` int64, the number of the picture that a sample was cut from; None: each has its own.
        stature: ``(N,)`` float32, how tall the person is when upright, in pixels of ``images`` (None: unknown).

    Raises:
        ValueError: where shapes or types disagree, or a labelled joint is NaN or further outside the image than
            the image is large; the message names the first such sample.
    """

    images: Tensor
    points: Tensor
    visible: Tensor
    occluded: Tensor
    reference: Tensor
    head: Tensor
    skeleton: Skeleton
    name: str
    margin: int = 0
    area: Tensor | None = None
    picture: Tensor | None = None
    stature: Tensor | None = None

    def __post_init__(self) -> None:
        count, joints = len(self.images), len(self.skeleton)
        expected = {
            "points": (self.points, (count, joints, 2), torch.float32),
            "visible": (self.visible, (count, joints), torch.bool),
            "occluded": (self.occluded, (count, joints), torch.bool),
            "reference": (self.reference, (count,), torch.float32),
            "head": (self.head, (count,), torch.float32),
        }
        if self.area is not None:
            expected["area"] = (self.area, (count,), torch.float32)
        if self.picture is not None:
            expected["picture"] = (self.picture, (count,), torch.int64)
        if self.stature is not None:
            expected["stature"] = (self.stature, (count,), torch.float32)
        if self.images.ndim != 4 or self.images.shape[1] != 3 or self.images.dtype != torch.uint8:
            raise ValueError(
                f"{self.name}: images must be (N, 3, H, W) uint8, not {tuple(self.images.shape)} {self.images.dtype}"
            )
        for field, (tensor, shape, dtype) in expected.items():
            if tuple(tensor.shape) != shape or tensor.dtype != dtype:
                raise ValueError(
                    f"{self.name}: {field} must be {shape} {dtype} for {count} images of {self.skeleton.name}, "
                    f"not {tuple(tensor.shape)} {tensor.dtype}"
                )
        height, width = self.images.shape[-2:]
        size = torch.tensor([width, height], dtype=torch.float32)
        # written so that NaN counts as outside
        near = ((self.points >= -size) & (self.points <= 2 * size)).all(-1)
        bad = (self.visible & ~near).nonzero()
        if len(bad):
            sample, joint = bad[0].tolist()
            x, y = self.points[sample, joint].tolist()
            raise ValueError(
                f"{self.name}: sample {sample} has {self.skeleton.joints[joint]} at ({x:.1f}, {y:.1f}), "
                f"which is not near its {width} x {height} image; correct the annotation or mark it not visible"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice | Tensor | list[int]) -> PoseDataset:
        """The samples of an index, as a data set. Slices share memory."""
        fields = ("images", "points", "visible", "occluded", "reference", "head", "area", "picture", "stature")
        whole = {field: getattr(self, field) for field in fields}
        return replace(self, **{field: values[index] for field, values in whole.items() if values is not None})

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a sample proper, without its margin."""
        height, width = self.images.shape[-2:]
        return height - 2 * self.margin, width - 2 * self.margin

    def batch(self, index: Tensor) -> Batch:
        """The samples of an index ``(B,)``, as stored."""
        # gathered as rows of bytes: one memcpy a sample, and the channels-last layout stays
        rows = self.images.permute(0, 2, 3, 1)
        images = rows.index_select(0, index).permute(0, 3, 1, 2)
        return Batch(images, self.points[index], self.visible[index], self.occluded[index])

    def cropped(self) -> PoseDataset:
        """The samples proper: the margin cut off."""
        if not self.margin:
            return self
        m = self.margin
        return replace(self, images=self.images[..., m:-m, m:-m], points=self.points - m, margin=0)

    def as_skeleton(self, target: Skeleton) -> PoseDataset:
        """The same images seen through another joint set; joints that this one lacks are not visible."""
        points, visible = convert(self.points, self.visible, self.skeleton, target)
        _, occluded = convert(self.points, self.occluded, self.skeleton, target)
        return replace(self, points=points, visible=visible, occluded=occluded, skeleton=target)
