"""Every claim that is measured: what is claimed, where, and the function that measures one seed of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from posenb.errors import UserError

if TYPE_CHECKING:
    from posenb.claims.judging import Measurement


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and how it is judged; stated before anything is measured.

    Attributes:
        id: as in the list of claims, such as 'ADA-1'.
        chapter: the chapter that shows it.
        text: what is claimed.
        paper: where, and with which figure.
        measured_by: 'package.module:function', called with (profile, dataset, seed, device).
        margin: for "equally good": the claim is that the statistic lies within +-margin of 0.
    """

    id: str
    chapter: str
    text: str
    paper: str
    measured_by: str
    margin: float | None = None

    @property
    def measure(self) -> Callable[[str, str, int, str], Measurement]:
        """The function that measures one seed: of a profile, on a data set, on a device."""
        module, _, function = self.measured_by.partition(":")
        return getattr(import_module(module), function)

    @property
    def statistic(self) -> str:
        """In words, as that function's docstring states it; the claim says that it is above 0."""
        return " ".join((inspect.getdoc(self.measure) or "").split("\n\n")[0].split())


_ADA = "01_foundations"
_SHR = "03_stable_heatmaps"
_STABILITY = "posenb.experiments.stability_claims"

CLAIMS = {
    claim.id: claim
    for claim in (
        Claim(
            "ADA-1",
            _ADA,
            "Trained with random rotation, the pose loss over rotation angle keeps its bowl shape, low at 0 "
            "degrees and high at the ends, at every stage of training.",
            "Peng et al. 2018, Fig. 5, bottom row (drawn, without numbers)",
            "posenb.experiments.rotation:measure_ada1",
        ),
        Claim(
            "SHR-1",
            _SHR,
            "RCC gives a single Gaussian back times C1 (theorem 1), and expands N of them into the stated sum "
            "(theorem 2).",
            "Zhang et al. 2022, Eqs. 1 to 7",
            f"{_STABILITY}:measure_shr1",
        ),
        Claim(
            "SHR-2",
            _SHR,
            "RCC concentrates the map: it lowers D_64.",
            "Table 1: RHD 954.67 to 870.67, STB 820.22 to 749.68",
            f"{_STABILITY}:measure_shr2",
        ),
        Claim(
            "SHR-3",
            _SHR,
            "HDHR raises the gap between the highest and the second highest value, D(1)(2).",
            "Table 1: RHD .048 to .099, STB .055 to .203",
            f"{_STABILITY}:measure_shr3",
        ),
        Claim(
            "SHR-4",
            _SHR,
            "Theorem 3: where its condition holds, the highest pixel stays. Judged in its corrected form; a "
            "counter-example to the printed one is known.",
            "section 3.3",
            f"{_STABILITY}:measure_shr4",
        ),
        Claim(
            "SHR-5",
            _SHR,
            "Keypoints move less under unseen corruptions with RCC, with HDHR and with MST, and least with all three.",
            "Fig. 6 (drawn, without numbers); MST alone is slightly worse on RHD's JPEG and saturate",
            f"{_STABILITY}:measure_shr5",
        ),
        Claim(
            "SHR-6",
            _SHR,
            "The area under the robustness curve rises in the same order.",
            "Fig. 7 (drawn, without numbers)",
            f"{_STABILITY}:measure_shr6",
        ),
        Claim(
            "SHR-8",
            _SHR,
            "It is more robust than AT, AugMix, a Lipschitz limit, Patch Gaussian and stability training, at a "
            "small cost in clean AUC.",
            "Fig. 9; Table 2, clean AUC: RHD 82.2 (baseline) to 80.3, STB 80.4 to 80.0",
            f"{_STABILITY}:measure_shr8",
        ),
        Claim(
            "SHR-9",
            _SHR,
            "Accuracy on corrupted images rises.",
            "Table 3: up in 8 of 10 cases, such as RHD under speckle noise 41.95 to 66.99",
            f"{_STABILITY}:measure_shr9",
        ),
        Claim(
            "SHR-10",
            _SHR,
            "The surface of its error around test images is smoother.",
            "Fig. 10 (drawn, without numbers); judged in pixels, one measure for all",
            f"{_STABILITY}:measure_shr10",
        ),
        Claim(
            "SHR-11",
            _SHR,
            "On nearly equal consecutive frames its keypoints move less.",
            "Fig. 1 (drawn, without numbers)",
            f"{_STABILITY}:measure_shr11",
        ),
        Claim(
            "SHR-12",
            _SHR,
            "MST alone beats stability training on the whole map.",
            "Fig. 7 against Fig. 9 (drawn, without numbers)",
            f"{_STABILITY}:measure_shr12",
        ),
        Claim(
            "SHR-13",
            _SHR,
            "The highly differentiated heatmap does not train with L1 or L2; with the weighted cross-entropy it "
            "does, and costs no clean AUC.",
            "section 3.2.2; Table 2: RHD 82.2 to 82.6",
            f"{_STABILITY}:measure_shr13",
        ),
    )
}


def find(identifier: str) -> Claim:
    """The claim of this id.

    Raises:
        UserError: where the registry has none.
    """
    if identifier.upper() not in CLAIMS:
        raise UserError(f"no claim {identifier!r} is registered; there are {', '.join(CLAIMS)}")
    return CLAIMS[identifier.upper()]
