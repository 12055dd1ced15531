"""Export: one file a format, and what packs, checks and measures the files."""

from gnap_search.export._evaluation import Evaluation, evaluate, side_of
from gnap_search.export._original import Exported, Original
from gnap_search.export._package import package
from gnap_search.export._prediction import Prediction, predict

__all__ = ["Evaluation", "Exported", "Original", "Prediction", "evaluate", "package", "predict", "side_of"]
