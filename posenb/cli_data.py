"""``posenb data NAME``: fetch, verify and prepare the real data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from posenb.errors import UserError
from posenb.home import kept_in

# Readers are imported by the commands that need them: --help answers at once

app = typer.Typer(help="Fetch and prepare real data sets.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option(help="Where to keep it; default: data/NAME. Elsewhere, data/NAME becomes a link to it.")
]


@app.command()
def lsp(
    archive: Annotated[
        Path | None, typer.Option(help="The official lsp_dataset.zip, or its unpacked folder; none: download it.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Leeds Sports Pose: 2,000 pictures of people at sport, 14 joints (CC BY 2.0 pictures; 35 MB)."""
    from posenb.data import lsp

    with kept_in(folder, "lsp") as place:
        print(lsp.install(archive, place))


@app.command("lsp-extended")
def lsp_extended(
    archive: Annotated[
        Path | None, typer.Option(help="The official lspet_dataset.zip, or its unpacked folder; none: download it.")
    ] = None,
    folder: Folder = None,
) -> None:
    """LSP-extended: 10,000 pictures of people at sport for training, 14 joints (pictures from Flickr)."""
    from posenb.data import lsp_extended

    with kept_in(folder, "lsp-extended") as place:
        print(lsp_extended.install(archive, place))


@app.command()
def mpii(
    images: Annotated[Path | None, typer.Option(help="The folder of the pictures.")] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="mpii_human_pose_v1_u12_1.mat, mpii_annotations.json, train.json or train.h5."),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="valid.json or valid.h5: the 2,958 people whom the papers test on.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="Head boxes, for PCKh: gt_valid.mat or mpii_human_pose_v1_u12_1.mat.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch pictures (13 GB) and official annotations where not named.")
    ] = False,
    folder: Folder = None,
) -> None:
    """MPII: 25,204 people at everyday activities, 16 joints (BSD annotations, pictures for research; 13 GB)."""
    from posenb.data import mpii

    with kept_in(folder, "mpii") as place:
        print(mpii.install(images, annotations, validation, heads, place, fetch=download))


Source = Annotated[Path | None, typer.Option(help="The folder that its archives were unpacked to.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch what the folder lacks from its official site.")]
Name = Annotated[str, typer.Option(help="What to call a set of your own; none: as its file is called.")]
Images = Annotated[Path | None, typer.Option(help="The folder that the annotations' file names refer to.")]
TestAnnotations = Annotated[
    Path | None, typer.Option(help="Annotations of test pictures; none: hold a fifth of the pictures out.")
]
TestImages = Annotated[Path | None, typer.Option(help="Their folder; none: that of the others.")]
Category = Annotated[str, typer.Option(help="Name or id of the category, where a file has several joint sets.")]


@app.command()
def coco(
    source: Source = None,
    download: Download = False,
    folder: Folder = None,
    annotations: Annotated[
        Path | None, typer.Option(help="A file of your own in COCO's format: the same as `posenb data own`.")
    ] = None,
    images: Images = None,
    name: Name = "",
    test_annotations: TestAnnotations = None,
    test_images: TestImages = None,
    category: Category = "",
) -> None:
    """COCO: 150,000 people with 17 joints (CC BY 4.0 annotations, pictures from Flickr; 20 GB)."""
    from posenb.data import coco2017

    if annotations:
        if source or download or folder:
            raise UserError("--source, --download and --folder are for COCO itself: leave them out, or --annotations")
        own(annotations, images, name, test_annotations, test_images, category)
    elif images or name or test_annotations or test_images or category:
        raise UserError("a set of your own needs --annotations FILE and --images DIR")
    else:
        with kept_in(folder, "coco") as place:
            print(coco2017.install(source, place, fetch=download))


