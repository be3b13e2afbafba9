"""The compliance rate corrected by passages that people checked, with an interval that covers chance and wrong labels.

What the system says of a passage is known of all of them, what is true of those that were drawn at random and checked.
Within each label of the system the checks tell what is true of its passages, and the totals tell how much each label weighs
(post-stratification). For two labels this is the estimate of Rogan & Gladen ("Estimating prevalence from the results of a
screening test", American Journal of Epidemiology 107, 1978), in the form of predictive values: these are what a sample of
the same place and time measures, so that nothing has to be divided by a difference that may be 0.

The interval comes from a Bayesian bootstrap of both (Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 1981): the
totals by label are drawn anew, and so are the checks within each label. Where few errors were found, or none, such an
interval alone is too narrow (Lang & Reiczigel, "Confidence limits for prevalence of disease adjusted for estimated
sensitivity and specificity", Preventive Veterinary Medicine 113, 2014). So each limit has draws of its own: the lower one of
samples with one more check of each label that speaks against the rate, and one more such passage; the upper one of samples
with one more that speaks for it. Of a single proportion these are the exact limits of Clopper and Pearson, and of several
they are melded (Fay, Proschan & Brittain, "Combining one-sample confidence procedures for inference in the two-sample
case", Biometrics 71, 2015): a label of which nobody checked a passage may then be anything.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.words import Label

ENOUGH: Final = 100
"""Checked tracks from which on there is a corrected rate."""

NOT_A_PERSON: Final = "not_a_person"

DRAWS: Final = 2000
LEVEL: Final = 0.95
SEED: Final = 19781

MACHINE: Final = tuple(Label)
"""Labels of the system, in the order of every array here."""

GOOD: Final = (Label.WITH_MASK.value,)
BAD: Final = (Label.WITHOUT_MASK.value, Label.INCORRECT_MASK.value)


class Check(msgspec.Struct, frozen=True):
    """A passage that was drawn and checked.

    Attributes:
        machine: what the system said.
        true: what a person said who did not know that: a label, `unknown` where it can't be told, or `not_a_person`.
        weight: 1 / probability with which it was drawn, above 0.
        number: of such checks.
    """

    machine: Label
    true: str
    weight: float = 1.0
    number: int = 1


class Corrected(msgspec.Struct, frozen=True):
    """The share of persons, of those of whom it can be told, who wear the mask properly; four decimals."""

    rate: float
    interval: tuple[float, float]
    checked: int


def corrected(totals: Mapping[Label, int], checks: Sequence[Check], *, seed: int = SEED) -> Corrected | None:
    """Correct the rate.

    Args:
        totals: passages by label of the system; `unknown` ones among them, since people are behind them, too.
        checks: of passages of the same place, drawn at random.
        seed: of the draws: the same figures give the same interval.

    Returns:
        None with fewer than `ENOUGH` checks, or where no passage was counted.
    """
    checked = sum(check.number for check in checks)
    passages = np.array([totals.get(label, 0) for label in MACHINE], np.float64)
    if checked < ENOUGH or passages.sum() == 0:
        return None
    cells = _cells(checks)
    generator = np.random.default_rng(seed)
    worst, best = MACHINE.index(Label.WITHOUT_MASK), MACHINE.index(Label.WITH_MASK)
    low = _rates(generator, _plus(passages, worst), _plus(cells, 1))
    high = _rates(generator, _plus(passages, best), _plus(cells, 0))
    edge = (1.0 - LEVEL) / 2.0
    rate = _rate(passages, cells)
    interval = (min(rate, float(np.quantile(low, edge))), max(rate, float(np.quantile(high, 1.0 - edge))))
    return Corrected(round(rate, 4), (round(interval[0], 4), round(interval[1], 4)), checked)


def _cells(checks: Sequence[Check]) -> NDArray[np.float64]:
    """Checks by label of the system, and by whether they speak for the rate, against it, or not at all: (4, 3) float64.

    Checks of one label that were drawn with different probabilities count as many as tell as much (Kish, "Survey
    Sampling", 1965): the sum of the weights, squared, by the sum of their squares.
    """
    weights, squares = np.zeros((len(MACHINE), 3)), np.zeros(len(MACHINE))
    for check in checks:
        row = MACHINE.index(check.machine)
        column = 0 if check.true in GOOD else 1 if check.true in BAD else 2
        weights[row, column] += check.number * check.weight
        squares[row] += check.number * check.weight**2
    every = weights.sum(axis=1)
    scale = np.divide(every, squares, out=np.zeros_like(every), where=squares > 0)
    cells: NDArray[np.float64] = weights * scale[:, None]
    return cells


def _plus(values: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """With one more in a column."""
    more = values.copy()
    more[..., column] += 1.0
    return more


def _rates(
    generator: np.random.Generator, passages: NDArray[np.float64], cells: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`DRAWS` rates as they might have come out."""
    # Shares of gamma variates are Dirichlet; those of a shape of 0 are 0.
    shares = generator.standard_gamma(passages, (DRAWS, len(MACHINE)))
    told = generator.standard_gamma(cells, (DRAWS, *cells.shape))
    told /= told.sum(axis=2, keepdims=True)
    good = (shares * told[:, :, 0]).sum(axis=1)
    bad = (shares * told[:, :, 1]).sum(axis=1)
    rates: NDArray[np.float64] = good / np.maximum(good + bad, np.finfo(np.float64).tiny)
    return rates


def _rate(passages: NDArray[np.float64], cells: NDArray[np.float64]) -> float:
    """The estimate; a label of which nothing was checked is taken at its word."""
    own = np.array([[1, 0, 0] if label in GOOD else [0, 1, 0] if label in BAD else [0, 0, 1] for label in MACHINE])
    every = cells.sum(axis=1, keepdims=True)
    told = np.where(every > 0, cells / np.maximum(every, 1e-300), own)
    good, bad = float(passages @ told[:, 0]), float(passages @ told[:, 1])
    return good / (good + bad) if good + bad else 0.0
