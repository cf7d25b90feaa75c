"""Reads an address for e-mail, with what a mail's heading is made of: what passes here can be written to."""

from email.errors import MessageError
from email.headerregistry import Address

from hub.domain.errors import MalformedError

_WANTED = "write one address for e-mail, such as nord-1-duty@kommune.example"


def mailbox(text: str) -> Address:
    """Return the address of one mailbox (RFC 5322, section 3.4.1, with nothing around it).

    Raises:
        MalformedError: It is none, or more than one; the sentence does not repeat it.
    """
    try:
        address = Address(addr_spec=text)
    except (MessageError, ValueError, AttributeError, IndexError) as error:
        # Of much that is no address the parser says so; over some of it it stumbles.
        raise MalformedError(_WANTED) from error
    if not (address.username and address.domain and text.isascii()) or address.addr_spec != text:
        raise MalformedError(_WANTED)
    return address
