"""Document: a report as one HTML file, which opens from a disk and asks no network for anything.

What it says comes as JSON from `gnap_search.report.dossier`; how that is drawn stands in `template/`. The
page may run its own script and style alone, by their digests, and load nothing: whatever a name or a path in
it holds, no browser takes it for more than text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).parent / "template"
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def written(dossier: Mapping[str, Any]) -> str:
    """The page of a dossier."""
    script = "".join(path.read_text(encoding="utf-8") for path in _scripts())
    script = f'"use strict";\n{script}begin();\n'
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
    return Template((TEMPLATE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'",
        title=html.escape(str(dossier["title"])),
        style=style,
        dossier=json.dumps(dossier, separators=(",", ":"), allow_nan=False).translate(ESCAPED),
        script=script,
    )


def _scripts() -> list[Path]:
    """Functions and constants alone, so that their order does not matter but for constants of one another."""
    return sorted(TEMPLATE.glob("*.js"))


def _digest(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
