"""`maskwatch migrate`: the database's tables, before anything that uses them is started."""

from infra.console import say
from infra.people import opened_database
from infra.settings import load_settings
from storage.database.engine import HEAD


def migrate() -> None:
    """Make the database's tables, or bring those of an earlier version up to date; what is there stays.

    Every start does so by itself. Where each role is started on its own, this does it once, before all of them.
    """
    with opened_database(load_settings()):
        say(f"the database has all tables, revision {HEAD}")
