"""What live cameras lose to whatever else runs: cameras send on, and what can't be looked at in time is not looked at."""

import os

import pytest
from sqlalchemy import select

from infra.bench.machine import Moment
from infra.demo.live import closing_engine
from infra.settings import Settings
from storage.database.engine import reading
from storage.database.models import CameraStateRow

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
OTHERS_CORES = 0.5
"""With less than most of the machine, samples are dropped as they should be."""

SAMPLES_S = 5.0
"""Samples that are taken of a camera in a second."""


def skip_where_others_work(start: Moment) -> None:
    """Skip the test if others kept the machine busy from `start` to now, when all processes of ours have ended."""
    if not PROOF and (others := start.others_since()) > OTHERS_CORES:
        pytest.skip(f"other processes kept {others:.1f} cores busy: there was too little left to tell")


def lost_samples(settings: Settings) -> int:
    """Of all cameras of a system, so far."""
    with closing_engine(settings) as engine, reading(engine) as connection:
        return sum(connection.execute(select(CameraStateRow.lost)).scalars())


def cut_short(lost: float, passages: int | None = None) -> int:
    """How many passages lost samples can have hidden or cut in two: whoever was not looked at for a second.

    Of so many passages, the test is skipped where that is more than a quarter: too little is left to tell.
    """
    cut = 0 if PROOF else int(lost / SAMPLES_S)
    if passages is not None and cut > passages / 4:
        pytest.skip(f"{lost:.0f} samples were lost: there was too little left to tell")
    return cut
