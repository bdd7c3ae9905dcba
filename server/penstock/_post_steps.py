"""The steps behind a model: every setting once, with its default and what it means. PURE but for
reading files of labels.

Each class is the settings of one step, as they stand in a configuration; `core` is what the C++
core takes for it. What steps mean to a model's tensors is checked there, when it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, FiniteFloat

from penstock import _core
from penstock._labels import LabelSource, read_labels
from penstock._steps import ChainPlace, Step, StepConfigError, StepFamily

__all__ = [
    "POST",
    "Argmax",
    "L2Normalize",
    "Labels",
    "MeanPool",
    "PostStep",
    "Rename",
    "Sigmoid",
    "Softmax",
    "Threshold",
    "TopK",
]


class PostStep(Step):
    def core(self, folder: Path) -> Any:
        """The step of penstock._core that these settings make. Raises ValueError for labels that
        cannot be read; files are relative to `folder`."""
        raise NotImplementedError


class Softmax(PostStep):
    """Shares that sum to 1, along the last dimension."""

    def core(self, folder: Path) -> _core.SoftmaxStep:
        return _core.SoftmaxStep()


class Sigmoid(PostStep):
    """1 / (1 + exp(-value))."""

    def core(self, folder: Path) -> _core.SigmoidStep:
        return _core.SigmoidStep()


class L2Normalize(PostStep):
    """Vectors of length 1, along the last dimension."""

    def core(self, folder: Path) -> _core.L2NormalizeStep:
        return _core.L2NormalizeStep()


class Argmax(PostStep):
    """The index of the largest, along the last dimension."""

    def core(self, folder: Path) -> _core.ArgmaxStep:
        return _core.ArgmaxStep()


class TopK(PostStep):
    """The k largest along the last dimension: their values, indices and, where there are labels,
    those: so many names `to` has."""

    k: Annotated[int, Field(ge=1)]
    labels: LabelSource | None = None

    def core(self, folder: Path) -> _core.TopKStep:
        return _core.TopKStep(k=self.k, labels=_labels(self.labels, folder))


class Threshold(PostStep):
    """Whether a value is at least `at`: as BOOL, or as one of two labels, below and not below."""

    at: FiniteFloat
    labels: LabelSource | None = None

    def core(self, folder: Path) -> _core.ThresholdStep:
        labels = _labels(self.labels, folder)
        if len(labels) not in (0, 2):
            raise ValueError(f"{len(labels)} labels; expected two, below `at` and not below it")
        return _core.ThresholdStep(at=self.at, labels=labels)


class Labels(PostStep):
    """Indices become their labels."""

    labels: LabelSource

    def core(self, folder: Path) -> _core.LabelsStep:
        return _core.LabelsStep(labels=read_labels(self.labels, folder))


class MeanPool(PostStep):
    """The mean over a text's tokens; of those that a mask leaves, where `from` names one."""

    def core(self, folder: Path) -> _core.MeanPoolStep:
        return _core.MeanPoolStep()


class Rename(PostStep):
    """Hands on what `from` names; `to` is what clients know it by."""

    def core(self, folder: Path) -> _core.RenameStep:
        return _core.RenameStep()


def _labels(source: str | list[str] | None, folder: Path) -> list[str]:
    return [] if source is None else read_labels(source, folder)


def _compile(steps: Sequence[PostStep], place: ChainPlace) -> _core.Transform:
    compiled = []
    for index, step in enumerate(steps):
        try:
            compiled.append(step.core(place.folder))
        except ValueError as error:
            raise StepConfigError(index, str(error), "labels") from None
    return _core.post_transform(compiled)


POST = StepFamily(
    steps={
        "softmax": Softmax,
        "sigmoid": Sigmoid,
        "l2_normalize": L2Normalize,
        "argmax": Argmax,
        "top_k": TopK,
        "threshold": Threshold,
        "labels": Labels,
        "mean_pool": MeanPool,
        "rename": Rename,
    },
    compile=_compile,
    behind=True,
)
