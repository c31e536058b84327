"""`zooid worker` on a database: work on what others hand over until asked to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

from agent import signals
from agent.output import Output
from agent.postgres.archive import PostgresArchive
from agent.postgres.database import Database, shown
from agent.postgres.site import Site


def serve(site: Site, output: Output, hook: Sequence[str] = ()) -> int:
    """Work until a signal comes; what is in work then goes to others at once. `hook` is called when a job ends here."""
    site.arrive()
    site.note = output.say
    site.on_end = partial(_call_hook, site.database.url, hook) if hook else None
    output.say(f"taking tasks from {shown(site.database.url)}, {site.slots} at a time; Ctrl-C ends it")
    asyncio.run(_until_asked_to_end(site))
    return 0


async def _until_asked_to_end(site: Site) -> None:
    loop, serving = asyncio.get_running_loop(), asyncio.create_task(site.serve())

    def stop(number: int) -> None:
        loop.call_soon_threadsafe(serving.cancel)

    with signals.handled(stop, lambda: None):
        try:
            await serving
        except asyncio.CancelledError:
            pass
        finally:
            site.leave()


def _call_hook(url: str, hook: Sequence[str], run: str) -> None:
    """Tell the person's command that a job has ended or asks; on a connection of its own, beside the loop."""
    from agent.background import call_hook

    archive = PostgresArchive(Database(url))
    with contextlib.closing(archive.database):
        if archive.is_job(run):
            call_hook(hook, archive.open(run)[1])
