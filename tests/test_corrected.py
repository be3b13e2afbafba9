"""The corrected rate: right where the truth is known, honest about what was not checked."""

import os
from typing import Final, NamedTuple

import numpy as np
import pytest

from storage.corrected import ENOUGH, MACHINE, NOT_A_PERSON, Check, corrected
from storage.spot_checks import probability
from storage.words import Label

TRUE: Final = (Label.WITH_MASK, Label.WITHOUT_MASK, Label.INCORRECT_MASK)
PROOF: Final = os.environ.get("MASKWATCH_PROOF") == "1"


class Site(NamedTuple):
    """A place of which everything is known.

    Attributes:
        prevalence: of masks worn properly, among persons.
        missed: of those who don't, the share that the system takes for those who do.
        alarmed: of those who do, the share that the system takes for others.
        passages: in the period.
        checks: that are drawn, about.
        unknown: share of which the system can't tell; of persons without a mask twice as often.
        objects: share of passages that are no persons.
    """

    prevalence: float
    missed: float
    alarmed: float
    passages: int
    checks: int
    unknown: float = 0.08
    objects: float = 0.01


SITES: Final = (
    Site(0.60, 0.10, 0.10, 4_000, 100),
    Site(0.60, 0.05, 0.02, 20_000, 500),
    Site(0.80, 0.02, 0.01, 6_000, 200),
    Site(0.90, 0.10, 0.01, 10_000, 1_000),
    Site(0.95, 0.05, 0.005, 8_000, 100),
    Site(0.95, 0.05, 0.03, 30_000, 2_000),
    Site(0.99, 0.10, 0.005, 12_000, 300),
    Site(0.99, 0.005, 0.005, 12_000, 100),
    Site(0.97, 0.03, 0.10, 3_000, 400),
    Site(0.85, 0.005, 0.01, 1_500, 1_000),
)


def confusion(site: Site) -> np.ndarray:
    """P(label by the system | what is true): rows with, without, incorrect, not a person; columns as `MACHINE`."""
    see, dim = 1.0 - site.unknown, min(0.9, 2.0 * site.unknown)
    found = {label: index for index, label in enumerate(MACHINE)}
    table = np.zeros((4, len(MACHINE)))
    table[0, found[Label.WITH_MASK]] = see * (1.0 - site.alarmed)
    table[0, found[Label.WITHOUT_MASK]] = see * site.alarmed * 0.4
    table[0, found[Label.INCORRECT_MASK]] = see * site.alarmed * 0.6
    table[1, found[Label.WITHOUT_MASK]] = (1.0 - dim) * (1.0 - site.missed)
    table[1, found[Label.WITH_MASK]] = (1.0 - dim) * site.missed * 0.7
    table[1, found[Label.INCORRECT_MASK]] = (1.0 - dim) * site.missed * 0.3
    table[2, found[Label.INCORRECT_MASK]] = (1.0 - dim) * (1.0 - site.missed)
    table[2, found[Label.WITH_MASK]] = (1.0 - dim) * site.missed
    table[3, found[Label.WITHOUT_MASK]] = 0.5
    table[3, found[Label.WITH_MASK]] = 0.2
    table[:, found[Label.UNKNOWN]] = 1.0 - table.sum(axis=1)
    return table


def passes(site: Site, generator: np.random.Generator) -> tuple[dict[Label, int], list[Check]]:
    """A period at a site: what the system counts, and what is drawn and checked."""
    persons = 1.0 - site.objects
    truth = np.array([site.prevalence, 0.7 * (1 - site.prevalence), 0.3 * (1 - site.prevalence)]) * persons
    joint = np.append(truth, site.objects)[:, None] * confusion(site)
    counts = generator.multinomial(site.passages, joint.ravel()).reshape(joint.shape)
    totals = {label: int(number) for label, number in zip(MACHINE, counts.sum(axis=0), strict=True)}
    expected = sum(site.passages * joint[:, at].sum() * probability(1e-6, label) for at, label in enumerate(MACHINE))
    share = 1e-6 * site.checks / expected
    checks = []
    for column, label in enumerate(MACHINE):
        drawn = probability(share, label)
        for row, true in enumerate((*TRUE, NOT_A_PERSON)):
            number = int(generator.binomial(counts[row, column], drawn))
            # Of one in 20 persons people can't tell, whatever they wear.
            dark = int(generator.binomial(number, 0.05)) if true != NOT_A_PERSON else 0
            checks += [
                Check(label, said, 1.0 / drawn, times)
                for said, times in ((str(true), number - dark), ("unknown", dark))
                if times
            ]
    return totals, checks


def coverage(site: Site, runs: int, seed: int = 7) -> tuple[float, float, float]:
    """Share of runs whose interval holds the truth; mean width; mean error of the raw rate."""
    generator = np.random.default_rng([seed, SITES.index(site)])
    held: list[bool] = []
    widths: list[float] = []
    raw: list[float] = []
    while len(held) < runs:
        totals, checks = passes(site, generator)
        found = corrected(totals, checks, seed=len(held))
        if found is None:
            # Fewer than 100 by chance: nothing is said.
            assert sum(check.number for check in checks) < ENOUGH
            continue
        low, high = found.interval
        held.append(low - 1e-4 <= site.prevalence <= high + 1e-4)
        widths.append(high - low)
        raw.append(totals[Label.WITH_MASK] / sum(totals[label] for label in TRUE) - site.prevalence)
    return float(np.mean(held)), float(np.mean(widths)), float(np.mean(raw))


