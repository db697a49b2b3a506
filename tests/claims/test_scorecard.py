"""The scorecard: every claim with what came of it."""

import json
import re

import pytest

from posenb import chapters, claims, notebook, plots
from posenb.claims import scorecard


@pytest.fixture
def home(record, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    claims.records_folder().mkdir()

    def store(identifier, dataset, **changes):
        claim = claims.find(identifier)
        keys = [spec.key for seed in (0, 1, 2) for spec in claim.specs("full", dataset, seed)]
        run = {"title": "a run", "pck": 0.5, "seconds": 600.0, "device": "a CPU", "threads": 1, "commit": "abc"}
        about = {"claim": identifier, "dataset": dataset, "statistic": claim.statistic}
        made = record | about | {"runs": keys, "trained": {key: run for key in keys}} | changes
        (claims.records_folder() / f"{identifier}.{dataset}.full.json").write_text(json.dumps(made))

    return store


def test_a_row_a_record_and_one_for_what_was_not_measured(home):
    home("SHR-3", "hand")
    home("SHR-3", "lsp", verdict="not reproduced")
    rows = scorecard.rows().set_index(["claim", "dataset"])
    assert {name for name, _ in rows.index} == set(claims.CLAIMS)
    good = rows.loc[("SHR-3", "hand")]
    assert (good["verdict"], good["statistic"], good["seeds"], good["hours"]) == (
        "reproduced",
        "1.00 [0.75,\N{NO-BREAK SPACE}1.25]",
        3,
        1.0,
    )
    stale = rows.loc[("SHR-3", "lsp")]
    assert stale["verdict"] == "stale" and "reproduced" in stale["problem"]
    assert rows.loc[("SHR-2", ""), "verdict"] == "not measured"


def test_a_least_below_0_says_why_it_is_not_refuted(home):
    parts = [[-1.0, 0.0], [0.0, -1.2], [-0.9, 0.1]]
    found = claims.judge([min(of_seed) for of_seed in parts], parts)
    assert found.verdict == claims.INCONCLUSIVE and found.high < 0
    about = {"values": [-1.0, -1.2, -0.9], "mean": found.mean, "interval": [found.low, found.high]}
    home("SHR-3", "hand", parts=parts, verdict=found.verdict, **about)
    row = scorecard.rows().set_index("claim").loc["SHR-3"]
    assert row["verdict"] == "inconclusive" and row["statistic"].endswith("; no part alone is below 0")


def test_synthetic_people_and_real_ones_are_columns(home):
    home("SHR-3", "hand")
    home("ADA-1", "lsp")
    wide = scorecard.verdicts()
    assert list(wide.columns) == ["synthetic", "lsp"] and list(wide.index) == list(claims.CLAIMS)
    assert wide.loc["SHR-3"].tolist() == ["reproduced", "not measured"]
    assert wide.loc["ADA-1"].tolist() == ["not measured", "reproduced"]
    (axes,) = plots.scorecard(wide).axes
    assert [text.get_text() for text in axes.texts].count("yes") == 2
    assert len(axes.patches) == 2 * len(claims.CLAIMS)


@pytest.mark.parametrize(
    ("mean", "interval", "said"),
    [
        (0.0834, [0.0417, 0.1251], "0.083 [0.042, 0.125]"),
        (0.0068, [0.00008, 0.0136], "0.0068 [0.0001, 0.0136]"),
        (-12.4, [-37.0, 12.2], "-12 [-37, 12]"),
        (0.5, [0.499999, 0.500001], "0.5000 [0.5000, 0.5000]"),
        (1e-12, [1e-12, 1e-12], "1e-12"),
        (1.23e-12, [1.1e-12, 1.4e-12], "1e-12 [1e-12, 1e-12]"),
        (0.25, None, "0.25"),
    ],
)
def test_two_digits_of_the_interval_say_enough(mean, interval, said):
    assert scorecard.interval({"mean": mean, "interval": interval}).replace("\N{NO-BREAK SPACE}", " ") == said


def of(values):
    found = claims.judge(values)
    return {"values": values, "mean": found.mean, "interval": [found.low, found.high], "verdict": found.verdict}


def test_other_real_data_sets_do_not_hide_synthetic_people(home):
    home("SHR-3", "hand")
    home("SHR-3", "coco", **of([-1.0, -1.1, -0.9]))
    assert scorecard.verdicts().loc["SHR-3"].tolist() == ["reproduced", "not measured"]


def test_the_balance_counts_what_was_measured(home):
    home("SHR-3", "hand")
    home("SHR-2", "hand", **of([0.5, 0.0, -0.5]))
    first, second = scorecard.balance().splitlines()
    count = len(claims.CLAIMS)
    assert first == f"synthetic pictures: 2 of {count} claims measured; 1 reproduced, 1 inconclusive"
    asked = sum(not claim.once for claim in claims.CLAIMS.values())
    assert second == f"LSP: 0 of {asked} claims measured"


def test_what_synthetic_pictures_settle_is_not_asked_of_photographs(home):
    home("SHR-3", "hand")
    table = scorecard.verdicts()
    assert table.loc["SHR-1"].tolist() == ["not measured", "not asked"]
    assert table.loc["SHR-3"].tolist() == ["reproduced", "not measured"]


def test_without_a_record_nothing_is_measured(home):
    table = scorecard.verdicts()
    assert set(table["synthetic"]) == {"not measured"}
    assert set(table["lsp"]) == {"not measured", "not asked"}


def test_a_claim_that_is_settled_once_trains_the_same_whatever_the_data_set():
    for claim in claims.CLAIMS.values():
        if claim.once and claim.id != "IEF-7":  # whose scenes only synthetic people have
            keys = [{spec.key for spec in claim.specs("full", name, 0)} for name in ("body", "lsp")]
            assert keys[0] == keys[1], claim.id


def test_the_json_lists_every_claim_with_its_records(home):
    home("SHR-3", "hand")
    found = {claim.id: claims.summary(claim) for claim in claims.CLAIMS.values()}
    (record,) = found["SHR-3"]["records"]
    assert record["verdict"] == "reproduced" and record["problem"] == "" and record["seconds"] == 3600
    assert found["SHR-2"]["records"] == []
    json.dumps(found)


def test_a_quick_record_stands_beside_what_the_paper_says(home):
    home("SHR-3", "hand")
    claim = claims.find("SHR-3")
    quick = json.loads((claims.records_folder() / "SHR-3.hand.full.json").read_text()) | {
        "profile": "quick",
        "seeds": [0],
        "values": [0.25],
        "mean": 0.25,
        "interval": None,
        "verdict": "not judged",
        "runs": [spec.key for spec in claim.specs("quick", "hand", 0)],
    }
    (claims.records_folder() / "SHR-3.hand.quick.json").write_text(json.dumps(quick))
    lines = [line for line in notebook.scorecard().data.splitlines() if claim.page in line and claim.text in line]
    assert len(lines) == 1 and lines[0].endswith("| 0.25 |") and claim.statistic in lines[0]
    # and no row among those that are judged
    assert notebook.scorecard().data.count("| SHR\N{NON-BREAKING HYPHEN}3 |") == 1
    assert {path.name for path in claims.publish()} == {"SHR-3.hand.full.json", "SHR-3.hand.quick.json"}


@pytest.mark.parametrize("claim", claims.CLAIMS.values(), ids=lambda claim: claim.id)
def test_every_claim_is_judged_on_its_page(claim):
    chapter = next(one for one in chapters.chapters() if one.name == claim.chapter)
    text = chapter.source.read_text()
    page, anchor = claim.page.split("#")
    # as docutils makes anchors of headings
    anchors = [re.sub(r"\W+", "-", heading.lower()) for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    assert page == chapter.source.with_suffix(".html").name and anchors.count(anchor) == 1
    assert "plots.verdicts(" in text
