"""Image files -> one array of pixels."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gnap_search.errors import UserError
from gnap_search.structure import Shape

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
SIDES = range(8, 65)  # pixels: images of one common size in this range keep it
DEFAULT_SIDE = 32  # pixels, for all others
BATCH = 64  # files a thread reads at a time, so that small ones are not lost in overhead
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read(paths: Sequence[Path], image_size: int | None = None) -> np.ndarray:
    """The images as uint8, N x C x H x W, where C is 1 if all pixels of all images are grey and 3 otherwise.

    With an `image_size` each image becomes a square of that side. Without one, images that all have the same
    height and width of 8 to 64 pixels are left as they are, and others become squares of 32 pixels. An image
    that must change its size is resized with antialiasing until it just covers the square, and its middle is
    cut out. A camera's orientation tag is obeyed, what is transparent lies on white, and of an animation the
    first frame counts.

    Raises:
        UserError: a file is not a readable image.
    """
    width, height = (image_size, image_size) if image_size else _common_size(paths)
    pixels = np.empty((len(paths), 3, height, width), np.uint8)
    starts = range(0, len(paths), BATCH)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(functools.partial(_fill, pixels, paths), starts):
            pass
    if np.array_equal(pixels[:, 0], pixels[:, 1]) and np.array_equal(pixels[:, 0], pixels[:, 2]):
        return pixels[:, :1].copy()
    return pixels


def read_as(paths: Sequence[Path], shape: Shape) -> np.ndarray:
    """The images as uint8, N x C x H x W of that shape: grey for one channel, else red, green and blue.

    Sizes, orientation and transparency are treated as in `read`.

    Raises:
        UserError: a file is not a readable image.
    """
    channels, height, width = shape
    pixels = np.empty((len(paths), 3, height, width), np.uint8)
    _fill(pixels, paths, 0, len(paths))
    if channels == 1:
        return _grey(pixels)
    return pixels


def find(places: Sequence[Path]) -> list[Path]:
    """The files named, and in the place of each folder the images below it, sorted.

    Raises:
        UserError: something named is not there, or a folder holds no image.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise UserError(f"There is no picture {place}.")
        inside = below(place) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"There are no images ({', '.join(sorted(SUFFIXES))}) in {place}.")
        found += inside
    return found


def below(folder: Path) -> list[Path]:
    """Every image in a folder, however deep and behind links too, sorted; what is hidden is passed over."""
    found = []
    for place, deeper, names in os.walk(folder, followlinks=True):
        deeper[:] = [name for name in deeper if not hidden(name)]
        images = (name for name in names if Path(name).suffix.lower() in SUFFIXES)
        found += [Path(place, name) for name in images if not hidden(name)]
    return sorted(found)


def hidden(name: str) -> bool:
    """Whether a file or a folder of that name is hidden, as those are that a Mac leaves beside pictures."""
    return name.startswith(".")


def _grey(pixels: np.ndarray) -> np.ndarray:
    """One channel of three, by the weights that Pillow has for them (ITU-R 601-2); grey stays what it was."""
    red, green, blue = (pixels[:, channel].astype(np.uint32) for channel in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)[:, None]


def _common_size(paths: Sequence[Path]) -> tuple[int, int]:
    """Width and height that images without an asked size get."""
    width, height = _file_size(paths[0])
    same = width in SIDES and height in SIDES and all(_file_size(path) == (width, height) for path in paths)
    return (width, height) if same else (DEFAULT_SIDE, DEFAULT_SIDE)


def _file_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header tells."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE as problem:
        raise _unreadable(path, problem) from None


def _fill(pixels: np.ndarray, paths: Sequence[Path], start: int, count: int = BATCH) -> None:
    """Read so many files into their places."""
    for index in range(start, min(start + count, len(paths))):
        try:
            image = _decode(paths[index], (pixels.shape[3], pixels.shape[2]))
        except UNREADABLE as problem:
            raise _unreadable(paths[index], problem) from None
        values = np.asarray(image)
        pixels[index] = values if values.ndim == 2 else values.transpose(2, 0, 1)


def _decode(path: Path, size: tuple[int, int]) -> Image.Image:
    """A file as a grey or RGB image of a width and height."""
    with Image.open(path) as file:
        if file.size != size:
            # A JPEG file decodes much faster to a half, quarter or eighth; twice the size still resizes well.
            file.draft(None, (2 * size[0], 2 * size[1]))
        image = _eight_bits(ImageOps.exif_transpose(file))
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode of Pillow as `L` or `RGB`."""
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversions would cut off at 255
        levels = np.asarray(image)
        grey = (levels // 257).clip(0, 255).astype(np.uint8)
        if "transparency" in image.info:  # the one level that is transparent
            grey[levels == image.info["transparency"]] = 255
        return Image.fromarray(grey)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _unreadable(path: Path, problem: BaseException) -> UserError:
    reason = str(problem).splitlines()[0].rstrip(".") if str(problem) else type(problem).__name__
    return UserError(f"{path} is not a readable image ({reason}); replace or remove it.")
