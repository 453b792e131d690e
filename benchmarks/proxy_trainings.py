"""Trainings and scores of architectures on the proxy of a search, and their core-seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

from benchmarks.run_log import Row
from benchmarks.training_free import score
from nasoa.arch import ArchSpec, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.errors import TrainingFailed
from nasoa.offline.evaluate import load_proxy, teach, train
from nasoa.offline.measure import measure
from nasoa.offline.teacher_features import Lesson, spaced
from nasoa.training.hardware import use_threads

# A search ends a training after 15 minutes, but here a longer one is a result, too.
TIMEOUT_S = 12 * 3600.0
SMALL = replace(EvaluateConfig.small(), timeout_s=TIMEOUT_S)
OF_THE_NETWORK = ("", "diverged")  # failures that another run of the same training would have
WARM_UP = parse("0- 16 1-2-21-2")
WARM_UP_SHARE = 1e-4  # of the epochs: one step
STEP = "step"
TIMED_IMAGES = 128  # for the cost of a teacher


class ProxyTrainings:
    """Trainings and scores on one thread, timed after everything has been loaded and warmed up.

    What is loaded, and the teacher's features, stay in memory for all architectures.

    Args:
        data: DATA of the proxy.
    """

    def __init__(self, data: str) -> None:
        use_threads(1)
        self._data = data
        self._proxies: dict[int, ImageDataset] = {}
        self._lessons: dict[EvaluateConfig, Lesson] = {}
        self._warm_up = cache(self._warm_up_once)

    def proxy(self, config: EvaluateConfig) -> ImageDataset:
        """Return the proxy of a configuration of `SMALL`, which differ in the number of classes."""
        if config.num_classes not in self._proxies:
            self._proxies[config.num_classes] = load_proxy(self._data, config)
        return self._proxies[config.num_classes]

    def proxy_size(self, config: EvaluateConfig) -> Row:
        """Return the number of classes, training images and validation images of a proxy."""
        data = self.proxy(config)
        return {"classes": len(data.class_names), "train": len(data.train), "val": len(data.val)}

    def lesson(self, config: EvaluateConfig) -> Lesson | None:
        """Return the teacher's features for the signal "teacher", else None."""
        if config.signal != "teacher":
            return None
        if config not in self._lessons:
            self._lessons[config] = teach(self.proxy(config), config)
        return self._lessons[config]

    def train(self, spec: ArchSpec, config: EvaluateConfig, seed: int) -> Row:
        """Return accuracy, score, failure and core-seconds of a training.

        Raises:
            TrainingFailed: it ran out of time or memory, which says nothing about the network.
        """
        self._warm_up(config)
        started = time.process_time()
        trained = train(spec, self.proxy(config), config, seed=seed, lesson=self.lesson(config))
        seconds = time.process_time() - started
        if trained.failure not in OF_THE_NETWORK:
            raise TrainingFailed(
                f"the training of {spec} with seed {seed} was not finished ({trained.failure}); "
                "the next run of the same command tries it again"
            )
        return {
            "accuracy": trained.accuracy,
            "score": trained.score,
            "failure": trained.failure,
            "core_s": round(seconds, 3),
        }

    def score(self, name: str, spec: ArchSpec, config: EvaluateConfig, seed: int) -> Row:
        """Return a score without training (`benchmarks.training_free`), and its core-seconds."""
        self._warm_up(name)
        data = self.proxy(config)
        started = time.process_time()
        found = score(name, spec, data, config, seed)
        return {"score": found, "core_s": round(time.process_time() - started, 4)}

    def step(self, spec: ArchSpec, config: EvaluateConfig) -> Row:
        """Return the time of a training step in ms, and the core-seconds of measuring it."""
        self._warm_up(STEP)
        num_classes = len(self.proxy(config).class_names)
        started = time.process_time()
        step_ms = measure(spec, num_classes, config).step_time_ms
        return {"step_ms": step_ms, "core_s": round(time.process_time() - started, 3)}

    def teacher_cost(self, config: EvaluateConfig) -> Row:
        """Return what a teacher costs once for all architectures, as measured on some images.

        Returns:
            Core-seconds for an image, the number of images (views, and validation images), and
            their product.
        """
        lesson = self.lesson(config)
        assert lesson is not None
        data = lesson.data.train
        images = data.images(spaced(len(data), TIMED_IMAGES))
        lesson.teacher.features(images)  # warm-up
        started = time.process_time()
        lesson.teacher.features(images)
        per_image_s = (time.process_time() - started) / len(images)
        return {
            "teacher": config.teacher,
            "resolution": config.teacher_resolution,
            "images": lesson.num_images,
            "core_s_per_image": round(per_image_s, 5),
            "core_s": round(per_image_s * lesson.num_images, 1),
        }

    def _warm_up_once(self, what: EvaluateConfig | str) -> None:
        """Load what a training, a score or a step needs, and make a short one that is not timed."""
        if what == STEP:
            measure(WARM_UP, len(self.proxy(SMALL).class_names), SMALL)
        elif isinstance(what, str):
            score(what, WARM_UP, self.proxy(SMALL), SMALL, seed=0)
        else:
            short = replace(what, stop_share=WARM_UP_SHARE)
            train(WARM_UP, self.proxy(what), short, seed=0, lesson=self.lesson(what))
