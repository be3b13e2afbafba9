"""Demo footage: the same seed gives the same footage, and its truth is true."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("skimage", reason="the demo's portrait comes with scikit-image, which is in the demo set")

from infra.demo.clips import write_clip
from infra.demo.corridor import CorridorRenderer
from infra.demo.figure import face_outline, pose
from infra.demo.masks import KINDS, MaskStyle, Wearing, draw_mask
from infra.demo.portrait import LANDMARKS, cut_head
from infra.demo.scene import DemoClip, Stage
from infra.demo.script import MAX_HIDDEN_S, MIN_SEEN_S, demo_clips, longest_gap_s, small_clip
from infra.demo.sight import sightings
from infra.demo.truth import Truth, load_truth, save_truth, truth_of, truth_path
from storage.errors import InputError, UsageError
from storage.words import Label


@pytest.fixture(scope="module")
def clips() -> tuple[DemoClip, DemoClip]:
    return demo_clips()


@pytest.fixture(scope="module")
def small() -> DemoClip:
    return small_clip(800, 450, duration_s=8, persons=2, seed=3)


@pytest.fixture(scope="module")
def renderer(small: DemoClip) -> CorridorRenderer:
    return CorridorRenderer(small)


def test_the_demo_has_two_cameras_with_ten_people_each(clips: tuple[DemoClip, DemoClip]) -> None:
    assert [clip.camera for clip in clips] == ["entrance", "ward"]
    for clip in clips:
        assert (clip.lens.width, clip.lens.height, clip.fps, clip.duration_s) == (1920, 1080, 25, 40.0)
        assert len(truth_of(clip).tracks) == 10


def test_the_twenty_wear_what_the_script_says(clips: tuple[DemoClip, DemoClip]) -> None:
    worn = Counter[str]()
    for clip in clips:
        for track in truth_of(clip).tracks:
            mixed = len(track.stretches) > 1
            worn["mixed" if mixed else track.label] += 1
            if mixed:
                assert track.label == Label.WITH_MASK
                start, end, first = track.stretches[0]
                assert first == Label.WITHOUT_MASK
                assert end - start > 1.0  # longer than the dwell time: an event
    assert worn == {"with_mask": 8, "without_mask": 5, "incorrect_mask": 3, "mixed": 4}


def test_truth_boxes_lie_in_the_picture_at_whole_steps(clips: tuple[DemoClip, DemoClip]) -> None:
    for clip in clips:
        for track in truth_of(clip).tracks:
            times = [box[0] for box in track.boxes]
            assert times == sorted(set(times))
            assert all(abs(t * 5 - round(t * 5)) < 1e-6 and 0 <= t < clip.duration_s for t in times)
            for _, x, y, width, height in track.boxes:
                assert min(x, y) >= 0
                assert x + width <= clip.lens.width
                assert y + height <= clip.lens.height


def test_faces_are_28_to_160_px_wide_and_nobody_is_hidden_for_long(clips: tuple[DemoClip, DemoClip]) -> None:
    widths: list[float] = []
    partly = 0
    for clip in clips:
        for walker in clip.walkers:
            faces = sightings(clip, walker, 0.1)
            seen = [face for face in faces if face.seen]
            assert len(seen) * 0.1 >= MIN_SEEN_S
            assert longest_gap_s(faces, 0.1) <= MAX_HIDDEN_S
            widths += [face.box[2] for face in seen]
            partly += any(face.covered > 0.1 for face in faces)
    assert min(widths) >= 27.5
    assert 130 < max(widths) <= 160
    assert partly >= 3  # people do cross


def test_truth_boxes_lie_on_faces(renderer: CorridorRenderer, small: DemoClip) -> None:
    # Without its people the picture shows the corridor: they differ exactly where somebody is.
    empty = CorridorRenderer(replace(small, walkers=()))
    for track in truth_of(small).tracks:
        t, x, y, width, height = track.boxes[len(track.boxes) // 2]
        change = np.abs(renderer.frame(t).astype(int) - empty.frame(t).astype(int)).max(axis=2) > 12
        assert change[y : y + height, x : x + width].mean() > 0.8


def test_the_box_is_the_outline_of_the_drawn_face(small: DemoClip) -> None:
    walker = small.walkers[0]
    sighting = next(face for face in sightings(small, walker) if face.inside == 1.0)
    figure = pose(walker, small.lens, sighting.t)
    assert figure is not None
    outline = face_outline(walker, figure)
    x, y, width, height = sighting.box
    assert np.allclose(outline.min(axis=0), (x, y))
    assert np.allclose(outline.max(axis=0), (x + width, y + height))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("wearing", "nose", "mouth", "chin"),
    [("bare", 0, 0, 0), ("proper", 1, 1, 1), ("nose_out", 0, 1, 1), ("chin_only", 0, 0, 1)],
)
def test_a_mask_covers_what_its_wearing_says(kind: str, wearing: Wearing, nose: int, mouth: int, chin: int) -> None:
    sheet = cut_head()
    style = MaskStyle(next(k for k in KINDS if k == kind), (0.1, 0.9, 0.1))
    masked, _ = draw_mask(sheet, sheet.colour, style, wearing)
    points = (LANDMARKS.nostrils, LANDMARKS.mouth, (LANDMARKS.chin[0], LANDMARKS.chin[1] - 20))
    covered = [masked[int(y), int(x), 1] > 2 * masked[int(y), int(x), 0] for x, y in points]
    assert covered == [bool(nose), bool(mouth), bool(chin)]


def test_the_same_seed_gives_the_same_picture(renderer: CorridorRenderer, small: DemoClip) -> None:
    again = CorridorRenderer(small_clip(800, 450, duration_s=8, persons=2, seed=3))
    assert np.array_equal(renderer.frame(3.0), again.frame(3.0))


def test_another_seed_gives_other_footage(small: DemoClip) -> None:
    assert truth_of(small_clip(800, 450, duration_s=8, persons=2, seed=6)) != truth_of(small)


def test_a_clip_is_h264_with_the_truth_beside_it(small: DemoClip, tmp_path: Path) -> None:
    heard: list[float] = []
    brief = replace(small, duration_s=2.0, walkers=small.walkers[:1])
    truth = write_clip(brief, tmp_path / "a.mp4", heard.append)
    assert heard[-1] == pytest.approx(1.0)
    assert heard == sorted(heard)
    assert load_truth(truth_path(tmp_path / "a.mp4")) == truth == truth_of(brief)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.codec_context.width, stream.codec_context.height) == (800, 450)
        assert stream.average_rate == 25
        assert sum(1 for _ in container.decode(stream)) == 50
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.truth.json"]
    write_clip(brief, tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_label_is_the_one_worn_longest(small: DemoClip) -> None:
    walker = small.walkers[0]
    late = replace(walker, stages=(Stage(walker.from_s, "bare"), Stage(walker.until_s - 1.5, "proper")))
    track = truth_of(replace(small, walkers=(late,))).tracks[0]
    assert track.label == Label.WITHOUT_MASK
    assert [label for _, _, label in track.stretches] == [Label.WITHOUT_MASK, Label.WITH_MASK]


def test_a_truth_file_survives_the_round_trip_and_rubbish_is_refused(small: DemoClip, tmp_path: Path) -> None:
    truth: Truth = truth_of(small)
    save_truth(truth, tmp_path / "t.json")
    assert load_truth(tmp_path / "t.json") == truth
    (tmp_path / "bad.json").write_text('{"camera": 3}')
    with pytest.raises(InputError, match="not a truth file"):
        load_truth(tmp_path / "bad.json")
    with pytest.raises(InputError, match="cannot read"):
        load_truth(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("width", "height", "duration_s", "persons"),
    [(320, 240, 10, 1), (961, 540, 10, 1), (960, 540, 1, 1), (960, 540, 10, 0), (960, 540, 10, 21)],
)
def test_impossible_clips_are_refused_with_advice(width: int, height: int, duration_s: float, persons: int) -> None:
    with pytest.raises(UsageError, match=r"use even sizes|choose other numbers"):
        small_clip(width, height, duration_s, persons)
