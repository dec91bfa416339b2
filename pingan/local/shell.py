"""What a command typed into a fresh shell must know: the installation that runs here, as `pingan up` left it."""

from collections.abc import MutableMapping

from pingan.settings import SettingsError

from .places import data_folder


def complete(environ: MutableMapping[str, str]) -> None:
    """Add what the environment lacks. What is set stays as it is; a folder without a platform in it adds only its name.

    Processes started by the supervisor lack nothing and pass through.
    """
    if "PINGAN_DATABASE_URL" in environ and "PINGAN_DATA" in environ:
        return
    # Here, so that the simulator, which passes through above, needs not hold a database's client in memory.
    from . import platform
    from .postgres import Postgres

    data = data_folder(dict(environ))
    environ.setdefault("PINGAN_DATA", str(data))
    if not (data / "secrets/pgpass").exists():
        return
    try:
        installation = platform.load(data, {})
    except SettingsError:  # `up` and `doctor` say what is wrong with them
        return
    url = installation.settings.database_url
    if url is None:
        postgres = Postgres(data)
        postgres.prepare()
        url = postgres.dsn
    for name, value in installation.environment("pingan", url, None).items():
        if f"{name}_FILE" not in environ:
            environ.setdefault(name, value)
