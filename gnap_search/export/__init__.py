"""Export: one file a format, and what packs, checks and measures the files."""

from gnap_search.export._evaluation import Evaluation, evaluate
from gnap_search.export._package import Exported, package

__all__ = ["Evaluation", "Exported", "evaluate", "package"]
