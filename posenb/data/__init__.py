"""Data sets: arrays of images and points, synthetic and real."""

from posenb.data.dataset import Batch, PoseDataset

__all__ = ["Batch", "PoseDataset"]
