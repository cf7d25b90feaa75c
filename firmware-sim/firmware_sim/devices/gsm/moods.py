"""What can be done to a modem, by the words of the control line."""

from collections.abc import Mapping

from firmware_sim.devices.base import Action, Arguments, faults_of, whole
from firmware_sim.devices.gsm.modem import GsmModem
from firmware_sim.devices.gsm.network import REPORTS
from firmware_sim.errors import Unfit

_REPORT_MODES = (*REPORTS, "late", "never")


def actions_of(modem: GsmModem) -> Mapping[str, Action]:
    """Return the actions of a modem."""

    async def text(arguments: Arguments) -> None:
        without = whole(arguments, "without", 0, 255, 0)
        modem.network.text(
            _text(arguments, "sender"),
            _text(arguments, "text"),
            order=_text(arguments, "order", "straight"),
            twice=arguments.get("twice") is True,
            without=(without,) if without else (),
            wide=arguments.get("wide") is True,
        )

    async def reports(arguments: Arguments) -> None:
        mode = _text(arguments, "mode")
        if mode not in _REPORT_MODES:
            raise Unfit(f"'mode' is one of {', '.join(_REPORT_MODES)}, not {mode!r}")
        modem.network.reports = mode

    async def late_reports(_arguments: Arguments) -> None:
        modem.network.late()

    async def sent(_arguments: Arguments) -> Mapping[str, object]:
        return {"sent": [message._asdict() for message in modem.network.sent]}

    async def signal(arguments: Arguments) -> None:
        modem.rssi = whole(arguments, "rssi", 0, 99)

    async def registration(arguments: Arguments) -> None:
        modem.registration = whole(arguments, "state", 0, 10)
        modem.say(f"+CREG: {modem.registration}")
        modem.deliver()

    async def sim(arguments: Arguments) -> None:
        state = _text(arguments, "state")
        if state not in ("in", "out"):
            raise Unfit(f"'state' is in or out, not {state!r}")
        modem.sim.present = state == "in"
        modem.restart()

    async def refuse(arguments: Arguments) -> None:
        modem.refusals += [whole(arguments, "code", 0, 999)] * whole(arguments, "times", 1, 100, 1)

    return {
        "text": text,
        "reports": reports,
        "late_reports": late_reports,
        "sent": sent,
        "signal": signal,
        "registration": registration,
        "sim": sim,
        "refuse": refuse,
        **_breakdowns(modem),
    }


def _breakdowns(modem: GsmModem) -> Mapping[str, Action]:
    async def prompt(arguments: Arguments) -> None:
        modem.prompt_s = whole(arguments, "delay_ms", 0, 600_000) / 1000

    async def silent(arguments: Arguments) -> None:
        modem.silent = arguments.get("on", True) is True

    async def restart(_arguments: Arguments) -> None:
        modem.restart()

    async def brown_out(_arguments: Arguments) -> None:
        modem.half_a_pdu = True

    async def fill(_arguments: Arguments) -> None:
        modem.fill()

    async def clear(_arguments: Arguments) -> None:
        modem.clear()

    async def vanish(_arguments: Arguments) -> None:
        modem.vanish()

    async def appear(_arguments: Arguments) -> None:
        modem.appear()

    async def fault(arguments: Arguments) -> None:
        modem.cable.faults = faults_of(arguments)

    return {
        "prompt": prompt,
        "silent": silent,
        "restart": restart,
        "brown_out": brown_out,
        "fill": fill,
        "clear": clear,
        "vanish": vanish,
        "return": appear,
        "fault": fault,
    }


def _text(arguments: Arguments, key: str, default: str | None = None) -> str:
    value = arguments.get(key, default)
    if not isinstance(value, str):
        raise Unfit(f"{key!r} must be a text, not {value!r}")
    return value
