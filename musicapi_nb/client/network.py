"""How connections are made: through which proxy, with which certificates, and where links lead."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import ipaddress
import os
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import yarl

from musicapi_nb import markup
from musicapi_nb.errors import InvalidRequest, Problem

Certificates: TypeAlias = ssl.SSLContext | str | os.PathLike[str]
_SUBJECT = "the request"
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# VPN programs answer DNS with this range, and route it to the public host (RFC 2544 reserves it).
_VPN_RANGE = ipaddress.ip_network("198.18.0.0/15")


class PrivateAddressError(Exception):
    """A link leads to this machine or a private network. The text is the host."""


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """The arguments of a client that concern its connections; environment variables by default.

    The environment is read for each request, so that a variable may be set in a later cell.
    """

    proxy: str | None = dataclasses.field(default=None, repr=False)  # may hold a password
    certificates: ssl.SSLContext | None = None

    def options(self, url: yarl.URL) -> Mapping[str, Any]:
        """Return the arguments of an aiohttp request for its proxy and certificates."""
        context = self.certificates or _context(
            os.getenv("SSL_CERT_FILE"), os.getenv("SSL_CERT_DIR")
        )
        return {"proxy": self.proxy_for(url)[0], "ssl": context}

    def proxy_for(self, url: yarl.URL) -> tuple[str | None, str]:
        """Return the proxy for a URL, or None, and the name of the setting that it is from.

        HTTPS_PROXY and NO_PROXY count, but not for http on this machine: that is a simulator.
        """
        if self.proxy is not None:
            return self.proxy, "proxy="
        host = url.host or ""
        if (url.scheme == "http" and is_loopback(host)) or urllib.request.proxy_bypass(host):
            return None, ""
        name = f"{url.scheme.upper()}_PROXY"
        proxy = urllib.request.getproxies().get(url.scheme)
        return (_parse_proxy(proxy, name) if proxy else None), name

    def describe_proxy(self, url: yarl.URL) -> str:
        """Return " through the proxy ..." without its password; "" if there is no proxy."""
        proxy, setting = self.proxy_for(url)
        if proxy is None:
            return ""
        return f" through the proxy {yarl.URL(proxy).with_user(None)} ({setting})"


def parse_network(proxy: str | None, certificates: Certificates | None) -> Network:
    """Check the arguments `proxy` and `ssl`; errors do not show the proxy's password."""
    if proxy is not None:
        proxy = _parse_proxy(proxy, "proxy")
    if certificates is None or isinstance(certificates, ssl.SSLContext):
        return Network(proxy, certificates)
    try:
        path = Path(certificates).expanduser()
        return Network(proxy, ssl.create_default_context(cafile=path))
    except (OSError, TypeError, ValueError) as error:  # ssl.SSLError is an OSError
        message = (
            f"must be an ssl.SSLContext or a PEM file of certificate authorities ({error!s:.100})"
        )
        raise InvalidRequest(_SUBJECT, [Problem("ssl", message)]) from None


def _parse_proxy(proxy: str, setting: str) -> str:
    if isinstance(proxy, str) and proxy.isprintable():
        with contextlib.suppress(ValueError):
            url = yarl.URL(proxy if "://" in proxy else f"http://{proxy.strip()}")
            check_host(url)
            if url.scheme in {"http", "https"} and url.host and url.port:
                return str(url)
    message = "must be http://host:port (an HTTP proxy, not SOCKS)"
    raise InvalidRequest(_SUBJECT, [Problem(setting, message)])


@functools.lru_cache(maxsize=4)
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:  # noqa: ARG001 - the cache's key
    """Return a context that OpenSSL fills from SSL_CERT_FILE and SSL_CERT_DIR, or the system."""
    return ssl.create_default_context()


def check_host(url: yarl.URL) -> None:
    """Raise UnicodeError (a ValueError) for a host such as ".a", which no resolver accepts."""
    (url.raw_host or "").encode("idna")


def is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class _Resolver(aiohttp.ThreadedResolver):
    """Refuses names whose addresses are private. `trusted` are hosts that the user named."""

    def __init__(self, trusted: set[str]) -> None:
        super().__init__()
        self._trusted = trusted

    async def resolve(self, host: str, *args: Any, **options: Any) -> Any:
        results = await super().resolve(host, *args, **options)
        if host not in self._trusted:
            for result in results:
                address = str(result["host"])
                if markup.is_private(address) and not _is_vpn(address):
                    raise PrivateAddressError(host)
        return results


def _is_vpn(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]) in _VPN_RANGE


class LinkOpener:
    """Opens links that others chose. Private addresses are refused, also after redirects.

    Parameters
    ----------
    network
        Proxy and certificates.
    service
        A base URL whose own host and port are not refused.
    local
        Refuse nothing: the links are those of a simulator.
    """

    def __init__(
        self, network: Network, service: yarl.URL | None = None, *, local: bool = False
    ) -> None:
        self._network = network
        self._service = service
        self._local = local
        self._trusted = {service.host or ""} if service else set()

    def connector(self) -> aiohttp.TCPConnector:
        """Return a connector of the running loop that checks the addresses of host names."""
        return aiohttp.TCPConnector(resolver=None if self._local else _Resolver(self._trusted))

    async def open(
        self, session: aiohttp.ClientSession, method: str, url: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Send a GET or HEAD, follow redirects and return the reply, whose body is unread.

        Raise `PrivateAddressError`, or `aiohttp.TooManyRedirects` and other errors of aiohttp.
        """
        target = _parse(url)
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(target)
            proxy, _ = self._network.proxy_for(target)
            if proxy is not None:
                self._trusted.add(yarl.URL(proxy).host or "")
            reply = await session.request(
                method, target, allow_redirects=False, **self._network.options(target), **options
            )
            location = reply.headers.get("Location")
            if reply.status not in _REDIRECTS or not location:
                return reply
            reply.release()
            target = target.join(_parse(location))
        raise aiohttp.TooManyRedirects(reply.request_info, reply.history)

    def _check(self, url: yarl.URL) -> None:
        if url.scheme not in {"http", "https"} or not url.host:
            raise aiohttp.InvalidURL(url)
        if self._local or not markup.is_private(url.host):
            return
        service = self._service
        if service is None or (url.scheme, url.port) != (service.scheme, service.port):
            raise PrivateAddressError(url.host)
        if url.host != service.host and not (is_loopback(url.host) and is_loopback(service.host)):
            raise PrivateAddressError(url.host)
        self._trusted.add(url.host)


def _parse(url: str) -> yarl.URL:
    try:
        return yarl.URL(url)
    except ValueError:
        raise aiohttp.InvalidURL(url) from None
