"""What a chapter shows of the package itself."""

import io
import json

import matplotlib.pyplot as plt
import pandas as pd
import PIL.Image

from posenb import chapters, claims, notebook
from posenb.claims import judge


def test_source_is_the_code_without_its_docstring():
    text = notebook.source(judge).data
    assert text.startswith("`posenb.claims.judging.judge`\n```python\ndef judge(")
    assert "The verdict on one number a seed" not in text and "return Verdict(mean, low, high, verdict)" in text


def test_a_photograph_is_a_jpeg_of_the_figure():
    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    axes.plot([0, 1])
    plt.close(figure)
    picture = PIL.Image.open(io.BytesIO(notebook.photograph(figure).data))
    assert picture.format == "JPEG" and picture.size == (200, 100)


def test_cells_are_handed_to_the_prose_and_what_is_missing_says_so(monkeypatch):
    handed = {}
    monkeypatch.setattr(notebook, "glue", lambda name, said, display: handed.update({name: said}))
    cells = pd.DataFrame({"ruc": [0.126, 0.5]}, index=["base", "mst"])
    notebook.glue_cells("hand", cells, ("base", "rcc"), {"ruc": "{:.2f}", "r": "{:,.0f}"})
    missing = dict.fromkeys(("hand-base-r", "hand-rcc-ruc", "hand-rcc-r"), "not measured")
    assert handed == {"hand-base-ruc": "0.13"} | missing
    notebook.glue_cells("lsp", None, ("base",), {"ruc": "{:.2f}"})
    assert handed["lsp-base-ruc"] == "not measured"


def test_verdicts_name_what_was_not_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    text = notebook.verdicts("03_stable_heatmaps").data
    ours = [claim for claim in claims.CLAIMS.values() if claim.chapter == "03_stable_heatmaps"]
    assert text.count("not measured yet") == len(ours) == len(text.splitlines()) - 2
    assert notebook.judged("03_stable_heatmaps") == notebook.full_records("SHR-2") == []
    text = notebook.scorecard().data
    for claim in claims.CLAIMS.values():
        name = claim.id.replace("-", "\N{NON-BREAKING HYPHEN}")
        assert f"| [{name}]({claim.page}) |" in text
    assert text.count("None of them was measured") == 6


def test_a_claim_on_two_data_sets_is_worded_once(monkeypatch):
    record = json.loads((chapters.root() / "book/published/IEF-5.body.full.json").read_text())
    found = [record, record | {"dataset": "lsp"}]
    monkeypatch.setattr(notebook, "full_records", lambda name: found if name == "IEF-5" else [])
    text = notebook.verdicts("06_error_feedback").data
    lines = [line for line in text.splitlines() if "IEF\N{NON-BREAKING HYPHEN}5" in line]
    assert len(lines) == 2 and "| body |" in lines[0] and "| lsp |" in lines[1]
    assert [claims.find("IEF-5").text in line for line in lines] == [True, False]
