"""Image files -> one array of pixels."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from gnap_search.errors import UserError, first_line
from gnap_search.structure import Shape

USUAL = ".bmp .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .ppm .tif .tiff .webp"
AVIF = "avif" in features.modules and features.check("avif")  # of this Pillow, which may be an older one
SUFFIXES = frozenset((*USUAL.split(), *([".avif"] if AVIF else [])))
SIDES = range(8, 65)  # pixels: images of one common size in this range keep it
DEFAULT_SIDE = 32  # pixels, for all others
BATCH = 64  # files a thread reads at a time, so that small ones are not lost in overhead
LEVELS, FEW_LEVELS = 2**16, 2**12  # of a pixel: in images of more than 8 bits, and what some cameras use
BLACK = 16  # of 256 levels: fewer is what comes of those few
MOST_NAMED = 3  # unreadable files; how many others there are is told
MUCH = 1 / 3  # of an image: who loses more than that by becoming a square is told; a photo of 3:2 does not
SAMPLE = 100  # files whose shapes stand for all
ORIENTATION = 0x112  # the EXIF tag
TURNS = {  # what undoes each orientation but 1 (EXIF 2.32, section 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Failure = tuple[Path, str]
"""A file that cannot be read, and why."""


def read(
    paths: Sequence[Path], image_size: int | None = None, tell: Callable[[str], None] = lambda _: None
) -> np.ndarray:
    """The images as uint8, N x C x H x W, where C is 1 if all pixels of all images are grey and 3 otherwise.

    With an `image_size` each image becomes a square of that side. Without one, images that all have the same
    height and width of 8 to 64 pixels are left as they are, and others become squares of 32 pixels. An image
    that must change its size is resized with antialiasing until it just covers the square, and its middle is
    cut out. A camera's orientation tag is obeyed, what is transparent lies on white, and of an animation the
    first frame counts. `tell` hears what users should know.

    Raises:
        UserError: files are not readable images, or have so few of their levels that they would be black.
    """
    common = (image_size, image_size) if image_size else _common_size(paths)
    width, height = common or (DEFAULT_SIDE, DEFAULT_SIDE)
    if common is None:
        tell(f"resized to {width} x {height} pixels (--image-size changes that)")
    pixels = _decoded(paths, height, width)
    _refuse_black(paths, pixels)
    if width == height:
        for remark in told_of_cut(_usually_cut_away(paths)):
            tell(remark)
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
    pixels = _decoded(paths, height, width)
    return _grey(pixels) if channels == 1 else pixels


def squares(images: np.ndarray, side: int) -> np.ndarray:
    """Images as uint8, N x C x H x W, as squares of a side, resized and cut out as `read` does it."""
    if images.shape[2:] == (side, side):
        return images
    pixels = np.empty((*images.shape[:2], side, side), np.uint8)
    for index in np.ndindex(*images.shape[:2]):
        pixels[index] = ImageOps.fit(Image.fromarray(images[index]), (side, side), Image.Resampling.BICUBIC)
    return pixels


def cut_away(size: tuple[int, ...]) -> float:
    """The share of an image of two sides that is lost as it becomes a square."""
    return 1 - min(size) / max(size)


def told_of_cut(share: float) -> list[str]:
    """That a share of the images is lost, in words, where that is much."""
    told = f"taken is the middle square of each image, without {share:.0%} of it (pad them to keep all)"
    return [told] if share > MUCH else []


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
    return list(filter(is_image, files(folder)))


def files(folder: Path) -> list[Path]:
    """Every file in a folder, however deep, sorted; what several links lead to is there but once."""
    found: dict[str, Path] = {}
    walked = set()  # a link may lead to a folder that it lies in
    for place, deeper, names in os.walk(folder, followlinks=True):
        walked.add(os.path.realpath(place))
        visible = (name for name in sorted(deeper) if not hidden(name))
        deeper[:] = [name for name in visible if os.path.realpath(Path(place, name)) not in walked]
        for path in (Path(place, name) for name in sorted(names) if not hidden(name)):
            found.setdefault(os.path.realpath(path), path)
    return sorted(found.values())


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def hidden(name: str) -> bool:
    """Whether a file or a folder of that name is hidden, as those are that a Mac leaves beside pictures."""
    return name.startswith(".")


def _grey(pixels: np.ndarray) -> np.ndarray:
    """One channel of three, by the weights that Pillow has for them (ITU-R 601-2); grey stays what it was."""
    red, green, blue = (pixels[:, channel].astype(np.uint32) for channel in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)[:, None]


def _common_size(paths: Sequence[Path]) -> tuple[int, int] | None:
    """Width and height of all images, if they have one that is neither small nor large."""
    sizes = (size for size in map(_file_size, paths) if size is not None)
    width, height = next(sizes, (0, 0))
    same = width in SIDES and height in SIDES and all(size == (width, height) for size in sizes)
    return (width, height) if same else None


def _file_size(path: Path) -> tuple[int, int] | None:
    """Width and height as the file's header tells; None where it cannot be read, which `read` tells."""
    with contextlib.suppress(Exception), Image.open(path) as image:  # decoders raise whatever they like
        lies = image.format != "TIFF" and _orientation(image) > 4  # a TIFF's size is told as it stands
        return image.size[::-1] if lies else image.size
    return None


