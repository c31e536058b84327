"""The tool that fetches a page; `tools.fetch` does it, and is imported when it is asked."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["fetch_url"]

_private_hosts: frozenset[str] = frozenset()


def allow_private(hosts: Iterable[str]) -> None:
    """Hosts (`name`, or `name:port`) that may be fetched from although their addresses are not public."""
    global _private_hosts
    _private_hosts = frozenset(host.lower() for host in hosts)


def fetch_url(url: str) -> str:
    """Fetch a web page and return its text.

    Asked as: fetch …; fetch the page …; fetch the url …; download the page …; get the web page …

    Effect: network
    Destinations: url
    Outside: everything

    Args:
        url: the address, with http:// or https://.
    """
    from tools.fetch import fetch

    return fetch(url, _private_hosts)
