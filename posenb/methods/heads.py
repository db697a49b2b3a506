"""A pose network's head: what a method with maps of another kind does not take over from an earlier run."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from posenb.errors import UserError
from posenb.step import seeded

_HEADS = ("head", "heads")


def reset_heads(network: nn.Module, seed: int) -> None:
    """Heads that answer nearly 0: what starts far from a map of zeros first unlearns all features to get there."""
    generator = seeded(seed, 3)
    for name, layer in network.named_modules():
        if name.rpartition(".")[2] in _HEADS:
            for part in layer.modules():
                if isinstance(part, nn.Conv2d):
                    nn.init.normal_(part.weight, std=1e-3, generator=generator)
                    nn.init.zeros_(part.bias)  # type: ignore[arg-type]


def without_heads(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's state but for its heads."""
    return {name: weight for name, weight in weights.items() if name.partition(".")[0] not in _HEADS}


def take_over_body(network: nn.Module, source: nn.Module) -> None:
    """Load all but the heads from a network of the same kind, whose maps may be of another.

    Raises:
        UserError: where the two differ in more than their heads.
    """
    own, learned = network.state_dict(), without_heads(source.state_dict())
    if {name: w.shape for name, w in without_heads(own).items()} != {name: w.shape for name, w in learned.items()}:
        raise UserError("the run to start from has another network: give both the same network and options")
    network.load_state_dict(own | learned)
