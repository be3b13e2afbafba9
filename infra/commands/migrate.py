"""`maskwatch migrate`: the database's tables, before anything that uses them is started."""

from infra.console import complain, say
from infra.people import opened_database
from infra.settings import load_settings
from infra.sites import sealed_sites
from storage.database.engine import HEAD


def migrate() -> None:
    """Make the database's tables, or bring those of an earlier version up to date; what is there stays.

    Cameras' passwords are encrypted with the newest key. Every start of a system does so by itself. Where each role is started
    on its own, this does it once, before all of them.
    """
    settings = load_settings()
    with opened_database(settings) as engine:
        sealed_sites(engine, settings, complain)
        say(f"the database has all tables, revision {HEAD}")