def _usually_cut_away(paths: Sequence[Path]) -> float:
    """The share of the usual image that is lost as it becomes a square."""
    sample = paths[:: math.ceil(len(paths) / SAMPLE)]
    return statistics.median(cut_away(size) for path in sample if (size := _file_size(path)))


def _decoded(paths: Sequence[Path], height: int, width: int) -> np.ndarray:
    """The files as uint8, N x 3 x H x W."""
    pixels = np.empty((len(paths), 3, height, width), np.uint8)
    starts = range(0, len(paths), BATCH)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = list(pool.map(functools.partial(_fill, pixels, paths), starts))
    _refuse([failure for failures in batches for failure in failures])
    return pixels


def _fill(pixels: np.ndarray, paths: Sequence[Path], start: int) -> list[Failure]:
    """Read a batch of files into their places; gives those that cannot be read."""
    failures: list[Failure] = []
    for index in range(start, min(start + BATCH, len(paths))):
        try:
            image = _decode(paths[index], (pixels.shape[3], pixels.shape[2]))
        except Exception as problem:  # noqa: BLE001  # of a damaged file, decoders raise whatever they like
            failures.append((paths[index], first_line(problem)))
            continue
        values = np.asarray(image)
        pixels[index] = values if values.ndim == 2 else values.transpose(2, 0, 1)
    return failures


def _decode(path: Path, size: tuple[int, int]) -> Image.Image:
    """A file as a grey or RGB image of a width and height."""
    with Image.open(path) as file:
        if file.size != size:
            # A JPEG file decodes much faster to a half, quarter or eighth; twice the size still resizes well.
            file.draft(None, (2 * size[0], 2 * size[1]))
        file.load()  # a TIFF turns itself here, and forgets its orientation
        turn = TURNS.get(_orientation(file))
        image = _eight_bits(file if turn is None else file.transpose(turn))
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def _orientation(image: Image.Image) -> int:
    """How a camera was held, 1 to 8; 1 also where the file does not say so in a way that can be read."""
    with contextlib.suppress(Exception):  # cameras write damaged tags beside pixels that are in order
        return int(image.getexif().get(ORIENTATION, 1))
    return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode of Pillow as `L` or `RGB`."""
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversions would cut off at 255
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() >= LEVELS:
            raise ValueError(f"its pixels go from {levels.min()} to {levels.max()}, beyond 0 to 65535")
        grey = (levels // 257).astype(np.uint8)
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


def _refuse(failures: Sequence[Failure]) -> None:
    if not failures:
        return
    if len(failures) == 1:
        path, reason = failures[0]
        raise UserError(f"{path} is not a readable image ({reason}); replace or remove it.")
    named = ", ".join(f"{path} ({reason})" for path, reason in failures[:MOST_NAMED])
    more = f" and {len(failures) - MOST_NAMED} more" if len(failures) > MOST_NAMED else ""
    raise UserError(f"{len(failures)} files are not readable images: {named}{more}; replace or remove them.")


def _refuse_black(paths: Sequence[Path], pixels: np.ndarray) -> None:
    """See that images of 16 or 32 bits are not black because all of them have the levels of 8 or 12 alone."""
    black = pixels.max(axis=(1, 2, 3)) < BLACK
    levels = {path: _brightest(path) for path in filter(_is_deep, itertools.compress(paths, black))}
    others = filter(_is_deep, itertools.compress(paths, ~black))
    if not levels or max(levels.values()) >= FEW_LEVELS or any(others):
        return
    path = max(levels, key=lambda path: levels[path])
    raise UserError(
        f"Images of 16 or 32 bits would be black: their brightest pixel, in {path}, is {levels[path]} of "
        f"{LEVELS - 1}; scale them to that range, or save them with 8 bits."
    )


def _brightest(path: Path) -> int:
    """The highest level of an image."""
    with Image.open(path) as image:
        return int(np.asarray(image).max())


def _is_deep(path: Path) -> bool:
    """Whether an image has more than 8 bits for a pixel."""
    with Image.open(path) as image:
        return image.mode.startswith("I")
