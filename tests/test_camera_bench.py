"""`maskwatch bench cameras`: what its cameras show, what it reads of a system, and its figures."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from infra.bench.camera_clips import LEAD_S, Loop, camera_loops
from infra.bench.camera_system import CameraFound, between
from infra.bench.cameras import Outcome, bottleneck, figures, percentile
from infra.bench.plan import Plan
from infra.bench.plot import Panel, svg, ticks
from infra.bench.trend import Reading, panels, slope, trend
from infra.bench.watching import Visible
from infra.demo.truth import Truth, TruthTrack
from infra.scoring import Matching, TruthScore
from storage.errors import UsageError
from storage.words import Label

PROMISED = {"cameras", "dropped_samples", "missed_tracks", "invented_events", "latency_p95_s", "cpu_per_camera",
            "cpu_cores", "memory_mib"}  # fmt: skip


def person(name: str, start_s: float, end_s: float) -> TruthTrack:
    boxes = ((start_s, 10, 10, 40, 50), (end_s, 60, 10, 40, 50))
    return TruthTrack(name, Label.WITHOUT_MASK, boxes, ((start_s, end_s, Label.WITHOUT_MASK),))


@pytest.fixture
def loop() -> Loop:
    """A minute, in which somebody is on the way from 27 to 33 s."""
    truth = Truth("entrance", 60.0, (person("p1", 27.0, 31.0), person("p2", 29.0, 33.0)))
    return Loop(Path("clip.mp4"), truth, (27.0, 33.0))


@pytest.mark.parametrize("cameras", [1, 2, 4, 6, 40])
def test_cameras_begin_with_nobody_and_their_people_come_at_different_times(loop: Loop, cameras: int) -> None:
    starts = [loop.stream(number, cameras).start_s for number in range(cameras)]
    waits = [(27.0 - start_s) % 60.0 for start_s in starts]
    assert waits[0] == LEAD_S
    assert waits == sorted(set(waits))
    # Also where the keyframe before lies two seconds earlier, which is as far as the demo's lie apart.
    assert waits[-1] + 2.0 < 60.0 - 6.0


def test_the_truth_of_a_loop_goes_on_pass_by_pass(loop: Loop) -> None:
    shown = loop.shown(20.0, 140.0)
    assert [(track.id, track.boxes[0][0], track.boxes[-1][0]) for track in shown.tracks] == [
        ("p1-0", 7.0, 11.0),
        ("p2-0", 9.0, 13.0),
        ("p1-1", 67.0, 71.0),
        ("p2-1", 69.0, 73.0),
        ("p1-2", 127.0, 131.0),
        ("p2-2", 129.0, 133.0),
    ]
    assert shown.tracks[2].stretches == ((67.0, 71.0, Label.WITHOUT_MASK),)
    assert [track.id for track in loop.shown(40.0, 60.0).tracks] == ["p1-1", "p2-1"], "what was before is not shown"


@pytest.mark.parametrize(("at_s", "then_s"), [(0.0, 0.0), (6.0, 15.0), (8.0, 15.0), (14.5, 15.0), (16.0, 16.0)])
def test_counting_begins_between_passages(loop: Loop, at_s: float, then_s: float) -> None:
    assert between(loop.shown(20.0, 60.0), at_s) == then_s


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, float("nan")])
def test_a_share_of_time_that_clips_can_t_have_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.02 to 0\.3"):
        camera_loops(tmp_path, share)
    assert not list(tmp_path.iterdir())


def readings(grows_mib_h: float) -> list[Reading]:
    return [
        Reading(
            at_s,
            {"ingest": 100.0 + grows_mib_h * at_s / 3600, "detect": 150.0 + 40.0 * (at_s == 40)},
            {"ingest": 20},
            {"frames": int(at_s) % 3},
        )
        for at_s in map(float, range(0, 100, 10))
    ]


def test_growth_is_named_and_a_single_peak_is_none() -> None:
    flat, growing = trend(readings(0.0)), trend(readings(36.0))
    assert (flat.memory_mib, flat.files, flat.worst_mib) == (0.0, 0.0, 0.0)
    assert growing.memory_mib == pytest.approx(36.0)
    assert growing.worst == "ingest"
    assert growing.worst_mib == pytest.approx(36.0)
    assert trend(readings(36.0)[:2]).memory_mib == 0.0, "too few to tell"


def test_the_slope_of_many_points_takes_no_longer_than_that_of_some() -> None:
    times = [float(number) for number in range(20_000)]
    assert slope(times, [3.0 * time + 7.0 for time in times]) == pytest.approx(3.0)


def test_the_plot_is_a_picture_that_says_what_is_what() -> None:
    picture = ET.fromstring(svg(panels(readings(36.0))))  # noqa: S314 our own
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"memory, MiB", "open files", "longest queue, entries", "ingest", "detect", "frames"} <= set(texts)
    lines = list(picture.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 4
    for line in lines:
        numbers = [float(number) for number in re.findall(r"[-0-9.]+", line.attrib["points"])]
        assert len(numbers) == 20
        assert all(0 <= number <= 860 for number in numbers)


def test_a_plot_of_nothing_is_empty_and_names_can_hold_anything() -> None:
    ET.fromstring(svg([]))  # noqa: S314 our own
    ET.fromstring(svg([Panel("nothing", {}), Panel("a < b & c", {'"x"': [(0.0, 0.0)]})]))  # noqa: S314 our own


@pytest.mark.parametrize(("most", "last"), [(0.0, 0.0), (1.0, 1.0), (23.0, 30.0), (875.0, 1000.0), (0.03, 0.03)])
def test_axes_have_round_numbers(most: float, last: float) -> None:
    assert ticks(most)[-1] == pytest.approx(last)
    assert len(ticks(most)) <= 6


def test_the_figures_are_there_whatever_was_found() -> None:
    cores = {"ingest": 0.2, "detect": 0.6, "supervisor": 0.0}
    found = [CameraFound("hall-1", 0.0, (), (), Matching({}, {}, TruthScore(2, 1, 1, 0, 0)))]
    nothing = figures(Outcome(found, 0, {}, [], cores, 0.01, [], {}), 4)
    assert {one.name for one in nothing} >= PROMISED
    visible = [Visible(100.0, 101.0, 101.0 + late / 10) for late in range(1, 11)]
    values = {
        one.name: one.value
        for one in figures(
            Outcome(found, 3, {"shed": 3}, visible, cores, 0.01, readings(0.0), {"frames": 9, "results 0": 2}), 4
        )
    }
    assert (values["passages"], values["missed_tracks"]) == (2, 1)
    assert values["dropped_samples"] == values["dropped_shed"] == 3
    assert values["latency_p95_s"] == pytest.approx(0.955)
    assert (values["cpu_cores"], values["cpu_per_camera"]) == (0.8, 0.2)
    assert (values["longest_queue"], values["longest_results_0"]) == (9, 2)
    assert values["memory_mib"] == 290.0, "with the peak"


def test_the_bottleneck_is_named() -> None:
    assert bottleneck({"ingest": 0.2, "detect": 0.6}, 4).startswith("detect takes most: 0.60 of 0.80 cores (75 %)")
    assert percentile([], 95) == 0.0


def test_a_plan_refuses_what_is_no_number() -> None:
    with pytest.raises(UsageError, match="--seconds nan"):
        Plan(seconds=float("nan")).check()


@pytest.mark.slow
def test_the_whole_benchmark_in_short(tmp_path: Path) -> None:
    # In a process of its own: what the tests import would count.
    command = [str(Path(sys.executable).with_name("maskwatch")), "bench", "cameras", "--json"]
    options = ["--cameras", "2", "--seconds", "35", "--activity", "0.3", "--plot", str(tmp_path / "plot.svg")]
    options += ["--viewers", "5"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    values = {row["name"]: row["value"] for row in report["results"]}
    assert set(values) >= PROMISED | {"viewers_p95_ms"}
    assert values["viewers_requests_per_s"] > 1
    # Who is on the way when it begins or ends does not count, so it depends on where in the clips that is.
    assert values["passages"] >= 2
    assert values["events"] >= 2
    assert values["cpu_cores"] > 0.05
    assert 300 < values["memory_mib"] < 2000
    assert "takes most" in done.stderr
    ET.parse(tmp_path / "plot.svg")  # noqa: S314 our own