@app.command("coco-unlabelled")
def coco_unlabelled(
    boxes: Annotated[Path, typer.Option(help="People that a detector found, in COCO's format of results (JSON).")],
    source: Source = None,
    score: Annotated[float, typer.Option(help="Leave out boxes with a lower one.")] = 0.5,
    download: Download = False,
    folder: Folder = None,
) -> None:
    """People in COCO's 123,403 unlabelled pictures, by a detector of yours (pictures from Flickr; 19 GB)."""
    from posenb.data import coco2017

    with kept_in(folder, "coco-unlabelled") as place:
        print(coco2017.install_unlabelled(boxes, source, place, score=score, fetch=download))


@app.command()
def own(
    annotations: Annotated[Path, typer.Option(help="A keypoint file of your own in COCO's format (JSON).")],
    images: Images = None,
    name: Name = "",
    test_annotations: TestAnnotations = None,
    test_images: TestImages = None,
    category: Category = "",
) -> None:
    """A keypoint set of your own in COCO's format, with any joints: people, animals, hands."""
    from posenb.data import own

    if images is None:
        raise UserError("name the folder of the pictures: --images DIR")
    print(
        own.install(
            annotations,
            images,
            name,
            test_annotations=test_annotations,
            test_images=test_images,
            category=category,
        )
    )


@app.command()
def unlabelled(
    images: Annotated[Path, typer.Option(help="The folder of the pictures.")],
    name: Annotated[str, typer.Option(help="What to call the set; none: as the folder is called.")] = "",
    boxes: Annotated[
        Path | None,
        typer.Option(help="CSV with image, x, y, width, height; without it each picture is taken as one person."),
    ] = None,
) -> None:
    """Pictures of your own without labels, for `posenb train --unlabelled-from NAME`."""
    from posenb.data import unlabelled

    print(unlabelled.install(images, name, boxes))


@app.command("list")
def list_sets() -> None:
    """The data sets that are there, and those that could be."""
    from posenb import data
    from posenb.data.prepare import by_split
    from posenb.data.prepared import prepared_here
    from posenb.data.sources import SOURCES

    for name, skeleton in data.SYNTHETIC.items():
        print(f"{name:<16} drawn when asked for, {len(skeleton)} joints")
    found = prepared_here()
    for name, index in found.items():
        joints = len(index["skeleton"]["joints"])
        print(f"{name:<16} {by_split(index['report']['kept'])}, {f'{joints} joints' if joints else 'no labels'}")
    for name in SOURCES:
        if name not in found:
            print(f"{name:<16} not prepared: posenb data {name} --help")


@app.command()
def aic(source: Source = None, folder: Folder = None) -> None:
    """AI Challenger: 240,000 pictures of people, 14 joints (for research; registration)."""
    from posenb.data import aic

    with kept_in(folder, "aic") as place:
        print(aic.install(source, place))


@app.command()
def rhd(
    source: Annotated[
        Path | None, typer.Option(help="RHD_v1-1.zip, or the folder it was unpacked to; none: download it.")
    ] = None,
    hands: Annotated[
        Literal["each", "larger"],
        typer.Option(help="Each hand with 11 joints seen, or the one larger in the picture's mask, as hand3d."),
    ] = "each",
    folder: Folder = None,
) -> None:
    """Rendered Handpose: 43,986 rendered pictures, 21 joints a hand (for research only; 7 GB)."""
    from posenb.data import rhd

    with kept_in(folder, "rhd") as place:
        print(rhd.install(source, place, hands))


@app.command()
def stb(
    source: Annotated[
        Path | None, typer.Option(help="The folder that its archives were unpacked to, with images/ and labels/.")
    ] = None,
    camera: Annotated[
        Literal["stereo", "left", "right", "realsense"],
        typer.Option(help="Both views of the stereo camera, as hand3d tests, one of them, or the RealSense's colour."),
    ] = "stereo",
    folder: Folder = None,
) -> None:
    """Stereo Hand Pose Tracking Benchmark: 18,000 frames of one hand, 21 joints with the palm's middle."""
    from posenb.data import stb

    with kept_in(folder, "stb") as place:
        print(stb.install(source, place, camera))
