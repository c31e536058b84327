"""`zooid worker` on a database: work on what others hand over until asked to end."""

from __future__ import annotations

import asyncio

from agent import signals
from agent.output import Output
from agent.postgres.database import shown
from agent.postgres.site import Site


def serve(site: Site, output: Output) -> int:
    """Work until a signal comes; what is in work then goes to others at once."""
    site.arrive()
    site.note = output.say
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
