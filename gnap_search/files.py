"""Files: replaced so that a reader, or a crash, meets the old content or the new one and nothing between."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, content: str | bytes) -> None:
    """Write a whole file, text as UTF-8; a draft beside it takes its place, and is gone where that fails."""
    draft = path.with_name(path.name + ".draft")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
