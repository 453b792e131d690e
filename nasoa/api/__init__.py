"""The Python interface: fine-tune, recommend, load, in notebooks and programs.

    >>> import nasoa
    >>> result = nasoa.finetune("photos/", time_limit="60s")  # doctest: +SKIP
    >>> result.accuracy  # doctest: +SKIP
    0.94
    >>> result.predict(["a.jpg", "b.jpg"])[0].class_name  # doctest: +SKIP
    'tulip'

The same steps run as on the command line, and the same store learns.
"""

from nasoa.api.estimator import ImageClassifier
from nasoa.api.model import Model, load
from nasoa.api.result import FineTuneResult
from nasoa.api.tasks import finetune, recommend

__all__ = ["FineTuneResult", "ImageClassifier", "Model", "finetune", "load", "recommend"]
