"""Names: what tests of files' names need."""

from __future__ import annotations

import sys

import pytest

takes_any_bytes = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names must be Unicode")
