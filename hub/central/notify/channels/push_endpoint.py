"""Where a push may go: what a browser calls its endpoint is posted to by us, from inside the municipal network.

Whoever is signed in could name any address. So it must be https at a public host, when it is told and again each
time something is sent: the name's addresses are asked for then, and the request goes to the very one that was
found public, whatever the name means a moment later.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

import httpx

from hub.central.notify.channels import http
from hub.domain.errors import MalformedError, RefusedError, TransientError

# Those of today's push services have 200 to 500 characters.
_LONGEST = 1024
_HTTPS = 443
_LONGEST_LABEL = 63  # RFC 1035, 2.3.4
# An IPv4 address within an IPv6 one (RFC 6052), besides those that Python knows.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def origin(endpoint: str) -> str:
    """Return the origin of an address (RFC 6454), as its push service calls itself."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}".lower().removesuffix(f":{_HTTPS}")


def check(endpoint: str, own: Collection[str]) -> None:
    """Check what a browser calls its endpoint. Pure: whether its host is public is asked when something is sent.

    Args:
        endpoint: The address.
        own: Origins of push services of the municipality's own, to which anything may be sent.

    Raises:
        MalformedError: Nothing is ever sent there; the sentence says why, without the address.
    """
    if len(endpoint) > _LONGEST or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise MalformedError(f"the endpoint is no address of at most {_LONGEST} characters")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise MalformedError("the endpoint is no address") from error
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise MalformedError("the endpoint holds a user, a password or a fragment")
    if origin(endpoint) in own:
        return
    if parts.scheme != "https" or port not in {None, _HTTPS}:
        raise MalformedError("the endpoint is not https at its usual port")
    if not _is_public_name(parts):
        raise MalformedError("the endpoint's host is no public name")


async def request(endpoint: str, own: Collection[str], headers: dict[str, str], content: bytes) -> httpx.Request:
    """Return the request that posts to an endpoint, with the address of its host in it.

    Raises:
        MalformedError: As :func:`check` says.
        RefusedError: Its host is one of ours, or of this machine.
        TransientError: Its host's name is not known just now.
    """
    check(endpoint, own)
    if origin(endpoint) in own:
        return httpx.Request("POST", endpoint, headers=headers, content=content)
    url = httpx.URL(endpoint)
    host = url.raw_host.decode("ascii")  # as it is asked for, which `host` is not always
    address = await _public_address(host)
    return httpx.Request(
        "POST",
        url.copy_with(host=address),
        headers={**headers, "Host": url.netloc.decode("ascii")},
        content=content,
        extensions={"sni_hostname": host},  # the certificate is that of the name
    )


def _is_public_name(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # The last part of a public name is no number; ``127.1`` and ``0x7f.1`` are addresses to some libraries.
        labels = host.removesuffix(".").split(".")
        return len(labels) > 1 and all(0 < len(each) <= _LONGEST_LABEL for each in labels) and labels[-1].isalpha()
    return False


async def _public_address(host: str) -> str:
    try:
        async with asyncio.timeout(http.CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, _HTTPS, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
    except OSError as error:  # the time that is over is one
        raise TransientError("the push service's name is not known") from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(_is_public(address) for address in addresses):
        raise RefusedError("the push service's name leads to an address that is not public")
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.teredo:
            return False
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
        ip = inner or ip
    return ip.is_global and not ip.is_multicast
