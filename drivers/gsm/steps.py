"""How a modem is started: a table.

Sources: 3GPP TS 27.007 (``+CMEE`` 9.1, ``+CPIN`` 8.3) and TS 27.005 (``+CMGF`` 3.2.3, ``+CPMS`` 3.2.2,
``+CNMI`` 3.4.1).
"""

from typing import NamedTuple


class Step(NamedTuple):
    """One thing to set; the forms are tried in this order until the modem takes one."""

    forms: tuple[str, ...]
    needed: bool = True
    timeout_s: float = 5.0


SIM = Step(("AT+CPIN?",), timeout_s=10.0)
STEPS = (
    Step(("ATE0",), needed=False),
    Step(("AT+CMEE=1",), needed=False),
    SIM,
    Step(("AT+CMGF=0",)),
    Step(('AT+CPMS="SM","SM","SM"', 'AT+CPMS="ME","ME","ME"'), needed=False, timeout_s=10.0),
    # Notices of texts, and reports stored like them; else reports come at once and unstored.
    Step(("AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,1,0", "AT+CNMI=1,1,0,1,0", "AT+CNMI=2,1"), timeout_s=10.0),
)
