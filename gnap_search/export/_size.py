"""Size: what a file takes up, as it is and compressed."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Size:
    """Bytes on the disk, and bytes after `gzip -9`, where the zeros of a sparse model begin to pay."""

    bytes: int
    gzip_bytes: int

    @classmethod
    def of(cls, path: Path) -> Size:
        """Measure a file."""
        content = path.read_bytes()
        return cls(len(content), len(gzip.compress(content, 9)))
