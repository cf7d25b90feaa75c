"""A technician's capture: lines of hex, a recording, or raw bytes; what is wrong is named with its line."""

import io
import json
from pathlib import Path

import pytest

from hub.cli import main
from hub.cli.capture import Frame, frames
from hub.domain.errors import MalformedError

DOOR = "55000707017ad50801825dab0001ffffffff2d0093"
SHUT = "55000707017ad50901825dab0001ffffffff2d0007"


def test_lines_of_hex_comments_and_a_recording_may_stand_in_one_file() -> None:
    text = '# a walk through the flat\n\n40 01 64\n{"recording":1,"salt":"x"}\n'
    text += '{"driver":"bthome","address":"C0:00:00:00:00:01","place":"2a35","hex":"ff"}\n'
    text += '{"driver":"enocean","hex":"55"}\n{"driver":"bthome","withheld":9}\n0x4001\n'
    text += '{"driver":"bthome","service_data":{"fcd2":"4002"}}\n'
    assert list(frames(text.encode(), "bthome")) == [
        Frame(3, b"\x40\x01\x64"),
        Frame(5, b"\xff", "C0:00:00:00:00:01", "2a35", "bthome"),
        Frame(8, b"\x40\x01"),
        Frame(9, b"\x40\x02", driver="bthome"),
    ]


@pytest.mark.parametrize("line", ["4g", "404", "{", '{"hex":3}', '{"hex":"4"}'])
def test_a_line_that_is_neither_is_named(line: str) -> None:
    with pytest.raises(MalformedError, match=r"^line 2: "):
        list(frames(f"40\n{line}\n".encode(), "bthome"))


def test_a_serial_line_is_one_stream_wherever_the_lines_are_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "capture.txt"
    stream = DOOR + SHUT
    for cut in (2, 20, len(DOOR)):
        path.write_text(f"{stream[:cut]}\n{stream[cut:]}\n")
        assert main(["decode", "enocean", "--file", str(path)]) == 0
        kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
        assert kinds == ["door.opened", "door.closed"]


def test_raw_bytes_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes.fromhex(DOOR))))
    assert main(["decode", "enocean", "--file", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "door.opened"


def test_a_bad_frame_of_a_capture_is_named_with_line_and_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "capture.txt"
    path.write_text("4001643a01\n400164ff\n4001633a02\n")
    assert main(["decode", "bthome", "--file", str(path)]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["line"] for line in out.splitlines() if "alarm" in line] == [1, 3]
    assert "hub: line 2: byte 3" in err


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["decode", "bthome"], "give either the bytes or --file"),
        (["decode", "bthome", "40", "--file", "x"], "give either the bytes or --file"),
        (["decode", "bthome", "--file", "no-such-file"], "--file no-such-file: No such file"),
    ],
)
def test_what_is_missing_is_said(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    assert complaint in capsys.readouterr().err
