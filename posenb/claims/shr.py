"""The claims on stable heatmap regression (Zhang et al. 2022)."""

from __future__ import annotations

from posenb.claims.claim import EVERY, Claim

_CHAPTER = "03_stable_heatmaps"
_MEASURES = "posenb.experiments.stability_claims"
_SPECS = "posenb.experiments.stability_specs:specs"

CLAIMS = (
    Claim(
        "SHR-1",
        _CHAPTER,
        "RCC gives a single Gaussian back times C1 (theorem 1), and expands N of them into the stated sum (theorem 2).",
        "Zhang et al. 2022, Eqs. 1 to 6",
        f"{_MEASURES}:measure_shr1",
        once=True,
    ),
    Claim(
        "SHR-2",
        _CHAPTER,
        "RCC concentrates the map: it lowers D_64.",
        "Table 1: RHD 954.67 to 870.67, STB 820.22 to 749.68",
        f"{_MEASURES}:measure_shr2",
        specs_by=_SPECS,
        runs=("base", "rcc"),
    ),
    Claim(
        "SHR-3",
        _CHAPTER,
        "HDHR raises the gap between the highest and the second highest value, D(1)(2).",
        "Table 1: RHD .048 to .099, STB .055 to .203",
        f"{_MEASURES}:measure_shr3",
        specs_by=_SPECS,
        runs=("base", "hdhr"),
    ),
    Claim(
        "SHR-4",
        _CHAPTER,
        "Theorem 3: where its condition holds, the highest pixel stays. Judged in its corrected form; a "
        "counter-example to the printed one is known.",
        "section 3.3",
        f"{_MEASURES}:measure_shr4",
        once=True,
    ),
    Claim(
        "SHR-5",
        _CHAPTER,
        "Keypoints move less under unseen corruptions with RCC, with HDHR and with MST, and least with all three.",
        "Fig. 6 (drawn, without numbers); MST alone is slightly worse on RHD's JPEG and saturate",
        f"{_MEASURES}:measure_shr5",
        specs_by=_SPECS,
        runs=("base", "rcc", "hdhr", "mst", "all", "hdhr+mst"),
    ),
    Claim(
        "SHR-6",
        _CHAPTER,
        "The area under the robustness curve rises in the same order.",
        "Fig. 7 (drawn, without numbers)",
        f"{_MEASURES}:measure_shr6",
        specs_by=_SPECS,
        runs=("base", "rcc", "hdhr", "mst", "all"),
    ),
    Claim(
        "SHR-7",
        _CHAPTER,
        "The gain in stability holds on other architectures. The paper has six: ResNet-50, VGG-19-BN, MobileNetV2, "
        "ShuffleNet, a 2-stack hourglass and HRNet; below the paper profile MobileNetV2 and ShuffleNetV2 are judged.",
        "Fig. 8 (drawn, without numbers)",
        f"{_MEASURES}:measure_shr7",
        specs_by="posenb.experiments.stability_specs:architectures",
        runs=EVERY,
        sweep=True,
    ),
    Claim(
        "SHR-8",
        _CHAPTER,
        "It is more robust than AT, AugMix, a Lipschitz limit, Patch Gaussian and stability training, at a "
        "small cost in clean AUC.",
        "Fig. 9; Table 2, clean AUC: RHD 82.2 (baseline) to 80.3, STB 80.4 to 80.0",
        f"{_MEASURES}:measure_shr8",
        specs_by=_SPECS,
        runs=("base", "all", "at", "augmix", "lipschitz", "patch_gaussian", "st_g", "st_a"),
        sweep=True,
    ),
    Claim(
        "SHR-9",
        _CHAPTER,
        "Accuracy on corrupted images rises.",
        "Table 3: up in 8 of 10 cases, such as RHD under speckle noise 41.95 to 66.99",
        f"{_MEASURES}:measure_shr9",
        specs_by=_SPECS,
        runs=("base", "all"),
    ),
    Claim(
        "SHR-10",
        _CHAPTER,
        "The surface of its error around test images is smoother than the baseline's (the paper: than its rivals', "
        "too).",
        "Fig. 10 (drawn, without numbers); judged in pixels, one measure for all",
        f"{_MEASURES}:measure_shr10",
        specs_by=_SPECS,
        runs=("base", "all"),
    ),
    Claim(
        "SHR-11",
        _CHAPTER,
        "On nearly equal consecutive frames its keypoints move less.",
        "Fig. 1 (drawn, without numbers)",
        f"{_MEASURES}:measure_shr11",
        specs_by=_SPECS,
        runs=("base", "all"),
    ),
    Claim(
        "SHR-12",
        _CHAPTER,
        "MST alone beats stability training on the whole map.",
        "Fig. 7 against Fig. 9 (drawn, without numbers)",
        f"{_MEASURES}:measure_shr12",
        specs_by=_SPECS,
        runs=("mst", "st_g", "st_a"),
        sweep=True,
    ),
    Claim(
        "SHR-13",
        _CHAPTER,
        "The highly differentiated heatmap hardly trains with L1 or L2; with the weighted cross-entropy it "
        "does, and costs next to no clean AUC.",
        "section 3.2.2; Table 2: RHD 82.2 to 82.6, STB 80.4 to 80.1",
        f"{_MEASURES}:measure_shr13",
        specs_by=_SPECS,
        runs=("base", "hdhr", "hdhr_l1", "hdhr_l2"),
    ),
)
