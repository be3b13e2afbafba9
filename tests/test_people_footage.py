"""The four scenes that put trackers to the test, as footage: from pixels to one track and one event per person."""

import json
from pathlib import Path

import msgspec
import pytest

from infra.cli import run
from infra.demo.script import longest_gap_s
from infra.demo.sight import sightings
from infra.identity import identity
from infra.scoring import TruthScore, score
from storage.report import Report
from storage.words import EVENT_LABELS
from tests.people_scenes import PeopleScene, people_scenes, write_scene

SCENES = {scene.name: scene for scene in people_scenes()}


def test_each_scene_shows_what_it_is_named_for() -> None:
    [hidden] = SCENES["hidden"].clip.walkers
    assert 0.9 <= longest_gap_s(sightings(SCENES["hidden"].clip, hidden, 0.1), 0.1) <= 1.3
    one, two = SCENES["crossing"].truth().tracks
    ahead = [a[1] < b[1] for a in one.boxes for b in two.boxes if a[0] == b[0]]
    assert ahead[0] != ahead[-1]
    _, away = SCENES["turning"].truth().tracks
    assert not [box for box in away.boxes if 4.0 <= box[0] < 7.0]
    [waiting] = SCENES["waiting"].truth().tracks
    still = {box[1:] for box in waiting.boxes if 4.0 < box[0] < 122.0}
    assert len({x for x, *_ in still}) <= 3, "but for a nod"
    assert waiting.boxes[-1][0] - waiting.boxes[0][0] > 120


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_each_person_is_one_track_and_one_event(
    scene: PeopleScene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = write_scene(scene, tmp_path / f"{scene.name}.mp4")
    assert run(["video", str(tmp_path / f"{scene.name}.mp4"), "--json"]) == 0
    report = msgspec.convert(json.loads(capsys.readouterr().out), Report)
    people = len(truth.tracks)
    found = score(report.tracks, report.events, truth).score
    assert msgspec.structs.replace(found, fragments=0) == TruthScore(people, people, 0, 0, 0)
    assert found.fragments <= people
    assert len(report.events) == sum(track.label in EVENT_LABELS for track in truth.tracks)
    assert identity(report.tracks, truth).idf1 >= 0.9
