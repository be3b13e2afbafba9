"""What a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.cache import Crops
from training.checkpoint import Epoch
from training.evaluation import Evaluation
from training.explanation import Heat

if TYPE_CHECKING:
    from training.checks import DataReport


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A training run, or an evaluation alone.

    Attributes:
        title: heading of the page.
        evaluation: with its faces and their probabilities, as `training.evaluation.evaluate` gives them.
        crops: N faces with `exact` crops.
        probabilities: (N, 4) of them.
        facts: about the model, such as where its model card is; nested tables are shown as such.
        data: what the checks before the training found.
        options: of the run.
        history: of the training; empty for an evaluation.
        heats: where some of the answers came from, from `training.explanation.explained`.
    """

    title: str
    evaluation: Evaluation
    crops: Crops
    probabilities: NDArray[np.float32]
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: "DataReport | None" = None
    options: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Epoch] = ()
    heats: Sequence[Heat] = ()
