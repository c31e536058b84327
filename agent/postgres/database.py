"""A PostgreSQL server as several machines share it: one connection of this process, and what to do when it breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from agent.errors import ConfigError, LeaseLost, StorageError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]
    Cursor = psycopg.Cursor[Any]

FORMAT = 2
LOST = "ZL001"  # what functions.sql refuses a process with that has lost a task
PATIENCE = 60.0  # seconds that a server that was there may be away, as when it is restarted
_PAUSE = 0.5  # seconds between two tries; a server that is shutting down waits for whoever keeps knocking
_LOCK = 0x7A6F6F6964  # that two processes do not make the tables at once

T = TypeVar("T")


class Database:
    """A server by its URL. Nothing is connected before the first transaction.

    What a transaction does is sent as it comes and waited for where a result is read (a pipeline). The server's disk is
    waited for where `synced` says so, and otherwise five times a second: a crash of the server loses less than a second
    of what was committed, always the latest, and whoever goes on finds that it is missing.

    Raises ConfigError for a URL of another kind, StorageError where the server cannot be used.
    """

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise ConfigError(f"the database {shown(url)} is of a kind that is not known; give postgresql://HOST/NAME")
        self.url = url
        self._connection: Connection | None = None
        self._held: Connection | None = None  # while a transaction is open
        self.connections = 0  # that there have been: with another one the server may have lost what was committed last
        self._one_at_a_time = threading.RLock()
        self._ahead = 0.0  # of the server's clock before this machine's time since it was started, in seconds

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction. It is done again where the server went away: it must not mind having happened.

        Raises StorageError where the server is not there at first, or stays away.
        """
        if self._held is not None:
            return work(self._held)

        def within(connection: Connection) -> T:
            with self._opened(connection):
                return work(connection)

        return self._tried(within)

    def call(self, query: str, values: tuple[Any, ...]) -> Cursor:
        """The same of one statement: the server is spoken to once."""
        if self._held is not None:
            return self._held.execute(query, values)
        return self._tried(lambda connection: connection.execute(query, values))

    def _tried(self, work: Callable[[Connection], T]) -> T:
        deadline = time.monotonic() + PATIENCE
        psycopg = _driver()
        with self._one_at_a_time:
            while True:
                try:
                    return work(self._connected())
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                    continue
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    self.close()
                    if not self.connections or time.monotonic() > deadline or _is_full(error):
                        raise StorageError(self._unusable(error)) from error
                    time.sleep(_PAUSE)
                except psycopg.Error as error:
                    if error.sqlstate == LOST:
                        raise LeaseLost(_line(error)) from None
                    raise StorageError(f"the database {shown(self.url)} refused: {_line(error)}") from error

    @contextmanager
    def held(self) -> Iterator[Connection]:
        """One transaction around all that is done within.

        Raises LeaseLost where the server goes away meanwhile: what was done within did not happen, and is begun anew.
        """
        psycopg = _driver()
        if self._connection is None:
            self.transaction(lambda connection: None)  # which connects
        with self._one_at_a_time:
            try:
                with self._opened(self._connected()) as connection:
                    yield connection
            except psycopg.errors.DiskFull as error:
                raise StorageError(self._unusable(error)) from error
            except psycopg.Error as error:
                if error.sqlstate != LOST:
                    self.close()
                raise LeaseLost(f"the database {shown(self.url)} did not keep it: {_line(error)}") from error

    @contextmanager
    def _opened(self, connection: Connection) -> Iterator[Connection]:
        """A transaction whose statements are sent together, as far as nothing is read in between.

        What is done meanwhile by way of this database is part of it. (psycopg's own `transaction` would wait for the
        server at its beginning and at its end.)
        """
        self._held = connection
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
        except BaseException:
            if not connection.broken:
                connection.rollback()
            raise
        finally:
            self._held = None

    def now(self) -> float:
        """Seconds since the epoch by the server's clock: machines disagree, and by hours where one is set wrong."""
        return time.monotonic() + self._ahead

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = _driver().connect(self.url, autocommit=True, connect_timeout=5, application_name="zooid")
            self._ahead = float(_value(connection, "SELECT extract(epoch FROM clock_timestamp())")) - time.monotonic()
            connection.execute("SET synchronous_commit = off")  # but see `synced`
            connection.execute("SET plan_cache_mode = force_generic_plan")  # one plan is as good for all tasks
            self._prepare(connection)
            self._connection, self.connections = connection, self.connections + 1
        return self._connection

    def _prepare(self, connection: Connection) -> None:
        """Make the tables where there are none; raises StorageError for those of another version."""
        if (found := _format(connection)) is None:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if (found := _format(connection)) is None:
                    _make(connection)
                    return
        if found != FORMAT:
            which, way = ("newer", "update zooid here") if found > FORMAT else ("older", "give it an empty database")
            raise StorageError(
                f"the database {shown(self.url)} was set up by a zooid of a {which} format ({found}; this one reads "
                f"{FORMAT}); {way}"
            )

    def _unusable(self, error: Exception) -> str:
        if _is_full(error):
            return (
                f"the disk of the database {shown(self.url)} is full ({_line(error)}); free some space there, "
                "then go on with: zooid resume"
            )
        return (
            f"the database {shown(self.url)} cannot be used: {_line(error)}; check that the server runs and that the "
            "address is right, then go on with: zooid resume"
        )


def synced(connection: Connection) -> None:
    """Have the transaction that is open be on the server's disk when it is over, and all that came before it."""
    connection.execute("SET LOCAL synchronous_commit = on")


def shown(url: str) -> str:
    """A database's address as it may be shown: without a password in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _make(connection: Connection) -> None:
    from procrastinate.schema import SchemaManager

    if not _there(connection, "procrastinate_jobs"):
        connection.execute(SchemaManager.get_schema())
    for file in ("schema.sql", "functions.sql"):
        connection.execute(resources.files(__package__).joinpath(file).read_text("utf-8"))
    connection.execute("CREATE TABLE zooid_meta (format integer NOT NULL)")
    connection.execute("INSERT INTO zooid_meta VALUES (%s)", (FORMAT,))


def _format(connection: Connection) -> int | None:
    return int(_value(connection, "SELECT format FROM zooid_meta")) if _there(connection, "zooid_meta") else None


def _there(connection: Connection, table: str) -> bool:
    """Whether there is a table. (`to_regclass` may go by what it knew before another process made it.)"""
    query = "SELECT count(*) FROM pg_tables WHERE tablename = %s AND schemaname = ANY (current_schemas(false))"
    row = connection.execute(query, (table,)).fetchone()
    return bool(row and row[0])


def _value(connection: Connection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _driver() -> Any:
    try:
        import psycopg
    except ImportError:
        raise ConfigError("PostgreSQL needs more packages: pip install 'zooid[postgres]'") from None
    return psycopg


def _is_full(error: Exception) -> bool:
    return type(error).__name__ == "DiskFull"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
