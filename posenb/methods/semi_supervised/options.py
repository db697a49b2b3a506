"""The options of semi-supervised training."""

from __future__ import annotations

from dataclasses import dataclass, field

from posenb import augment
from posenb.augment.rand_augment import LARGEST
from posenb.methods.base import LATER, require_positive

SCHEMES = {
    "supervised": "labelled images alone",
    "consistency": "one network teaches itself",
    "dual": "two networks teach each other (Algorithm 1)",
    "mean_teacher": "the running mean of the network's weights teaches it (Tarvainen and Valpola 2017)",
    "pseudo": "the network that training starts from gives labels, once and for all (PseudoPose)",
    "distill": "the same, its maps averaged over four views (Radosavovic et al. 2018)",
}

STATISTICS = ("all", "labelled")


@dataclass(frozen=True)
class Options:
    """Who teaches whom, and with which views.

    Attributes:
        scheme: one of ``SCHEMES``: who teaches whom.
        weight: lambda, of the unlabelled images' loss. 1 in the paper; the released code of the dual networks has 2.
            With 0 there are no unlabelled images.
        ratio: unlabelled images a labelled one; the budget's batch counts the labelled ones. 1 in the released code.
        easy: what is drawn for the teacher's view. 'pseudo' and 'distill' answer the image as it is.
        hard: what is drawn for the student's view. The same family as ``easy`` is the standard method, which collapses.
        cutout: m of Joint Cutout, in the student's view, about the joints where its teacher sees them.
        magnitude: of RandAugment in the student's view, 0 to 30; None: without.
        mask: leave out what the teacher's view does not show, and joints that it places outside the student's view. The
            released code teaches the student that nothing is there.
        decay: of the mean teacher's running mean, a step.
        statistics: which images move the running statistics of batch normalisation, with which a network answers after
            training: 'all', as in the released code, or 'labelled', where unlabelled ones are of another kind and those
            to be answered are like the labelled ones. Only a mean teacher answers with them in training, too.
        sigma: of Gaussian targets, in map pixels.
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
        augmentation: what is drawn for labelled images.
    """

    scheme: str = "dual"
    weight: float = 1.0
    ratio: float = 1.0
    easy: augment.Family = field(default_factory=augment.Family)
    hard: augment.Family = field(default_factory=lambda: augment.Family(rotation=60, scale=0.35))
    cutout: int = 0
    magnitude: float | None = None
    mask: bool = True
    decay: float = 0.99
    sigma: float = 1.5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=augment.Family)
    statistics: str = field(default="all", metadata=LATER)

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        if self.statistics not in STATISTICS:
            raise ValueError(f"statistics must be one of {', '.join(STATISTICS)}, not {self.statistics!r}")
        if self.weight < 0 or self.ratio <= 0:
            raise ValueError(f"weight must be 0 or more and ratio above 0, not {self.weight} and {self.ratio}")
        if self.cutout < 0 or not 0 <= (self.magnitude or 0) <= LARGEST:
            raise ValueError(f"cutout must be 0 or more and magnitude 0 to {LARGEST}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must lie in [0, 1), not {self.decay}")

    @property
    def frozen_teacher(self) -> bool:
        """Whether the teacher stays as it was at the start."""
        return self.scheme in ("pseudo", "distill")