def test_of_sixty_periods_at_least_fifty_one_intervals_hold_the_truth() -> None:
    shares = [coverage(site, 60 // len(SITES))[0] for site in SITES]
    assert np.mean(shares) >= 0.85


@pytest.mark.slow
def test_of_a_thousand_periods_at_least_930_intervals_hold_the_truth() -> None:
    # The thousand over all sites; with MASKWATCH_PROOF=1 at each of them.
    shares = []
    for site in SITES:
        share, width, _ = coverage(site, 1000 if PROOF else 1000 // len(SITES))
        shares.append(share)
        # Neither is it so wide that it says nothing: no wider than three times chance alone, of so few checks.
        assert width < 3.0 * 2 * 1.96 * np.sqrt(0.25 / site.checks)
    assert np.mean(shares) >= 0.93
    assert min(shares) >= (0.93 if PROOF else 0.88)


def test_below_a_hundred_checks_nothing_is_said() -> None:
    totals = {Label.WITH_MASK: 900, Label.WITHOUT_MASK: 100}
    assert corrected(totals, [Check(Label.WITH_MASK, "with_mask", number=ENOUGH - 1)]) is None
    assert corrected({}, [Check(Label.WITH_MASK, "with_mask", number=ENOUGH)]) is None
    assert corrected(totals, [Check(Label.WITH_MASK, "with_mask", number=ENOUGH)]) is not None


def test_two_labels_and_equal_weights_give_what_rogan_and_gladen_give() -> None:
    # 1,000 with and 500 without by the system; 10 % of the former and 20 % of the latter are wrong.
    totals = {Label.WITH_MASK: 1000, Label.WITHOUT_MASK: 500}
    checks = [
        Check(Label.WITH_MASK, "with_mask", number=90),
        Check(Label.WITH_MASK, "without_mask", number=10),
        Check(Label.WITHOUT_MASK, "with_mask", number=10),
        Check(Label.WITHOUT_MASK, "without_mask", number=40),
    ]
    found = corrected(totals, checks)
    assert found is not None
    positive, sensitivity, specificity = 1000 / 1500, 900 / 1000, 400 / 500
    apparent = (positive + specificity - 1) / (sensitivity + specificity - 1)
    assert found.rate == pytest.approx((900 + 100) / 1500, abs=1e-4) == pytest.approx(apparent, abs=1e-4)
    low, high = found.interval
    assert low < found.rate < high
    assert found.checked == 150


def test_who_is_no_person_and_of_whom_it_cannot_be_told_is_in_no_rate_and_who_was_unknown_is() -> None:
    totals = {Label.WITH_MASK: 100, Label.WITHOUT_MASK: 100, Label.UNKNOWN: 100}
    checks = [
        Check(Label.WITH_MASK, "with_mask", number=50),
        Check(Label.WITHOUT_MASK, NOT_A_PERSON, number=25),
        Check(Label.WITHOUT_MASK, "unknown", number=25),
        Check(Label.UNKNOWN, "without_mask", number=50),
    ]
    found = corrected(totals, checks)
    assert found is not None
    assert found.rate == 0.5


def test_what_was_drawn_more_often_counts_less() -> None:
    totals = {Label.WITH_MASK: 1000}
    checks = [
        Check(Label.WITH_MASK, "with_mask", weight=10.0, number=90),
        Check(Label.WITH_MASK, "without_mask", weight=1.0, number=100),
    ]
    found = corrected(totals, checks)
    assert found is not None
    assert found.rate == pytest.approx(0.9, abs=1e-4)


def test_a_label_that_nobody_checked_may_be_anything() -> None:
    totals = {Label.WITH_MASK: 900, Label.WITHOUT_MASK: 100}
    found = corrected(totals, [Check(Label.WITH_MASK, "with_mask", number=500)])
    assert found is not None
    assert found.rate == 0.9
    assert found.interval[0] < 0.9
    assert found.interval[1] > 0.99


def test_without_any_error_found_errors_are_still_possible() -> None:
    totals = {Label.WITH_MASK: 100_000}
    found = corrected(totals, [Check(Label.WITH_MASK, "with_mask", number=100)])
    assert found is not None
    assert found.rate == found.interval[1] == 1.0
    # Clopper and Pearson: 0.025 ** (1 / 100).
    assert found.interval[0] == pytest.approx(0.9638, abs=0.003)


def test_the_same_figures_give_the_same_interval() -> None:
    totals = {Label.WITH_MASK: 900, Label.WITHOUT_MASK: 100}
    checks = [Check(Label.WITH_MASK, "with_mask", number=150), Check(Label.WITHOUT_MASK, "with_mask", number=3)]
    assert corrected(totals, checks) == corrected(totals, checks)
