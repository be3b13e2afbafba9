"""The repository of buildings and cameras as a system has it: with its media folder, its key and its networks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from infra.places import Places
from infra.settings import Settings
from storage.errors import SetupError
from storage.networks import Networks
from storage.secrets import Secrets

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from storage.database.sites import Sites


def system_secrets(settings: Settings) -> Secrets:
    """What passwords are encrypted with: the key that is set, or the one in the data folder."""
    key = settings.secret_key
    return Secrets(Places.of(settings).secret_key, None if key is None else key.get_secret_value())


def system_sites(engine: "Engine", settings: Settings) -> "Sites":
    """The repository over a migrated database."""
    from storage.database.sites import Sites

    return Sites(
        engine,
        Places.of(settings).media,
        secrets=system_secrets(settings),
        networks=Networks.parse(settings.camera_networks),
    )


def sealed_sites(engine: "Engine", settings: Settings, complain: Callable[[str], None]) -> "Sites":
    """Likewise, for a start: what earlier versions stored of passwords is encrypted now, or it is said why not."""
    sites = system_sites(engine, settings)
    try:
        sites.seal()
    except SetupError as error:
        # Cameras without passwords work all the same.
        complain(str(error))
    return sites
