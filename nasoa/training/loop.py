"""The training loop: stochastic gradient descent up to a deadline.

The loop measures its own steps, plans the end of the schedule accordingly, and keeps the checkpoint
that validation selects. Fine-tuning, pretraining and search all use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasoa.config import TrainingConfig
from nasoa.records import CurvePoint
from nasoa.training.checkpoint import RunState, Weights
from nasoa.training.deadline import Pace
from nasoa.training.graphs import FEWEST_ITERATIONS, LEAST_S, record
from nasoa.training.inputs import Inputs
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes
from nasoa.training.run import Callbacks, Progress, RunTime, TrainedPart, TrainingResult
from nasoa.training.schedules import SCHEDULES
from nasoa.training.sgd import NesterovSGD
from nasoa.training.weight_gradients import use_matrix_gradients

# Largest fraction of the time for training that validations may take.
VALIDATION_TIME_FRACTION = 0.15
# Standard errors by which a checkpoint must be ahead of the first one in validation. Of 538
# collected trainings, kept instead of the head alone wherever they are ahead in validation, the
# mean accuracy is .003 lower than that of the heads; with this number it is not lower
# (`benchmarks/head_or_training.py`).
NOTICED = 0.5


NO_CALLBACKS = Callbacks()


class Trainer:
    """Trains a part of a network, from its present weights or from a checkpoint.

    If several processes train together, the first one decides when to stop and saves checkpoints.

    Args:
        part: what is trained, and on which loss.
        inputs: batches for the trained part.
        config: hyperparameters of the run.
        precision: device and number format.
        time: the deadline, and what must be reserved of the time before it.
        callbacks: functions to call during the run.
        processes: processes that train together, with the same weights, config and state.
    """

    def __init__(
        self,
        part: TrainedPart,
        inputs: Inputs,
        config: TrainingConfig,
        *,
        precision: Precision,
        time: RunTime,
        callbacks: Callbacks = NO_CALLBACKS,
        processes: Processes = ALONE,
    ) -> None:
        self.network = part.network
        self.trainable = part.trainable
        self.inputs = inputs
        self.num_val = min(inputs.count("val"), config.max_val_images)
        self.config = config
        self.precision = precision
        self.deadline = time.deadline
        self.pace = Pace()
        self.state = RunState()
        self._reserve_s = time.reserve_s
        self._work = time.work
        self._processes = processes
        keep_freed_memory()
        use_matrix_gradients(part.trainable, precision)
        self._forward = processes.averaging(part.trainable)
        self._save = callbacks.save if processes.is_first else None
        self._progress = callbacks.progress
        self._validated = callbacks.validated
        self._loss_of = part.loss or partial(
            functional.cross_entropy, label_smoothing=config.label_smoothing
        )
        self._schedule = SCHEDULES[config.lr_schedule]
        self._optimizer = NesterovSGD(part.trainable, config)
        self._fraction_done = 0.0
        self._last_saved_s = time.deadline.clock.elapsed_s()
        self._loss = math.nan
        self._lr = 0.0
        self._pauses: frozenset[int] = frozenset()
        self._pause: Callable[[], None] = lambda: None

    def resume(self, state: RunState) -> None:
        """Load a checkpoint, from which `run` then continues."""
        self.state = state
        self.network.load_state_dict(state.network)
        self._optimizer.restore(state.momentum)
        # A state is loaded into main memory; move the average to the device of the weights.
        state.average = {
            name: state.average[name].to(value.device)
            for name, value in self.network.state_dict().items()
            if name in state.average
        }

    def pause_at(self, iterations: Iterable[int], pause: Callable[[], None]) -> None:
        """Validate after each of these iterations and call `pause` with the best weights loaded.

        The time of `pause` counts; training then resumes as if there had been no pause.
        """
        self._pauses = frozenset(iterations)
        self._pause = pause

    def run(self) -> TrainingResult:
        """Train until all iterations are done, the deadline is near, or the loss diverges."""
        if not self.state.curve:
            self.validate()
        ended = self._train()
        if ended != "diverged" and self.state.curve[-1].iteration < self.state.iteration:
            self.validate()
        self.network.load_state_dict(self.state.best)
        return TrainingResult(
            iterations=self.state.iteration,
            val_accuracy=self.state.best_accuracy,
            curve=tuple(self.state.curve),
            ended=ended,
        )

    def _train(self) -> str:
        clock = self.deadline.clock
        # The network may be in evaluation mode.
        self._to_training()
        batches = self._recorded(self.inputs.train_batches(self.state.iteration))
        next_validation = self._validation_after(
            self.state.iteration / max(self.config.iterations, 1)
        )
        while True:
            planned, fits = self._plan()
            if self.state.iteration >= (self.config.stop_after or planned):
                break
            if not fits:
                return "deadline"
            started = clock.elapsed_s()
            if not self._step(batches, planned):
                return "diverged"
            clock.charge(self._work.step_s)
            self.pace.note_step(clock.elapsed_s() - started)
            self._report(planned)
            if self.state.iteration in self._pauses:
                self._pause_here()
            fraction = self.state.iteration / max(planned, 1)
            if next_validation <= fraction < 1.0:
                next_validation = self._validation_after(fraction)
                self.validate()
            self._save_if_due()
        asked = self.config.stop_after or self.config.iterations
        done_all = self.state.iteration >= asked
        return "iterations" if done_all and not self.config.fills_limit else "deadline"

    def _recorded(
        self, batches: Iterator[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Record the training step, unless the run is short, and return the same batches."""
        is_short = self.config.iterations < FEWEST_ITERATIONS or self.deadline.remaining_s < LEAST_S
        if self._processes.count > 1 or is_short:
            return batches
        first = next(batches)
        self._to_training()
        record(self.trainable, first[0], self.precision)
        return chain([first], batches)

    def _plan(self) -> tuple[int, bool]:
        """Return the planned iterations and whether another one fits, the same in all processes."""
        planned = self._planned_iterations()
        fits = planned > self.state.iteration and self._fits_another_step()
        agreed = self._processes.agreed((planned, fits))
        return int(agreed[0]), bool(agreed[1])

    def _validation_after(self, fraction: float) -> float:
        """Return the fraction of the training after which the next validation is due."""
        return (math.floor(fraction * self._num_validations) + 1) / self._num_validations

    @cached_property
    def _num_validations(self) -> int:
        """Number of intermediate validations: as configured, or fewer if they would take too long.

        It is the same in all processes, as each first reads it at the beginning of training.
        """
        validation_s = self.pace.eval_image_s * self.num_val
        affordable = VALIDATION_TIME_FRACTION * self._training_time_left() / max(validation_s, 1e-9)
        count = max(1, int(min(affordable, self.config.num_validations)))
        return int(self._processes.agreed((count,))[0])

    def _pause_here(self) -> None:
        self.validate()
        trained = self._weights()
        self.network.load_state_dict(self.state.best)
        self._pause()
        self.network.load_state_dict(trained)

    def _step(self, batches: Iterator[tuple[Tensor, Tensor]], planned: int) -> bool:
        """Make an update; return False instead if the loss is not finite."""
        inputs, labels = next(batches)
        if not self.trainable.training:
            self._to_training()
        # Progress never decreases, even if more iterations are planned than before.
        fraction = max(self._fraction_done, self.state.iteration / max(planned, 1))
        self._fraction_done = min(fraction, 1.0)
        multiplier = self._schedule.multiplier(self._fraction_done, self.state.iteration)
        with self.precision.autocast():
            logits = self._forward(inputs)
        loss = self._loss_of(logits.float(), labels)
        self._loss = self._processes.mean(loss.item())
        if not math.isfinite(self._loss):
            return False
        loss.backward()
        self._lr = self.config.lr * multiplier
        self._optimizer.step(self._lr)
        self.state.iteration += 1
        if self._schedule.averages or self.config.averages:
            self._update_average()
        return True

    def _to_training(self) -> None:
        self.trainable.train()
        if self.config.fixed_bn:
            fix_bn(self.trainable)

    def _planned_iterations(self) -> int:
        """Return how many iterations fit in total, by the measured pace.

        Unless the run fills its time limit, that is at most the requested number.
        """
        asked, done = self.config.iterations, self.state.iteration
        if self.config.stop_after:
            return asked
        if self.pace.step_s is None:
            return max(asked, self._guessed_iterations()) if self.config.fills_limit else asked
        fraction_left = 1.0 - self._fraction_done
        validations = math.ceil(fraction_left * self._num_validations) + 1
        validation_s = self.pace.eval_image_s * self.num_val
        time_left = self._training_time_left()
        # The first validation, on a cold device, is slow; it must not seem to take all the time.
        validating_s = min(validations * validation_s, time_left / 2)
        fitting = done + self.pace.steps_within(time_left - validating_s)
        return max(done, fitting if self.config.fills_limit else min(asked, fitting))

    def _guessed_iterations(self) -> int:
        """Estimate the total iterations of a resumed run that has not measured a step yet.

        It may already have made all requested iterations and still have time left.
        """
        done, spent_s = self.state.iteration, self.deadline.clock.elapsed_s()
        if not done or spent_s <= 0:
            return 0
        return done + max(1, int(done * self.deadline.remaining_s / spent_s))

    def _training_time_left(self) -> float:
        return self.deadline.remaining_s - self._reserve_s(self.pace)

    def _fits_another_step(self) -> bool:
        validation_s = self.pace.eval_image_s * self.num_val
        return self._training_time_left() > self.pace.slow_step_s + validation_s

    def validate(self) -> None:
        """Validate, and select the current weights unless an earlier checkpoint is clearly better.

        Within one standard error of the highest accuracy, the later checkpoint is selected: it has
        been trained for longer and at a lower learning rate, which matters more than so small a
        difference. A checkpoint that is not better than the weights at iteration 0 by `NOTICED`
        standard errors is never selected: the best of several is often better on these images only.
        """
        clock = self.deadline.clock
        started = clock.elapsed_s()
        averaged = bool(self.state.average)
        trained = self._weights() if averaged else {}
        if averaged:
            self.network.load_state_dict(self.state.average)
        accuracy = self._val_accuracy()
        clock.charge(self._work.eval_image_s * self.num_val)
        self.pace.note_evaluation(clock.elapsed_s() - started, self.num_val)
        point = CurvePoint(
            iteration=self.state.iteration,
            elapsed_s=round(clock.elapsed_s(), 3),
            train_loss=0.0 if math.isnan(self._loss) else round(self._loss, 5),
            val_accuracy=accuracy,
        )
        self.state.curve.append(point)
        highest = max(self.state.highest_accuracy, accuracy)
        self.state.highest_accuracy = highest
        start = self.state.curve[0]
        least = start.val_accuracy + NOTICED * self._standard_error(start.val_accuracy)
        is_gain = point is start or start.iteration > 0 or accuracy > least
        if is_gain and accuracy >= highest - self._standard_error(highest):
            self.state.best_accuracy = accuracy
            self.state.best_iteration = self.state.iteration
            self.state.best = self._weights()
        if averaged:
            self.network.load_state_dict(trained)
        if self._validated is not None:
            self._validated(point)

    def _standard_error(self, accuracy: float) -> float:
        """Standard error of a validation accuracy."""
        return math.sqrt(accuracy * (1.0 - accuracy) / self.num_val)

    def _val_accuracy(self) -> float:
        batches = self.inputs.evaluate(self.trainable, "val", self.num_val)
        correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in batches)
        return self._processes.total(correct) / self.num_val

    def _update_average(self) -> None:
        """Update the moving average, with the decay `min(average_decay, i / (i + 10))`.

        The smaller decay of early iterations i lets it forget the first weights sooner.
        """
        if not self.state.average:
            self.state.average = self._weights()
            return
        i = self.state.iteration
        decay = min(self.config.average_decay, i / (i + 10))
        averages, weights = self._averaged
        torch._foreach_lerp_(averages, weights, 1 - decay)

    @cached_property
    def _averaged(self) -> tuple[list[Tensor], list[Tensor]]:
        """The averages and the weights they belong to; looking them up again takes milliseconds."""
        weights = self.network.state_dict()
        floats = [name for name, value in weights.items() if value.is_floating_point()]
        return [self.state.average[name] for name in floats], [weights[name] for name in floats]

    def _weights(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def _save_if_due(self) -> None:
        clock = self.deadline.clock
        every_s = max(self.config.checkpoint_every_s, 25 * self.pace.checkpoint_s)
        if self._save is None or clock.elapsed_s() - self._last_saved_s < every_s:
            return
        started = clock.elapsed_s()
        self.state.network = self._weights()
        self.state.momentum = {n: b.clone() for n, b in self._optimizer.buffers.items()}
        self.state.elapsed_s = started
        self._save(self.state)
        self._last_saved_s = clock.elapsed_s()
        self.pace.note_checkpoint(self._last_saved_s - started)

    def _report(self, planned: int) -> None:
        if self._progress is not None:
            self._progress(
                Progress(
                    iteration=self.state.iteration,
                    planned_iterations=planned,
                    elapsed_s=self.deadline.clock.elapsed_s(),
                    limit_s=self.deadline.limit_s,
                    train_loss=self._loss,
                    val_accuracy=self.state.best_accuracy,
                    lr=self._lr,
                )
            )


def fix_bn(module: nn.Module) -> None:
    """Put all batch normalisation of a module into evaluation mode."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.eval()
