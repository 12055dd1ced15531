"""Data sets in MNIST's format: two IDX files a split, plain or gzipped, in `<class of torchvision>/raw`."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits, _torchvision
from gnap_search.errors import UserError

PREFIXES = {"train": "train", "test": "t10k"}


def load(
    name: str,
    kind: str,
    root: Path,
    *,
    augmentation: tuple[str, ...],
    classes: Sequence[str] | None = None,
    checksums: Mapping[str, str] | None = None,
    download: bool,
) -> Data:
    """The data set that torchvision calls `kind`; `classes` defaults to torchvision's names.

    torchvision knows the MD5 of the gzipped files, and `checksums` tells that of the unpacked ones: either is
    enough.

    Raises:
        UserError: a file is missing or damaged, or cannot be downloaded.
    """
    source = _torchvision.kind(kind)
    raw = Path(kind) / "raw"
    gzipped = dict(source.resources)
    known = {**gzipped, **(checksums or {})}
    versions = [(raw / file, raw / Path(file).stem) for file in gzipped]
    _torchvision.obtain_missing(
        kind, root, versions, lambda folder: source(folder, download=True), download=download
    )
    given = {part: _read_split(kind, root / raw, prefix, known) for part, prefix in PREFIXES.items()}
    return _splits.complete(name, classes or source.classes, given, augmentation)


def _read_split(title: str, raw: Path, prefix: str, known: Mapping[str, str]) -> Split:
    images = _read(title, raw / f"{prefix}-images-idx3-ubyte", 3, known)
    labels = _read(title, raw / f"{prefix}-labels-idx1-ubyte", 1, known)
    if len(images) != len(labels) or labels.max(initial=0) > 9 or images.shape[1:] != (28, 28):
        raise UserError(
            f"{raw} is not {title}: {prefix} has {len(images)} images of {images.shape[1]}x{images.shape[2]} "
            f"pixels and {len(labels)} labels up to {labels.max(initial=0)}; replace its files."
        )
    return Split(images[:, None], labels.astype(np.int64))


def _read(title: str, path: Path, dimensions: int, known: Mapping[str, str]) -> np.ndarray:
    """One IDX file; where both versions lie there, the one whose checksum is known."""
    versions = [path, path.with_name(f"{path.name}.gz")]
    versions.sort(key=lambda version: version.name not in known)
    path = next(version for version in versions if version.is_file())
    try:
        blob = path.read_bytes()
        content = gzip.decompress(blob) if path.suffix == ".gz" else blob
        if not _is_published(path, blob, content, known):
            raise _torchvision.damaged(title, path)
        return parse(content, dimensions)
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile):
        raise _torchvision.damaged(title, path) from None
    except OSError as problem:
        raise UserError(f"Cannot read {path}: {problem.strerror or problem}.") from None


def _is_published(path: Path, blob: bytes, content: bytes, known: Mapping[str, str]) -> bool:
    """Whether a file or what it unpacks to is as published: some distribute these files compressed anew.

    A file of which neither checksum is known counts as published.
    """
    given = {path.name: blob, path.name.removesuffix(".gz"): content}
    checked = [name for name in given if name in known]
    return not checked or any(
        hashlib.md5(given[name], usedforsecurity=False).hexdigest() == known[name] for name in checked
    )


def parse(blob: bytes, dimensions: int) -> np.ndarray:
    """An IDX file's content, as an array of uint8 with so many dimensions.

    The format, after LeCun: two zero bytes, the type (8: unsigned byte), the number of dimensions, the size
    of each as a big-endian 32-bit number, and the values.

    Raises:
        ValueError: it is something else, or shorter or longer than it says.
    """
    start = 4 + 4 * dimensions
    if blob[:4] != bytes((0, 0, 8, dimensions)) or len(blob) < start:
        raise ValueError("not an IDX file of unsigned bytes with that many dimensions")
    sizes = struct.unpack(f">{dimensions}I", blob[4:start])
    # A copy, because an array over bytes cannot be written to, which torch warns of.
    return np.frombuffer(blob, np.uint8, offset=start).reshape(sizes).copy()
