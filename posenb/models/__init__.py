"""Networks: images ``(B, 3, H, W)`` in [0, 1] -> a list of maps ``(B, K, H / stride, W / stride)``, the best last.

'feedback' and 'shallow' are not of this kind: they answer numbers, and belong to error feedback and scale selection.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn

from posenb.models.layers import parameters
from posenb.options import build, require_counts

__all__ = ["NETWORKS", "create", "parameters"]

# imported when asked for: timm and torchvision's backbones take seconds
NETWORKS = {
    "small": ("posenb.models.small", "Small"),
    "hourglass": ("posenb.models.hourglass", "Hourglass"),
    "baseline": ("posenb.models.baseline", "Baseline"),
    "hrnet": ("posenb.models.hrnet", "HRNet"),
    "feedback": ("posenb.models.feedback", "Feedback"),
    "shallow": ("posenb.models.shallow", "Shallow"),
}


def create(name: str, joints: int, options: Mapping[str, Any] | None = None, seed: int = 0) -> nn.Module:
    """A network for K = ``joints`` joints with weights drawn from ``seed``; the global random state is left alone.

    Args:
        name: one of ``NETWORKS``; 'feedback' and 'shallow' answer numbers, not maps.
        options: fields of that module's ``Options``.

    Raises:
        ValueError: for an unknown name or option, or a value that it refuses.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {name!r}")
    module_name, class_name = NETWORKS[name]
    module = import_module(module_name)
    wanted = build(module.Options(), options or {}, f"network {name!r}")
    require_counts(wanted)
    # torch's layers draw their weights from the global generator
    with torch.random.fork_rng(devices=[]):
        # not torch.manual_seed, which would seed the GPUs' generators as well, and they are not forked
        torch.default_generator.manual_seed(seed)
        return getattr(module, class_name)(joints, wanted)
