"""Figures and tables from the records of the claims on stability."""

import numpy as np
import pytest

from posenb import plots
from posenb.experiments import stability_tables as tables


def record(dataset="hand", seeds=(0, 1), names=("base", "rcc", "all")):
    """Variant n of seed s has AUC .5 - .01 n + .1 s, and so on."""

    def summary(n, s):
        return {"auc": 0.5 - 0.01 * n + 0.1 * s, "ruc": 0.4 + 0.1 * n, "r": 1000.0 / (n + 1), "mpc": 0.3}

    curves = [
        {
            "variants": {name: summary(n, s) for n, name in enumerate(names)},
            "robustness": {name: list(np.linspace(0.1 * n, 0.9, 30)) for n, name in enumerate(names)},
            "corruptions": ["spatter", "saturate"],
            "by_corruption": [[n + s, 2 * n + s] for n in range(len(names))],
        }
        for s in seeds
    ]
    return {"dataset": dataset, "seeds": list(seeds), "curves": curves}


class TestTables:
    def test_a_row_a_variant_and_seed(self):
        table = tables.by_seed(record())
        assert table.loc[("rcc", 1), "auc"] == pytest.approx(0.59)
        assert len(table) == 6

    def test_means_over_seeds_in_the_order_of_the_record(self):
        table = tables.averaged(record())
        assert list(table.index) == ["base", "rcc", "all"]
        assert table["auc"].tolist() == pytest.approx([0.55, 0.54, 0.53])

    def test_written_for_readers(self):
        text = tables.written(tables.averaged(record()))
        assert text.loc["baseline"].to_dict() == {"AUC": "0.550", "RUC": "0.400", "R": "1,000", "mPC": "0.300"}

    def test_means_by_corruption(self):
        table = tables.by_corruption(record())
        assert table.loc["all"].to_dict() == {"spatter": 2.5, "saturate": 4.5}
        text = tables.written_by_corruption(record(), "{:.1f}")
        assert text.loc["all three"].to_dict() == {"spatter": "2.5", "saturate": "4.5"}


def test_the_ablation_has_a_panel_a_metric_and_a_row_a_variant():
    axes = plots.ablation([record(), record("lsp")]).axes
    assert len(axes) == 4
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["baseline", "RCC", "all three"]
    dots = [line.get_xdata()[0] for line in axes[0].lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.4, 0.5, 0.6] * 2)
    assert axes[1].get_xscale() == "log"


def test_robustness_curves_name_their_area():
    (axes,) = plots.robustness_curves([record()]).axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[0] == "baseline, RUC 0.450"
    assert axes.lines[2].get_ydata()[0] == pytest.approx(0.2)


def test_architectures_stand_beside_the_network_of_the_other_claims():
    light = record(names=("mobilenet_v2/base", "mobilenet_v2/all", "hrnet/base", "hrnet/all"))
    table = tables.by_architecture([record(), light, record("lsp")])["hand"]
    assert list(table.index.unique("architecture")) == ["small", "MobileNetV2", "HRNet"]
    # the variants are the 0th and the 2nd of the first record, and the 2nd and 3rd of the other
    assert table.loc[("small", "all", 1), "ruc"] == pytest.approx(0.6)
    assert table.loc[("HRNet", "base", 1), "ruc"] == pytest.approx(0.6)
    axes = plots.architectures([record(), light, record("lsp")]).axes
    assert [cell.get_title() for cell in axes] == [
        "RUC, on hand",
        "AUC on clean images, on hand",
        "RUC, on lsp",
        "AUC on clean images, on lsp",
    ]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["small", "MobileNetV2", "HRNet"]
    dots = [line.get_xdata()[0] for line in axes[0].lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.4, 0.6, 0.4, 0.5, 0.6, 0.7])


def test_rivals_stand_at_their_accuracy_and_stability():
    one = record(names=("base", "all", "st_a"))
    (axes,) = plots.rivals([one]).axes
    places = {text.get_text(): text.xy for text in axes.texts}
    assert places["ST, ten corruptions"] == pytest.approx((0.53, 0.6))
    assert places.keys() == {"baseline", "all three", "ST, ten corruptions"}


def test_names_of_close_rivals_stand_apart():
    names = ("base", "mst", "at", "st_g", "st_a", "augmix")
    one = record(seeds=(0,), names=names)
    for n, name in enumerate(names):  # a heap of dots, closer than their names are long
        one["curves"][0]["variants"][name] |= {"auc": 0.5 + 0.006 * n, "ruc": 0.5 + 0.012 * (n % 3)}
    one["curves"][0]["variants"]["base"] |= {"auc": 0.4, "ruc": 0.4}
    (axes,) = plots.rivals([one]).axes
    axes.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(names)
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_rivals_of_several_claims_share_a_panel():
    """A variant that two records have stands where the first one puts it."""
    one, other = record(names=("base", "all")), record(names=("mst", "base"))
    (axes,) = plots.rivals([one, other]).axes
    places = {text.get_text(): text.xy for text in axes.texts}
    assert places.keys() == {"baseline", "all three", "MST"} and len(axes.texts) == 3
    assert places["baseline"] == pytest.approx((0.55, 0.4))


def test_off_diagonal_names_its_bins():
    (axes,) = plots.off_diagonal({"base": [0.8, 0.7], "rcc": [0.8, 0.2]}, (0, 10, 64)).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0 to 10", "10 to 64"]
    assert axes.lines[1].get_ydata()[1] == 0.2
