"""Hands. To come."""

from posenb.data.dataset import PoseDataset


def hand(count: int, size: int = 64, seed: int = 0, difficulty: float = 0.5, margin: int = 0) -> PoseDataset:
    raise NotImplementedError("hands are still being drawn")
