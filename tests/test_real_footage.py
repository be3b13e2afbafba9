"""Real people on real footage; needs the data pack, and is skipped in one line where that is absent."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli import run

pytestmark = pytest.mark.slow


def report_on(pack: Path, name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["video", str(pack / "videos" / name), "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_four_people_who_mask_up_are_four_passages_and_each_breach_is_corrected(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_on(pack, "four-masking-up-960p.mp4", capsys)
    people = [track for track in report["tracks"] if track["boxes"][0][3] > 60]
    # A painting whose face wears a mask hangs behind them.
    assert len(people) == 4
    assert len(report["tracks"]) <= 5
    left, *others = sorted(people, key=lambda track: track["boxes"][0][1])
    assert [track["label"] for track in others] == ["with_mask"] * 3
    events = {event["track_id"]: event for event in report["events"]}
    assert set(events) <= {track["id"] for track in people}
    taken_off = events[left["id"]]
    assert taken_off["type"] == "without_mask"
    assert taken_off["started_s"] <= 6.0
    assert taken_off["ended_s"] >= 9.5
    assert 9.5 <= taken_off["corrected_s"] <= 12.5


def test_walkers_without_masks_are_never_called_masked(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_on(pack, "walkers-unmasked-1080p.mp4", capsys)
    labels = [track["label"] for track in report["tracks"]]
    assert len(labels) >= 5
    assert labels.count("without_mask") >= 5
    assert "with_mask" not in labels


def test_a_still_scene_is_looked_at_often_enough(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_on(pack, "still-maksssksksss0.mp4", capsys)
    assert len(report["tracks"]) >= 2


def test_people_whose_faces_are_not_to_be_seen_break_no_rule(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_on(pack, "people-without-visible-faces.mp4", capsys)["events"] == []


def test_every_scene_of_the_test_list_gives_one_line(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = [name for name in json.loads((pack / "split.json").read_text())["test"] if name.startswith("scenes/")]
    assert run(["image", *(str(pack / scene) for scene in scenes), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["image"] for line in lines] == [str(pack / scene) for scene in scenes]
    assert sum(len(line["faces"]) for line in lines) > 2 * len(scenes)
