"""posenb: five papers on training 2D pose estimators, reproduced.

Data flows one way: images and points -> augmentation -> network -> heatmaps -> loss or metric.

Letters in every docstring: B images, K joints, an H x W map. Images are ``(B, 3, H, W)``, points
``(B, K, 2)`` as (x, y), ``visible`` is ``(B, K)`` bool and False means "no label". Coordinates are
continuous: an image covers [0, W] x [0, H] and the centre of pixel (column i, row j) is (i + .5, j + .5).
"""

__version__ = "0.1.0"
