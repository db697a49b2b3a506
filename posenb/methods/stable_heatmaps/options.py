"""The options of stable heatmap regression."""

from __future__ import annotations

from dataclasses import dataclass, field

from posenb import augment, rivals
from posenb.methods.base import require_positive

# rival -> the default weight of its own loss, where it has one
RIVALS = {"none": 0.0, "at": 0.0, "augmix": 1.0, "lipschitz": 0.0, "patch_gaussian": 0.0, "st_g": 1e-3, "st_a": 1e-3}


@dataclass(frozen=True)
class Options:
    """What is switched on, and how strongly.

    Attributes:
        rcc: row-column correlation, in training and in inference.
        hdhr: highly differentiated heatmaps by weighted cross-entropy, instead of Gaussians by mean squared error.
        mst: maximum stability training: each image beside itself with one of the ten training corruptions.
        rival: a method that the paper compares with: 'at', 'augmix', 'lipschitz', 'patch_gaussian', 'st_g', 'st_a'; on
            the baseline. See :mod:`posenb.rivals`.
        sigma: of the Gaussian, in map pixels. The paper gives none; its baseline's peak gap is that of 3.0 to 3.2.
        alpha, threshold: of the highly differentiated heatmap; the paper's.
        hdhr_loss: 'wce', the weighted cross-entropy; or 'l1' or 'l2', a direct regression, which the paper says
            hardly converges.
        sharpness: of the softplus that makes maps positive for RCC, where no softmax does: log(1 + exp(s x)) / s.
        fade: the share of the training over which RCC's answer takes over from the map itself in the loss. The paper
            has 0, which trains; more helps a little.
        weight: of the stability loss (MST's, or a rival's) against the main one. The paper gives none. None is 2 for
            MST beside cross-entropy in nats and .1 beside mean squared error, our choice on validation images, where
            more bought stability with accuracy; for a rival what ``RIVALS`` says.
        strengths: of the rivals.
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
        augmentation: what is drawn at random.
    """

    rcc: bool = False
    hdhr: bool = False
    mst: bool = False
    rival: str = "none"
    sigma: float = 3.0
    alpha: float = 0.7
    threshold: int = 8
    hdhr_loss: str = "wce"
    sharpness: float = 20.0
    fade: float = 0.0
    weight: float | None = None
    strengths: rivals.Strengths = field(default_factory=rivals.Strengths)
    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=augment.Family)

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)
        if self.rival not in RIVALS:
            raise ValueError(f"rival must be one of {', '.join(RIVALS)}, not {self.rival!r}")
        if self.hdhr_loss not in ("wce", "l1", "l2"):
            raise ValueError(f"hdhr_loss must be 'wce', 'l1' or 'l2', not {self.hdhr_loss!r}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")
        if self.threshold < 0:
            raise ValueError(f"threshold must be 0 or more, not {self.threshold}")
        if self.hdhr_loss != "wce" and not self.hdhr:
            raise ValueError(f"hdhr_loss {self.hdhr_loss!r} is about highly differentiated heatmaps: set hdhr=true")
        if self.rival != "none" and (self.rcc or self.hdhr or self.mst):
            raise ValueError(f"rival {self.rival!r} stands on the baseline: switch rcc, hdhr and mst off")

    @property
    def stability_weight(self) -> float:
        """``weight``, or its default."""
        if self.weight is not None:
            return self.weight
        if self.mst:
            return 2.0 if self.probabilities else 0.1
        return RIVALS[self.rival]

    @property
    def probabilities(self) -> bool:
        """Whether answers are probability maps, from a softmax."""
        return self.hdhr and self.hdhr_loss == "wce"
