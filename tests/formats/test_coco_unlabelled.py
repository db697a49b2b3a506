"""People that a detector found in COCO's unlabelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posenb.data import coco2017, prepared
from posenb.errors import DataError
from tests.formats.coco_files import blob, write

SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples/coco"
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of real pictures are not beside the checkout")


def detection(number: Any, **fields: Any) -> dict[str, Any]:
    return {"image_id": number, "category_id": 1, "bbox": [20.5, 20.0, 60.0, 80.0], "score": 0.9, **fields}


def test_unlabelled(tmp_path: Path) -> None:
    for number in (7, 12):
        blob(tmp_path / "coco" / "unlabeled2017" / f"{number:012d}.jpg", (50, 60))
    found = [
        detection(12, score=0.5),
        detection(7, bbox=[30, 30, 40, 20]),
        detection(12),
        detection(12, score=0.4999),
        detection(12, score=None),
        detection(12, category_id=2),
        detection("12"),
        detection(-1),
        detection(7, bbox=[1, 2, 0, 4]),
        detection(7, bbox=[500, 2, 5, 4]),
    ]
    boxes = write(tmp_path / "boxes.json", found)
    report = coco2017.install_unlabelled(boxes, tmp_path / "coco", tmp_path / "kept")
    assert "3 people of 2 pictures kept" in report
    for line in (
        "2 x box with a score below 0.5, or none",
        "1 x box of another category",
        "2 x box of a picture without a number",
        "1 x box without area",
        "1 x box outside of the picture",
    ):
        assert f"left out: {line}" in report
    data = prepared.load(coco2017.UNLABELLED, "train", 40, folder=tmp_path / "kept")
    assert not data.visible.any()
    assert data.picture is not None and data.picture.tolist() == [7, 12, 12]
    # 1.25 x 40 pixels about (50, 40): the blob at the pixel (50, 60) lies 20.5 below that middle
    y = (data.images[0, 0].double() - 60).clamp(min=0).sum(1).argmax() + 0.5
    assert abs(float(y) - (20 + 20.5 * 40 / 50)) < 1
    with pytest.raises(DataError, match=r"holds no person with a score of 0\.95 or more: left out: 7 x box with"):
        coco2017.install_unlabelled(boxes, tmp_path / "coco", tmp_path / "kept", score=0.95)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "is not a file of detections"),
        ([1, 2], "is not a file of detections"),
        ([detection(99)], r"lacks 1 of the 1 pictures with people, the first is 000000000099\.jpg"),
    ],
)
def test_wrong_detections(tmp_path: Path, content: Any, message: str) -> None:
    blob(tmp_path / "coco" / "unlabeled2017" / "000000000007.jpg", (50, 60))
    with pytest.raises(DataError, match=message):
        coco2017.install_unlabelled(write(tmp_path / "boxes.json", content), tmp_path / "coco", tmp_path / "kept")


@real
def test_real_detections(tmp_path: Path) -> None:
    report = coco2017.install_unlabelled(SAMPLES / "test_coco_det_AP_H_56.json", SAMPLES, tmp_path / "kept")
    assert "18 people of 4 pictures kept" in report
    assert "100 x box with a score below" in report
