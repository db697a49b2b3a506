"""What the records of the claims on stability hold, as tables: a row a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

NAMES = {
    "base": "baseline",
    "rcc": "RCC",
    "hdhr": "HDHR",
    "mst": "MST",
    "all": "all three",
    "hdhr+mst": "HDHR + MST",
    "at": "adversarial training",
    "augmix": "AugMix",
    "lipschitz": "Lipschitz limit",
    "patch_gaussian": "Patch Gaussian",
    "st_g": "ST, noise",
    "st_a": "ST, ten corruptions",
    "hdhr_l1": "HDHR by L1",
    "hdhr_l2": "HDHR by L2",
}
"""What figures and tables call the variants."""

ARCHITECTURES = {
    "": "small",
    "resnet50": "ResNet-50",
    "vgg19_bn": "VGG-19-BN",
    "mobilenet_v2": "MobileNetV2",
    "shufflenet": "ShuffleNetV2",
    "hourglass": "2-stack hourglass",
    "hrnet": "HRNet",
}
"""What they call the architectures of SHR-7's variants, 'mobilenet_v2/base' and so on; other claims name none."""

METRICS: dict[str, tuple[str, str]] = {
    "auc": ("AUC", "{:.3f}"),
    "pck": ("PCK@0.2", "{:.3f}"),
    "d_n": ("D64", "{:,.0f}"),
    "peak_gap": ("D(1)(2)", "{:.4f}"),
    "r": ("R", "{:,.0f}"),
    "ruc": ("RUC", "{:.3f}"),
    "mpc": ("mPC", "{:.3f}"),
}
"""What tables call the metrics of a summary, and how they write them."""


def written(means: pd.DataFrame) -> pd.DataFrame:
    """A table of text from :func:`averaged`, or from summaries as rows: variants and metrics by their names."""
    known = {column: METRICS[column] for column in means if column in METRICS}
    text = {name: means[column].map(form.format) for column, (name, form) in known.items()}
    return pd.DataFrame(text).rename(index=NAMES)


def by_seed(record: Mapping[str, Any]) -> pd.DataFrame:
    """Every variant's means over images: index (variant, seed), a column a metric."""
    rows = {
        (name, seed): summary
        for seed, curves in zip(record["seeds"], record["curves"], strict=True)
        for name, summary in curves["variants"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["variant", "seed"])


def averaged(record: Mapping[str, Any]) -> pd.DataFrame:
    """:func:`by_seed`, a mean over seeds: a row a variant, in the record's order."""
    found = by_seed(record)
    return found.groupby(level="variant", sort=False).mean()


def joined(records: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """By data set, :func:`averaged` of several claims' records: a variant that several have is the first one's."""
    found: dict[str, pd.DataFrame] = {}
    for record in records:
        table = averaged(record)
        if (before := found.get(record["dataset"])) is not None:
            table = pd.concat([before, table.drop(index=[name for name in table.index if name in before.index])])
        found[record["dataset"]] = table
    return found


def by_corruption(record: Mapping[str, Any]) -> pd.DataFrame:
    """A mean over seeds and severities, of SHR-5's R, SHR-8's RUC or SHR-9's AUC: a row a variant, a column a
    corruption."""
    first = record["curves"][0]
    sums = sum(pd.DataFrame(curves["by_corruption"]) for curves in record["curves"])
    return pd.DataFrame(sums.to_numpy() / len(record["curves"]), list(first["variants"]), first["corruptions"])


def written_by_corruption(record: Mapping[str, Any], form: str) -> pd.DataFrame:
    """:func:`by_corruption` as a table of text: variants and corruptions by their names, numbers by ``form``."""
    table = by_corruption(record).rename(index=NAMES, columns=lambda name: name.replace("_", " "))
    return table.map(form.format)


def by_architecture(records: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """By data set, baseline and all three of every seed: index (architecture, variant, seed), a column a metric.

    Args:
        records: SHR-7's, and another claim's for the network that the other claims have.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for record in records:
        table = by_seed(record).reset_index()
        parts = table["variant"].str.rpartition("/")
        table = table.assign(architecture=parts[0].map(ARCHITECTURES), variant=parts[2])
        table = table[table["variant"].isin(["base", "all"])]
        found.setdefault(record["dataset"], []).append(table.set_index(["architecture", "variant", "seed"]))
    return {dataset: pd.concat(tables) for dataset, tables in found.items()}
