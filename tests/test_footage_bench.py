"""`maskwatch bench footage` and `bench hosts`: the long footage that they make, their figures, and a short run of each."""

from pathlib import Path

import numpy as np
import pytest

from infra.bench.camera_clips import Loop
from infra.bench.footage_clips import long_footage
from infra.bench.footage_hosts import run_hosts
from infra.bench.footage_jobs import primed, run_footage
from infra.bench.plan import FootageWanted
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.demo.truth import Truth, TruthTrack
from infra.settings import load_settings
from ingest.footage import Footage
from ingest.pieces import plan_footage
from storage.errors import SetupError, UsageError
from storage.words import Label
from tests.conftest import WriteVideo


def person(name: str, start_s: float, end_s: float) -> TruthTrack:
    boxes = ((start_s, 10, 10, 40, 50), (end_s, 60, 10, 40, 50))
    return TruthTrack(name, Label.WITHOUT_MASK, boxes, ((start_s, end_s, Label.WITHOUT_MASK),))


def loop(write_video: WriteVideo, name: str, shade: int, *, size: int = 96) -> Loop:
    """A second of one shade, with somebody from 0.2 to 0.6 s."""
    path = write_video([np.full((size, 128, 3), shade, np.uint8)] * 25, name=name, options={"movflags": "faststart"})
    return Loop(path, Truth(name, 1.0, (person("p1", 0.2, 0.6),)), (0.2, 0.6))


def test_loops_follow_one_another_in_one_file_and_so_does_their_truth(write_video: WriteVideo, tmp_path: Path) -> None:
    loops = [loop(write_video, "dark.mp4", 40), loop(write_video, "light.mp4", 200)]
    made = long_footage(tmp_path / "long" / "all.mp4", loops, 2.5)
    assert made.truth.duration_s == pytest.approx(3.0)
    assert [(track.id, track.boxes[0][0], track.boxes[-1][0]) for track in made.truth.tracks] == [
        ("p1-0", 0.2, 0.6),
        ("p1-1", 1.2, 1.6),
        ("p1-2", 2.2, 2.6),
    ]
    with Footage(made.path) as footage:
        frames = [(frame.at_ns, round(float(frame.luma().mean()), -2)) for frame in footage.frames(25.0)]
        assert footage.summary.errors == []
    assert [at_ns for at_ns, _ in frames] == [number * 40_000_000 for number in range(75)]
    assert [shade for _, shade in frames] == [0.0] * 25 + [200.0] * 25 + [0.0] * 25
    plan = plan_footage(made.path, 5.0, 1.0, lambda: False)
    assert (plan.whole, len(plan.pieces)) == (None, 3)
    assert [piece.start_ns for piece in plan.pieces] == [0, 1_000_000_000, 2_000_000_000]


def test_what_is_decoded_before_pieces_begin_is_told_in_relation_to_what_is_theirs(
    write_video: WriteVideo, tmp_path: Path
) -> None:
    made = long_footage(tmp_path / "all.mp4", [loop(write_video, "dark.mp4", 40)], 4.0)
    assert primed(plan_footage(made.path, 5.0, 100.0, lambda: False)) == (0.0, 0.0)
    cut = plan_footage(made.path, 5.0, 2.0, lambda: False)
    assert len(cut.pieces) == 2
    frames, samples = primed(cut)
    assert 0.25 <= frames <= 0.5
    assert 0.25 <= samples <= 0.5


def test_loops_that_are_encoded_in_other_ways_are_refused(write_video: WriteVideo, tmp_path: Path) -> None:
    loops = [loop(write_video, "low.mp4", 40), loop(write_video, "high.mp4", 40, size=128)]
    with pytest.raises(SetupError, match="not encoded as the loop before"):
        long_footage(tmp_path / "all.mp4", loops, 2.0)
    assert not (tmp_path / "all.mp4").exists()


def test_a_length_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="--minutes nan"):
        FootageWanted(minutes=float("nan")).check()


@pytest.mark.slow
def test_a_job_finds_what_one_process_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write_clip(small_clip(800, 450, 8.0, 2), tmp_path / "once.mp4")
    loops = (Loop(tmp_path / "once.mp4", truth, (0.0, truth.duration_s)),)
    folder = tmp_path / "bench"
    found = run_footage(FootageWanted(0.5), loops, load_settings(), folder, lambda *_: None)
    values = {one.name: one.value for one in found}
    assert values["identical"] == 1.0
    assert values["passages"] == values["right"] == 8
    assert (values["missed_tracks"], values["counted_twice"], values["invented_events"]) == (0, 0, 0)
    assert values["realtime_factor"] > 0
    assert values["wall_s"] == pytest.approx(values["planned_s"] + values["looked_s"] + values["finished_s"], abs=0.01)
    assert values["cpu_s"] == pytest.approx(sum(values[f"cpu_{role}_s"] for role in ROLES), abs=0.01)
    assert "times real time" in capsys.readouterr().err
    assert [path.name for path in folder.glob("system-*")] == [], "what the system had is gone"


@pytest.mark.slow
def test_a_second_host_is_of_use_and_finds_the_same(tmp_path: Path) -> None:
    truth = write_clip(small_clip(800, 450, 8.0, 2), tmp_path / "once.mp4")
    loops = (Loop(tmp_path / "once.mp4", truth, (0.0, truth.duration_s)),)
    found = run_hosts(FootageWanted(0.5), loops, load_settings(), tmp_path, lambda *_: None, chunk_s=4.0)
    values = {one.name: one for one in found}
    assert values["identical"].value == 1.0
    assert values["passages"].value == values["right"].value == 8
    assert values["times_faster"].limit == 2
    # How much faster is for a quiet machine to say; who only waits takes a hundredth.
    assert values["host2_cpu_s"].value > 0.1 * values["host1_cpu_s"].value, "both were at work"


ROLES = ("detect", "classify", "jobs", "beat", "redis")
