"""All cameras in use as a list that can be imported."""

from storage.camera_list import write_list
from storage.database.sites import Sites
from storage.names import word_for


def export_cameras(sites: Sites) -> tuple[str, int]:
    """The list, see `storage.camera_list`, and how many cameras are in it; `***` stands for passwords.

    Raises:
        StorageError: the database can't be read, or that somebody has the list can't be written down.
    """
    homes = sites.buildings()
    buildings = {one.id: word_for(one, homes) for one in homes}
    zones: dict[str, str] = {}
    for home in homes:
        parts = sites.zones(home.id)
        zones |= {zone.id: word_for(zone, parts) for zone in parts}
    cameras = sites.cameras()
    sites.note_listed("cameras.exported", cameras=len(cameras))
    return write_list(cameras, buildings, zones), len(cameras)
