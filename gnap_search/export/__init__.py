"""Export: one file a format, and what packs, checks and measures the files."""

from gnap_search.export._evaluation import Evaluation, evaluate, made_for, side_of
from gnap_search.export._original import Exported, Original
from gnap_search.export._package import package
from gnap_search.export._prediction import Prediction, predict

__all__ = [
    "Evaluation",
    "Exported",
    "Original",
    "Prediction",
    "evaluate",
    "made_for",
    "package",
    "predict",
    "side_of",
]
