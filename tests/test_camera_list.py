"""Lists of cameras: read, taken in as a whole or not at all, and written so that they can be read again."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import UNSET
from sqlalchemy import update

from storage.camera_cells import harmless, taken_back
from storage.camera_list import COLUMNS, MOST_CAMERAS, Listed, read_list, write_list
from storage.camera_words import (
    parse_hours,
    parse_labels,
    parse_number,
    parse_region,
    parse_regions,
    show_hours,
    show_number,
    show_regions,
)
from storage.database.camera_export import export_cameras
from storage.database.camera_import import Import, import_cameras
from storage.database.engine import migrate, open_engine, sqlite_url, writing
from storage.database.models import BuildingRow, ZoneRow
from storage.database.records import NewCamera, Policy, Thresholds
from storage.database.sites import Sites
from storage.errors import InputError, InvalidError
from storage.hours import DAYS, Hours
from storage.regions import Region
from storage.words import EVENT_LABELS

LIST = """name,building,zone,url,credential,analyze_fps,regions,hours
Door,North,Hall,rtsp://10.0.0.5/1,guards,4,"watch:0.1,0.2 0.9,0.2 0.9,1",mon-fri 07:00-19:00
Yard,North,,rtsp://admin:geheim@10.0.0.6/1,,,,
"""


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    migrate(engine)
    sites = Sites(engine, tmp_path)
    building = sites.add_building("North", "Europe/Berlin")
    sites.add_zone(building.id, "Hall")
    sites.add_credential("guards", "guard", "gehe/im")
    yield sites
    engine.dispose()


def take(sites: Sites, text: str, *, make: bool = False, dry_run: bool = False) -> Import:
    listed, mistakes = read_list(text.encode())
    return import_cameras(sites, listed, mistakes, timezone="UTC" if make else None, dry_run=dry_run)


def export(sites: Sites) -> str:
    buildings = {one.id: one.name for one in sites.buildings()}
    zones = {zone.id: zone.name for name in buildings for zone in sites.zones(name)}
    return write_list(sites.cameras(), buildings, zones)


def test_a_list_is_taken_in_and_again_changes_nothing(sites: Sites) -> None:
    first = take(sites, LIST)
    assert (first.applied, first.mistakes, first.made) == (True, (), ())
    assert [(one.line, one.action, one.camera.id) for one in first.cameras] == [(2, "new", "c1"), (3, "new", "c2")]
    door, yard = sites.cameras()
    assert (door.zone_id, door.credential, door.analyze_fps) == ("z1", "guards", 4.0)
    assert door.url == "rtsp://guard:gehe%2Fim@10.0.0.5/1"
    assert door.regions == (Region("watch", ((0.1, 0.2), (0.9, 0.2), (0.9, 1.0))),)
    assert door.policy.hours == (Hours(("mon", "tue", "wed", "thu", "fri"), "07:00", "19:00"),)
    assert (yard.zone_id, yard.credential, yard.analyze_fps, yard.regions) == (None, None, 5.0, ())
    again = take(sites, LIST)
    assert [one.action for one in again.cameras] == ["unchanged", "unchanged"]
    assert sites.cameras() == [door, yard]


def test_only_what_a_list_names_is_changed(sites: Sites) -> None:
    take(sites, LIST)
    found = take(sites, "name;dwell_s;enabled\nDoor;2,5;no\nYard;;\n")
    assert [(one.action, one.columns) for one in found.cameras] == [
        ("changed", ("enabled", "dwell_s")),
        ("unchanged", ()),
    ]
    door = sites.cameras()[0]
    assert (door.policy.dwell_s, door.enabled, door.analyze_fps) == (2.5, False, 4.0)
    assert door.policy.hours is not None
    take(sites, "name\tzone\tregions\thours\nDoor\tnone\tnone\talways\n")
    door = sites.cameras()[0]
    assert (door.zone_id, door.regions, door.policy.hours) == (None, (), None)


def test_of_a_list_with_a_mistake_nothing_is_taken(sites: Sites) -> None:
    wrong = LIST + (
        "Shed,South,,rtsp://10.0.0.7/1,,,,\n"
        "Door,North,,rtsp://10.0.0.7/1,,,,\n"
        "Gate,North,Attic,rtsp://10.0.0.7/1,,,,\n"
        "Roof,North,,ftp://root:geheim@10.0.0.7/1,,,,\n"
        "Lift,North,,,,,,\n"
        "Ramp,North,,rtsp://10.0.0.7/1,nobody,,,\n"
        "Wall,North,,rtsp://10.0.0.7/1,,fast,,\n"
        'Hill,North,,rtsp://10.0.0.7/1,,,"watch:0,0 1,0 1,2",\n'
        "Lane,North,,rtsp://10.0.0.7/1,,,,9-17\n"
        "Moor,North,,rtsp://admin:***@10.0.0.7/1,,,,\n"
        "Fens,North,,rtsp://10.0.0.7/1,,,,,,more\n"
        ",North,,rtsp://10.0.0.7/1,,,,\n"
    )
    found = take(sites, wrong)
    assert not found.applied
    assert sites.cameras() == []
    said = {mistake.line: mistake.message for mistake in found.mistakes}
    assert sorted(said) == list(range(4, 16))
    for line, words in {
        4: "there is none 'South'",
        5: "name of line 2",
        6: "has none 'Attic'",
        7: "unknown kind",
        8: "url: it is empty",
        9: "no credential 'nobody'",
        10: "analyze_fps: 'fast' is no number",
        11: "leaves the picture",
        12: "are no hours",
        13: "***",
        14: "10 cells",
        15: "name: it is empty",
    }.items():
        assert words in said[line]
    assert "geheim" not in str(found.mistakes)


def test_a_dry_run_says_the_same_and_changes_nothing(sites: Sites) -> None:
    tried = take(sites, LIST + "Shed,South,Attic,rtsp://10.0.0.7/1,,,,\n", make=True, dry_run=True)
    assert (tried.applied, tried.mistakes) == (False, ())
    assert tried.made == ("South", "South / Attic")
    assert [one.action for one in tried.cameras] == ["new"] * 3
    assert tried.cameras[0].camera.url == "rtsp://guard:gehe%2Fim@10.0.0.5/1"
    assert sites.cameras() == []
    assert [one.name for one in sites.buildings()] == ["North"]


def test_missing_buildings_and_zones_are_made_on_request(sites: Sites) -> None:
    rows = "name,building,zone,url\nA,South,Hall,rtsp://10.0.0.7/1\nB,South,Hall,rtsp://10.0.0.8/1\nC,North,Hall,rtsp://a/1\n"
    found = take(sites, rows, make=True)
    assert found.made == ("South", "South / Hall")
    assert [one.camera.building_id for one in found.cameras] == ["b2", "b2", "b1"]
    assert [one.camera.zone_id for one in found.cameras] == ["z2", "z2", "z1"]
    assert sites.building("b2").timezone == "UTC"


def test_what_is_written_holds_no_password_and_is_taken_back(sites: Sites, tmp_path: Path) -> None:
    take(sites, LIST)
    building = sites.buildings()[0].id
    hours = (Hours(("sun", "mon"), "22:00", "06:00"), Hours(DAYS, "12:00", "13:00"))
    sites.add_camera(
        NewCamera(
            '=HYPERLINK("http://evil","x")',
            building,
            "rtsp://admin:geheim@10.0.0.9/1?password=geheim",
            substream_url="rtsp://admin:geheim@10.0.0.9/2",
            enabled=False,
            counts=False,
            analyze_fps=0.1,
            min_face_px=33,
            regions=(
                Region("watch", ((0.1, 1 / 3), (1.0, 0.0), (0.5, 1.0))),
                Region("ignore", ((0, 0), (1, 0), (1, 1))),
            ),
            policy=Policy((EVENT_LABELS[1],), 0.25, hours),
            thresholds=Thresholds(0.4, None),
            transport="udp",
        )
    )
    written = export(sites)
    assert "geheim" not in written
    assert "gehe" not in written
    assert not [cell for row in csv.reader(io.StringIO(written)) for cell in row if cell[:1] in {"=", "+", "-", "@"}]
    before = sites.cameras()
    again = take(sites, written)
    assert (again.applied, again.mistakes) == (True, ())
    assert [one.action for one in again.cameras] == ["unchanged"] * 3
    assert sites.cameras() == before
    # Elsewhere the passwords are missing, and all the rest comes over.
    listed, mistakes = read_list(written.replace("admin:***@", "").replace("***", "x").encode())
    engine = open_engine(sqlite_url(tmp_path / "other.sqlite3"))
    migrate(engine)
    other = Sites(engine, tmp_path)
    other.add_credential("guards", "guard", "gehe/im")
    moved = import_cameras(other, listed, mistakes, timezone="UTC", dry_run=False)
    assert (moved.applied, moved.made) == (True, ("North", "North / Hall"))
    for old, new in zip(before, other.cameras(), strict=True):
        for name in ("name", "regions", "thresholds", "transport", "enabled", "counts", "analyze_fps", "min_face_px"):
            assert getattr(new, name) == getattr(old, name)
        assert show_hours(new.policy.hours) == show_hours(old.policy.hours)
        assert (new.policy.labels, new.policy.dwell_s) == (old.policy.labels, old.policy.dwell_s)
    engine.dispose()


def test_a_changed_password_is_a_change_although_it_does_not_show(sites: Sites) -> None:
    take(sites, LIST)
    found = take(sites, LIST.replace("geheim", "neu"))
    assert [(one.action, one.columns) for one in found.cameras] == [("unchanged", ()), ("changed", ("url",))]
    assert sites.cameras()[1].url == "rtsp://admin:neu@10.0.0.6/1"


def test_the_columns_that_changed_are_named(sites: Sites) -> None:
    sites.add_camera(NewCamera("Yard", "b1", "rtsp://10.0.0.6/1", substream_url="rtsp://admin:geheim@10.0.0.6/2"))
    sub = take(sites, "name,substream_url\nYard,rtsp://admin:neu@10.0.0.6/2\n")
    assert sub.cameras[0].columns == ("substream_url",)
    other = take(sites, "name,zone,credential,substream_url,hours\nYard,Hall,guards,none,mon 08:00-09:00\n")
    assert other.cameras[0].columns == ("zone", "substream_url", "credential", "hours")
    back = take(sites, "name,url,credential\nYard,rtsp://guard:gehe%2Fim@10.0.0.6/1,none\n")
    assert back.cameras[0].columns == ("url", "credential")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the list is empty"),
        (b"\n \n", "the list is empty"),
        (b"nmae,url\nDoor,x\n", "column 'nmae'"),
        (b"url\nx\n", "no column `name`"),
        (b"name,name\nx,y\n", "a column twice"),
        (b"name\n\xff\xfe\n", "UTF-8"),
        (b"name\nx\0y\n", "no text"),
        (b'name\n"Door\n', "quotation marks"),
        (b"name\n" + b"x" * 2**20, "bytes"),
        (b"name\n" + b"".join(b"%d\n" % number for number in range(MOST_CAMERAS + 1)), "at most 500 cameras"),
        (b"name\n" + b"x" * 200_000, "can't be read"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
        (b"Door,rtsp://admin:geheim@10.0.0.5/1\n", "the first line must name the columns: name, building, zone, url"),
        (b"name,admin:geheim@10.0.0.5\n", "the first line must name the columns: name"),
        (b"name,geheim=1\n", "the first line must name the columns: name"),
        (b"door,geheim\n", "the first line must name the columns: name"),
        (b"colour,name\n", "a column 'colour'; there are name"),
    ],
)
def test_what_is_no_list_is_refused_in_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_list(data)
    assert "geheim" not in str(error.value)


def test_a_password_in_a_wrong_cell_is_not_said(sites: Sites) -> None:
    found = take(sites, "name,building,url\nDoor,rtsp://admin:geheim@10.0.0.5/1,North\n")
    assert [one.line for one in found.mistakes] == [2]
    assert "geheim" not in found.mistakes[0].message


def test_a_name_is_the_same_in_each_form_of_its_letters(sites: Sites) -> None:
    for form in ("NFC", "NFD"):
        text = "name,building,zone,url\nTür,Höhe,Süd,rtsp://10.0.0.5/1\n"
        taken = take(sites, unicodedata.normalize(form, text), make=True)
        assert (taken.mistakes, len(sites.cameras()), len(sites.buildings())) == ((), 1, 2)
    assert sites.cameras()[0].name == "T\u00fcr"
    listed, mistakes = read_list(f"name\n{unicodedata.normalize('NFD', 'Tür')}\nTür\n".encode())
    assert (len(listed), [one.line for one in mistakes]) == (2, [3])


def test_what_names_and_identifiers_of_earlier_versions_leave_unclear_is_written_so_that_it_is_not(
    sites: Sites, tmp_path: Path
) -> None:
    sites.add_building("South", "UTC")
    for name in ("Attic", "Cellar"):
        sites.add_zone("b2", name)
    engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    with writing(engine) as connection:
        # As it was possible once: the second building has the first one's identifier for its name.
        connection.execute(update(BuildingRow).where(BuildingRow.id == "b2").values(name="b1"))
        connection.execute(update(ZoneRow).where(ZoneRow.id == "z2").values(name="none"))
        connection.execute(update(ZoneRow).where(ZoneRow.id == "z3").values(name="z2"))
    engine.dispose()
    sites.add_camera(NewCamera("A", "b1", "rtsp://10.0.0.1/1", "z1"))
    sites.add_camera(NewCamera("B", "b2", "rtsp://10.0.0.2/1", "z2"))
    sites.add_camera(NewCamera("C", "b2", "rtsp://10.0.0.3/1", "z3"))
    before = sites.cameras()
    written, number = export_cameras(sites)
    cells = [tuple(row[name] for name in ("building", "zone")) for row in csv.DictReader(io.StringIO(written))]
    assert (cells, number) == ([("North", "Hall"), ("b2", "id:z2"), ("b2", "z3")], 3)
    again = take(sites, written)
    assert (again.mistakes, [one.action for one in again.cameras]) == ((), ["unchanged"] * 3)
    assert sites.cameras() == before
    unclear = take(sites, "name,building\nA,b1\n")
    assert [one.message for one in unclear.mistakes] == [
        "'b1' is the identifier of 'North' and the name of b2: write id:b1 or id:b2"
    ]
    assert sites.add_building("West", "UTC").id == "b3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lists_come_as_spreadsheets_write_them(encoding: str, delimiter: str) -> None:
    text = (
        f"Name{delimiter}Min face px{delimiter}Counts{delimiter}\r\nTür{delimiter} 30 {delimiter}No{delimiter}\r\n\r\n"
    )
    listed, mistakes = read_list(text.encode(encoding))
    assert (listed, mistakes) == ([Listed(line=2, name="Tür", min_face_px=30, counts=False)], [])
    assert listed[0].url is UNSET


def test_lines_are_counted_as_an_editor_shows_them() -> None:
    listed, mistakes = read_list(b'name,building\n"Do\nor",x\n\nYard,y\n,z\n')
    assert [one.line for one in listed] == [2, 5]
    assert [one.line for one in mistakes] == [6]


@given(st.text())
def test_a_cell_comes_back_as_it_was(cell: str) -> None:
    assert taken_back(harmless(cell)) == cell
    assert not harmless(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(
    st.lists(
        st.builds(
            Region,
            st.sampled_from(["watch", "ignore"]),
            st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5).map(tuple),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple)
)
def test_regions_come_back_exactly(regions: tuple[Region, ...]) -> None:
    assert parse_regions(show_regions(regions)) == regions


@given(st.floats(0.001, 1e6))
def test_numbers_come_back_exactly(number: float) -> None:
    assert parse_number(show_number(number)) == number


@given(st.sets(st.sampled_from(DAYS), min_size=1), st.times(), st.times())
def test_hours_come_back(days: set[str], start: object, end: object) -> None:
    assume(str(start)[:5] != str(end)[:5])
    ordered = tuple(day for day in DAYS if day in days)
    hours = (Hours(ordered, str(start)[:5], str(end)[:5]),)
    assert parse_hours(show_hours(hours)) == hours


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon-Fri 7:00-19:00", DAYS[:5]),
        ("fri-mon 07:00 - 19:00", ("mon", "fri", "sat", "sun")),
        ("sat, sun 07:00-19:00", ("sat", "sun")),
        ("daily 07:00-19:00", DAYS),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, days: tuple[str, ...]) -> None:
    assert parse_hours(text) == (Hours(days, "07:00", "19:00"),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["", "mon", "9-17", "funday 07:00-19:00", "mon 25:00-26:00", "mon 07:00", "mon-x 7:00-8:00", "mon 9:00-9:00"],
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_hours(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "watch",
        "watch:",
        "look:0,0 1,0 1,1",
        "watch:0,0 1",
        "watch:0,0 1,0 1,e",
        "watch:0,0 1,0 1,1.5",
        "watch:nan,0",
    ],
)
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_region(text)


def test_labels_and_numbers_are_read_as_people_write_them() -> None:
    assert parse_labels("incorrect_mask, without_mask") == EVENT_LABELS
    assert parse_labels("without_mask") == EVENT_LABELS[:1]
    assert (parse_number("0,5"), parse_number(" 5 ")) == (0.5, 5.0)
    for text in ("with_mask", "", "none"):
        with pytest.raises(InvalidError):
            parse_labels(text)
    for text in ("", "1,000.5", "inf", "nan", "5 fps"):
        with pytest.raises(InvalidError):
            parse_number(text)


def test_the_columns_are_those_that_were_promised() -> None:
    assert COLUMNS[:15] == (
        "name",
        "building",
        "zone",
        "url",
        "substream_url",
        "transport",
        "credential",
        "analyze_fps",
        "min_face_px",
        "counts",
        "enabled",
        "labels",
        "dwell_s",
        "hours",
        "regions",
    )
