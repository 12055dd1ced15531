"""Names: what tests of files' names need."""

from __future__ import annotations

import sys

import pytest

# macOS and Windows refuse a file's name that is not Unicode, so there is nothing to test there.
takes_any_bytes = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names must be Unicode")
