"""The real data sets: what each is called, what it marks, who may use it, and how it is had."""

from __future__ import annotations

from dataclasses import dataclass

from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16, STB21, Skeleton


@dataclass(frozen=True)
class Source:
    """A data set as ``posenb data NAME`` prepares it.

    Attributes:
        name: what it is called in ``data.load`` and on the command line.
        title: for people.
        skeleton: its joint set; None where the annotation file says it.
        licence: what its authors allow, in short.
        access: how it is had.
        citation: its key in the book's bibliography.
        command: what to type to have it, for messages.
        version: counts up when the same arguments begin to give other samples.
        varies: what is prepared depends on options or on files of the user's, so that runs must tell one from another.
    """

    name: str
    title: str
    skeleton: Skeleton | None
    licence: str
    access: str
    citation: str
    command: str
    version: int | str = 1
    varies: bool = False


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="lsp",
            title="Leeds Sports Pose",
            skeleton=LSP14,
            licence="pictures from Flickr under CC BY 2.0; annotations free, citation asked for",
            access="downloaded without registration (35 MB)",
            citation="johnson2010lsp",
            command="posenb data lsp --archive lsp_dataset.zip",
        ),
        Source(
            name="lsp-extended",
            title="Leeds Sports Pose Extended Training",
            skeleton=LSP14,
            licence="pictures from Flickr, each under its owner's licence; annotations free, citation asked for",
            access="downloaded without registration",
            citation="johnson2011lspet",
            command="posenb data lsp-extended --archive lspet_dataset.zip",
        ),
        Source(
            name="mpii",
            title="MPII Human Pose",
            skeleton=MPII16,
            licence="annotations under the Simplified BSD licence; pictures for research, not for commerce",
            access="downloaded without registration (13 GB)",
            citation="andriluka2014mpii",
            command="posenb data mpii --images DIR --annotations FILE --validation FILE",
            varies=True,
        ),
        Source(
            name="coco",
            title="COCO keypoints",
            skeleton=COCO17,
            licence="annotations under CC BY 4.0; pictures from Flickr, each under its owner's licence",
            access="downloaded without registration (20 GB)",
            citation="lin2014coco",
            command="posenb data coco --source DIR",
            varies=True,
        ),
        Source(
            name="coco-unlabelled",
            title="COCO, unlabelled pictures",
            skeleton=COCO17,
            licence="pictures from Flickr, each under its owner's licence",
            access="downloaded without registration (19 GB); person boxes come from a detector of yours",
            citation="lin2014coco",
            command="posenb data coco-unlabelled --source DIR --boxes detections.json",
            varies=True,
        ),
        Source(
            name="aic",
            title="AI Challenger human keypoints",
            skeleton=AIC14,
            licence="for research, under the terms of the challenge",
            access="registration; the original site is gone, mirrors ask for the same terms",
            citation="wu2017aic",
            command="posenb data aic --source DIR",
        ),
        Source(
            name="rhd",
            title="Rendered Handpose",
            skeleton=HAND21,
            licence="for research only, not for commerce; citation asked for",
            access="downloaded without registration (7 GB)",
            citation="zimmermann2017hand",
            command="posenb data rhd --source DIR",
            varies=True,
        ),
        Source(
            name="stb",
            title="Stereo Hand Pose Tracking Benchmark",
            skeleton=STB21,
            licence="its authors' repository is under the MIT licence; citation asked for",
            access="without registration, from the links in github.com/zhjwustc/icip17_stereo_hand_pose_dataset",
            citation="zhang2017stb",
            command="posenb data stb --source DIR",
            varies=True,
        ),
    )
}
"""The real data sets by name."""


def own(name: str, version: str, labelled: bool = True) -> Source:
    """A data set of the user's own, prepared under this name by ``posenb data own`` or ``posenb data unlabelled``."""
    kind = f"own --name {name} --annotations FILE" if labelled else f"unlabelled --name {name}"
    command = f"posenb data {kind} --images DIR"
    return Source(name, name, None, "as its owners gave it", "your own", "", command, version)
