"""Well-known data sets through torchvision, which this file alone imports: downloading, checksums, damage."""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
import socket
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from gnap_search.errors import UserError

TIMEOUT = 10  # seconds without an answer, after which a download is given up
OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def kind(name: str) -> Any:
    """A class of `torchvision.datasets`."""
    return getattr(_datasets(), name)


def parts(
    name: str, root: Path, checksums: Mapping[Path, str], ways: Sequence[Mapping[str, Any]], *, download: bool
) -> list[Any]:
    """The parts of a data set, each in a way of asking its class for it; `checksums` has all files.

    Raises:
        UserError: a file is missing or damaged, or cannot be downloaded.
    """
    source = kind(name)

    def fetch(folder: str) -> None:
        for way in ways:
            source(folder, download=True, **way)

    obtain_missing(name, root, [(file,) for file in checksums], fetch, download=download)
    return _read(name, root, checksums, lambda: [source(root, **way) for way in ways])


def obtain_missing(
    title: str,
    root: Path,
    files: Iterable[Sequence[Path]],
    fetch: Callable[[str], object],
    *,
    download: bool,
) -> None:
    """Download a data set if one of its files is there in none of its versions.

    Raises:
        UserError: it must not or cannot be downloaded, or `root` cannot be written; the file is named as its
            first version.
    """
    for versions in files:
        if not any((root / version).is_file() for version in versions):
            _obtain(title, root, versions[0], fetch, download=download)
            return


def _obtain(title: str, root: Path, missing: Path, fetch: Callable[[str], object], *, download: bool) -> None:
    """Download a data set of which a file is missing: `fetch` is called with a folder to fill.

    The files appear under `root` when all of them are complete; a failure leaves nothing behind.
    """
    advice = "name the folder that holds it with --data-root"
    if not download:
        raise UserError(f"{title} is not in {root}: {missing} is missing; allow the download, or {advice}.")
    place = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=place) as staging, _impatient():
            fetch(staging)
            _move(Path(staging), root)
    except (OSError, RuntimeError, HTTPException, tarfile.TarError, EOFError) as problem:
        raise UserError(
            f"{title} is not in {root} ({missing} is missing) and cannot be downloaded "
            f"({_last_line(problem)}); connect to the network, or {advice}."
        ) from None


def _read(
    title: str, root: Path, checksums: Mapping[Path, str], reader: Callable[[], list[Any]]
) -> list[Any]:
    """What `reader` makes of files that torchvision checks itself; one that is damaged is named."""
    try:
        return reader()
    except (RuntimeError, OSError) as problem:
        for path, md5 in checksums.items():
            if not is_intact(root / path, md5):
                raise damaged(title, root / path) from None
        raise UserError(f"{title} in {root} cannot be read ({_last_line(problem)}).") from None


def is_intact(path: Path, md5: str) -> bool:
    """Whether a file can be read and has this checksum."""
    try:
        return bool(_datasets().utils.check_integrity(path, md5))
    except OSError:
        return False


def damaged(title: str, path: Path) -> UserError:
    """The sentence about a file that is not what it should be."""
    return UserError(
        f"{path} is damaged or incomplete: it is not the file that {title} was published with; delete it to "
        "have it downloaded again, or replace it."
    )


def loadable() -> None:
    """See that torchvision can be imported, even beside a torch that its operators were not compiled for.

    Without those operators the import stops at the missing schemas of two of them, so these are declared. No
    data set and no transform uses them.
    """
    try:
        import torchvision  # noqa: F401 (whether that works is the question)
    except RuntimeError:
        _declare_operators()


def _datasets() -> Any:
    loadable()
    from torchvision import datasets

    return datasets


@functools.cache
def _declare_operators() -> Any:
    """Declare the missing schemas; they last as long as the library that is returned, so it is kept."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in OPERATORS:
        library.define(schema)
    return library


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Give up on a silent network, and show torchvision's progress bars on terminals alone."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _move(staging: Path, root: Path) -> None:
    """Move the files to their places; archives that have been unpacked stay behind."""
    for path in [path for path in staging.rglob("*") if path.is_file()]:
        if not path.name.endswith(".tar.gz"):
            target = root / path.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def _last_line(problem: BaseException) -> str:
    """The last thing that an error says, without the brackets and dots around it."""
    lines = [line.strip("<>. ") for line in str(problem).splitlines() if line.strip()]
    return lines[-1] if lines else type(problem).__name__
