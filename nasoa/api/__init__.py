"""Python interface for notebooks and programs: `finetune`, `recommend` and `load`.

    >>> import nasoa
    >>> result = nasoa.finetune("photos/", time_limit="60s")  # doctest: +SKIP
    >>> result.accuracy  # doctest: +SKIP
    0.94
    >>> result.predict(["a.jpg", "b.jpg"])[0].class_name  # doctest: +SKIP
    'tulip'

The functions run the same steps as the command line, and learn in the same store.
"""

from nasoa.api.estimator import ImageClassifier
from nasoa.api.model import Model, load
from nasoa.api.result import FineTuneResult
from nasoa.api.tasks import finetune, recommend

__all__ = ["FineTuneResult", "ImageClassifier", "Model", "finetune", "load", "recommend"]
