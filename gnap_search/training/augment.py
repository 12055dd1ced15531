"""Augment: random transforms of a whole batch at once, on whatever device the batch lies.

A transform takes images N x C x H x W with values from 0 to 255, uint8 or float32, and a generator, draws
what it needs for each image, and returns images of the same shape and scale. What an image does not cover
is black.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gnap_search.errors import UserError, nearest
from gnap_search.training.images import as_float

CROP_REACH = 1 / 8  # the farthest shift of `crop`, as a share of the side
AFFINE_DEGREES = 10.0  # the farthest rotation
AFFINE_SCALE = 0.1  # the farthest change of size, as a share
AFFINE_SHEAR = 0.1  # the farthest sideways slide from one row to the next, in pixels
AFFINE_REACH = 1 / 14  # the farthest shift, as a share of the side: 2 pixels of 28
CUTOUT_SIDES = (1 / 4, 1 / 2)  # the least and the greatest side of the square, as shares of the shorter side


def augment(images: Tensor, names: Sequence[str], generator: Generator, share: float = 1.0) -> Tensor:
    """Uint8 images N x C x H x W -> transformed float32 images in [0, 1], laid out channels last.

    The first `share` of the batch is transformed, one image at least of any share above 0, and the rest is
    left as it is; a batch in random order needs no further draw. The result follows from the images, the
    names in their order, and the generator's state, which may live on the CPU while the images do not.

    Raises:
        UserError: a name is unknown.
    """
    check(names)
    count = min(len(images), max(round(share * len(images)), share > 0)) if names else 0
    if not count:
        return as_float(images)
    transformed = images[:count]
    for name in names:
        transformed = AUGMENTATIONS[name](transformed, generator)
    if count == len(images):
        return as_float(transformed)
    return torch.cat([as_float(transformed), as_float(images[count:])])


def check(names: Iterable[str]) -> None:
    """Refuse names that are not transforms.

    Raises:
        UserError: one is unknown; the nearest is told.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise UserError(f"Unknown augmentation {name!r}; {nearest(name, AUGMENTATIONS)}")


def crop(images: Tensor, generator: Generator) -> Tensor:
    """Shift by up to an eighth of the side each way: the window of a padded image, at a random place.

    A shifted window is cut as one run of consecutive values, channels last, and its columns are trimmed
    afterwards. That is faster than a window view of rows and columns, and several times faster than gathering
    single pixels.
    """
    count, channels, height, width = images.shape
    down, right = max(1, round(height * CROP_REACH)), max(1, round(width * CROP_REACH))
    pitch = width + 2 * right
    # One row more than the window ever shows keeps the last run inside the image.
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, right, right, down, down + 1)).flatten(1)
    rows = _integers(2 * down + 1, images, generator)
    columns = _integers(2 * right + 1, images, generator)
    runs = padded.unfold(1, height * pitch * channels, channels)
    chosen = runs[torch.arange(count, device=images.device), rows * pitch + columns]
    return chosen.view(count, height, pitch, channels)[:, :, :width].permute(0, 3, 1, 2)


def flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror half of the images left to right."""
    chosen = _uniform(len(images), images, generator) < 0.5
    if images.is_cuda:  # where to ask which were chosen would stop the queue of kernels
        return torch.where(chosen[:, None, None, None], images.flip(3), images)
    mirrored = chosen.nonzero().squeeze(1)
    rows = images.permute(0, 2, 3, 1)
    return rows.index_copy(0, mirrored, rows.index_select(0, mirrored).flip(2)).permute(0, 3, 1, 2)


def affine(images: Tensor, generator: Generator) -> Tensor:
    """Rotate, resize, shear and shift a little, in one bilinear resampling; returns float32."""
    draws = 2 * _uniform((5, len(images)), images, generator) - 1
    angle = draws[0] * math.radians(AFFINE_DEGREES)
    size = 1 + draws[1] * AFFINE_SCALE
    shear = draws[2] * AFFINE_SHEAR
    shift = draws[3:] * (2 * AFFINE_REACH)  # the whole side is 2 long
    cosine, sine = torch.cos(angle) / size, torch.sin(angle) / size
    aspect = images.shape[2] / images.shape[3]
    across = (cosine, (shear * cosine - sine) * aspect, shift[0])
    along = (sine / aspect, cosine + shear * sine, shift[1])
    grid = _sampling_grid(images, across, along)
    return functional.grid_sample(images.float(), grid, padding_mode="zeros", align_corners=False)


def cutout(images: Tensor, generator: Generator) -> Tensor:
    """Blacken a square of a quarter to a half of the side, centred anywhere, so part of it may lie outside.

    After DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017;
    there the side is fixed.
    """
    height, width = images.shape[2:]
    least, greatest = (share * min(height, width) for share in CUTOUT_SIDES)
    place = _uniform((3, len(images)), images, generator)
    half = (least + place[0] * (greatest - least)) / 2
    rows = _near(height, place[1], half)
    columns = _near(width, place[2], half)
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


AUGMENTATIONS: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "crop": crop,
    "flip": flip,
    "affine": affine,
    "cutout": cutout,
}


def _sampling_grid(images: Tensor, across: Sequence[Tensor], along: Sequence[Tensor]) -> Tensor:
    """Where each pixel is read from, N x H x W x 2: two linear maps of (x, y, 1), N coefficients each.

    The same as torch's `affine_grid`, which multiplies a matrix with every pixel and takes far longer.
    """
    count, _, height, width = images.shape
    x, y = (
        torch.linspace(1 / side - 1, 1 - 1 / side, side, device=images.device) for side in (width, height)
    )
    grid = torch.empty(count, height, width, 2, device=images.device)
    for axis, (by_x, by_y, offset) in enumerate((across, along)):
        columns = by_x[:, None] * x
        rows = by_y[:, None] * y + offset[:, None]
        torch.add(columns[:, None, :], rows[:, :, None], out=grid[..., axis])
    return grid


def _near(side: int, centre: Tensor, half: Tensor) -> Tensor:
    """Which of `side` pixel centres lie at most `half` pixels from a share of the side: bool, N x side."""
    places = torch.arange(side, device=centre.device) + 0.5
    return (places - centre[:, None] * side).abs() <= half[:, None]


def _integers(limit: int, images: Tensor, generator: Generator) -> Tensor:
    """A whole number below `limit` for each image, drawn where the generator lives."""
    drawn = torch.randint(limit, (len(images),), generator=generator, device=generator.device)
    return drawn.to(images.device)


def _uniform(size: int | tuple[int, int], images: Tensor, generator: Generator) -> Tensor:
    """Numbers from 0 to 1, drawn where the generator lives."""
    return torch.rand(size, generator=generator, device=generator.device).to(images.device)
