"""Files of one job, one after the other: the next begins where the one before it ends, or nobody guesses when."""

from pathlib import Path
from typing import Final

import pytest

from infra.jobs.planning import follows_ns
from ingest.pieces import FootagePlan, plan_footage
from storage.errors import InputError
from storage.job_work import HeldFile, PlannedFile, Stretch
from storage.jobs import JobOptions
from storage.messages import NS_PER_S
from tests.test_pieces import CUT_UP, OPEN_GROUPS, made, never

BEGAN_NS: Final = 1_772_352_000 * NS_PER_S
GIVEN: Final = JobOptions(start_ns=BEGAN_NS)
BARE: Final = CUT_UP[0]._replace(name="bare.h264")


def held(number: int, path: Path, start_ns: int | None = None) -> HeldFile:
    return HeldFile(number, path.name, str(path), None, None, None, None, start_ns, None, None)


def planned(path: Path) -> tuple[PlannedFile, FootagePlan]:
    plan = plan_footage(path, 5.0, 2.0, never)
    stretches = (Stretch(0, plan.duration_ns),)
    return PlannedFile(0, 1, 1, "", BEGAN_NS, plan.duration_ns, "", b"", stretches, plan.whole, plan.errors), plan


def test_the_next_file_begins_where_footage_that_is_cut_up_ends(tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[0])
    file, plan = planned(path)
    assert plan.whole is None
    assert follows_ns(held(1, tmp_path / "b.mp4"), GIVEN, held(0, path), [file], never) == BEGAN_NS + 8 * NS_PER_S


def test_it_begins_where_footage_in_one_piece_ends_if_its_timestamps_tell_where(tmp_path: Path) -> None:
    path = made(tmp_path, OPEN_GROUPS)
    file, plan = planned(path)
    assert plan.whole is not None
    assert follows_ns(held(1, tmp_path / "b.mp4"), GIVEN, held(0, path), [file], never) == BEGAN_NS + 8 * NS_PER_S


def test_where_nothing_tells_how_long_footage_is_the_job_asks_when_the_next_file_began(tmp_path: Path) -> None:
    path = made(tmp_path, BARE)
    file, _ = planned(path)
    with pytest.raises(InputError, match=r"^b\.h264 begins where bare\.h264 ends, and when .* \(name_pattern"):
        follows_ns(held(1, tmp_path / "b.h264"), GIVEN, held(0, path), [file], never)


def test_it_is_not_asked_for_a_file_that_says_by_itself_when_it_began(tmp_path: Path) -> None:
    path = made(tmp_path, BARE)
    file, _ = planned(path)
    other = tmp_path / "20260301_080000.h264"
    follows_ns(held(1, other, BEGAN_NS), GIVEN, held(0, path), [file], never)
    follows_ns(held(1, other), JobOptions(name_pattern="%Y%m%d_%H%M%S"), held(0, path), [file], never)


def test_after_a_file_that_could_not_be_planned_the_others_are_still_looked_at(tmp_path: Path) -> None:
    assert follows_ns(held(1, tmp_path / "b.mp4"), GIVEN, held(0, tmp_path / "a.mp4"), [], never) == 0
