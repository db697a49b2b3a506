"""Which poses find which people: COCO's matching of keypoints, at all thresholds and area ranges at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from posenb.metrics.similarity import oks

# NumPy's steps, not torch's, which differ in the last bit: COCO's code compares with exactly these numbers
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = ((0.0, 1e10), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""All, medium and large people, in pixels^2."""

_MOST_POSES = 20  # of an image
_CELLS = 2048  # people matched at a time, those that only fill up the table included


class People(NamedTuple):
    """Labels of G people: ``points (G, K, 2)``, ``visible (G, K)``, ``area (G,)``, ``image (G,)``, ``crowd (G,)``.

    image: any integer ids. crowd: bool, COCO's iscrowd. boxes: ``(G, 4)`` x, y, width, height; needed where somebody
    has no labelled joint.
    """

    points: Tensor
    visible: Tensor
    area: Tensor
    image: Tensor
    crowd: Tensor
    boxes: Tensor | None = None

    def ignored(self) -> Tensor:
        """Who does not count in each of A area ranges, ``(A, G)``."""
        return self.crowd | ~self.visible.any(dim=-1) | _outside(self.area)


class Matches(NamedTuple):
    """What became of M poses at T thresholds in A area ranges.

    matched, ignored: ``(A, T, M)``; scores: ``(M,)``; people: ``(A,)``, how many count.
    """

    matched: Tensor
    ignored: Tensor
    scores: Tensor
    people: Tensor


def match_rows(pred: Tensor, scores: Tensor, people: People, sigmas: Sequence[float] | Tensor) -> Matches:
    """Each pose against the person of its own row: what :func:`match_images` gives where every row is an image."""
    similarity = oks(pred, people.points, people.visible, people.area, sigmas, people.boxes)
    nobody = people.ignored()
    matched = (similarity >= _limits(pred)[:, None]).expand(len(RANGES), -1, -1)
    ignored = torch.where(matched, nobody[:, None], _outside(_pose_area(pred))[:, None])
    return Matches(matched, ignored, scores, (~nobody).sum(dim=-1))


def match_images(
    pred: Tensor, scores: Tensor, image: Tensor, people: People, sigmas: Sequence[float] | Tensor
) -> Matches:
    """Within each image, the best-scored pose first, each to the most similar person who is still free.

    Poses come out ordered by image, then by score; those beyond the 20 best of an image are gone.
    """
    place = torch.cat([image, people.image]).unique(return_inverse=True)[1]
    place, place_people = place[: len(image)], place[len(image) :]
    order = scores.argsort(descending=True, stable=True)
    order = order[place[order].argsort(stable=True)]
    order = order[_rank(place[order]) < _MOST_POSES]
    pred, scores, place = pred[order], scores[order], place[order]
    nobody = people.ignored()
    matched = torch.zeros(len(RANGES), len(THRESHOLDS), len(pred), dtype=torch.bool, device=pred.device)
    to_nobody = matched.clone()
    for poses, persons in _tables(place, place_people):
        similarity = oks(
            pred[poses][:, :, None],
            people.points[persons][:, None],
            people.visible[persons][:, None],
            people.area[persons][:, None],
            sigmas,
            None if people.boxes is None else people.boxes[persons][:, None],
        )
        found, wasted = _greedy(
            similarity.masked_fill((persons < 0)[:, None], -1), nobody[:, persons], people.crowd[persons]
        )
        there = poses >= 0
        matched[..., poses[there]], to_nobody[..., poses[there]] = found[..., there], wasted[..., there]
    ignored = torch.where(matched, to_nobody, _outside(_pose_area(pred))[:, None])
    return Matches(matched, ignored, scores, (~nobody).sum(dim=-1))


def _limits(like: Tensor) -> Tensor:
    return torch.from_numpy(THRESHOLDS).to(like.device)


def _outside(area: Tensor) -> Tensor:
    """Which areas ``(N,)`` lie outside each range, ``(A, N)``; those on its border do not, nor does NaN."""
    return torch.stack([(area < low) | (area > high) for low, high in RANGES])


def _pose_area(pred: Tensor) -> Tensor:
    """Of the box about all joints of a pose, ``(M,)``."""
    pred = pred.double()
    return (pred.amax(dim=1) - pred.amin(dim=1)).prod(dim=-1)


def _rank(groups: Tensor) -> Tensor:
    """The place of each element within its group, for sorted ``groups (N,)``."""
    return torch.arange(len(groups), device=groups.device) - torch.searchsorted(groups, groups)


def _tables(place: Tensor, place_people: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Some images at a time: indices of their poses ``(I, D)`` and of their people ``(I, G)``, -1 for none.

    Images without either are left out. Poses come in their order, people in the reverse of theirs: among equally
    similar people COCO's code takes the last.
    """
    if not len(place) or not len(place_people):
        return
    images = int(torch.maximum(place.max(), place_people.max())) + 1
    last_first = torch.arange(len(place_people), device=place.device).flip(0)
    all_poses, poses_in = _table(torch.arange(len(place), device=place.device), place, images)
    all_people, people_in = _table(last_first, place_people, images)
    rows = ((poses_in > 0) & (people_in > 0)).nonzero()[:, 0]
    # the fullest first, so that a table's first row says how wide it is
    rows = rows[people_in[rows].argsort(descending=True)]
    start = 0
    while start < len(rows):
        width = int(people_in[rows[start]])
        some = rows[start : start + max(1, _CELLS // width)]
        yield all_poses[some, : int(poses_in[some].max())], all_people[some, :width]
        start += len(some)


def _table(order: Tensor, place: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Indices by image ``(images, most)``, -1 for none, those of an image as in ``order``; and how many there are."""
    count = place.bincount(minlength=images)
    order = order[place[order].argsort(stable=True)]
    table = torch.full((images, int(count.max())), -1, device=place.device)
    table[place[order], _rank(place[order])] = order
    return table, count


def _greedy(similarity: Tensor, nobody: Tensor, crowd: Tensor) -> tuple[Tensor, Tensor]:
    """Match the poses of I images in turn.

    Args:
        similarity: ``(I, D, G)``, -1 for people who are not there.
        nobody: ``(A, I, G)``, who does not count: matched only where nobody else can be.
        crowd: ``(I, G)``, who can be matched again and again.

    Returns:
        which poses found a person, and which one who does not count, both ``(A, T, I, D)``.
    """
    limits = _limits(similarity)[:, None, None]
    taken = torch.zeros(len(nobody), len(limits), *crowd.shape, dtype=torch.bool, device=similarity.device)
    found, wasted = [], []
    for similar in similarity.unbind(dim=1):
        possible = ~taken & (similar >= limits)
        counting = possible & ~nobody[:, None]
        counts = counting.any(dim=-1, keepdim=True)
        possible = torch.where(counts, counting, possible)
        hit = possible.any(dim=-1, keepdim=True)
        best = torch.where(possible, similar, -1.0).argmax(dim=-1, keepdim=True)
        # argmax takes the first of equals
        taken |= torch.zeros_like(taken).scatter_(-1, best, hit) & ~crowd
        found.append(hit[..., 0])
        wasted.append((hit & ~counts)[..., 0])
    return torch.stack(found, dim=-1), torch.stack(wasted, dim=-1)
