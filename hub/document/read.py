"""Reads a site file: TOML into :class:`hub.central.site.model.Site`; all that is wrong is told at once."""

import pathlib
import tomllib
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from hub.document.findings import DocumentError, Finding, Lines, Path, place
from hub.domain.errors import MalformedError

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES = 4 * 1024 * 1024

_TYPE_WORDS = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
}


def read(text: str, model: type[T], name: str) -> T:
    """Read a document. What its parts must satisfy together is for the caller.

    Args:
        text: The document.
        model: A struct whose fields are its keys and tables.
        name: What to call it in an error.

    Raises:
        DocumentError: It is no TOML, or tables, keys or types are not as they must be; every place is named.
    """
    lines = Lines(text)
    if len(text) > MAX_BYTES:
        raise DocumentError(name, [_error((), f"is larger than {MAX_BYTES} bytes; this cannot be meant")], lines)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DocumentError(name, [_error((), f"is no TOML: {error}")], lines) from error
    found: list[Finding] = []
    _read(document, model, (), "", found)
    if found:
        raise DocumentError(name, found, lines)
    try:
        return msgspec.convert(document, model)
    except msgspec.ValidationError as error:  # nothing above saw it; msgspec says where
        raise DocumentError(name, [_error((), str(error))], lines) from error


def read_file(path: pathlib.Path, model: type[T]) -> T:
    """Read a document from a file.

    Raises:
        MalformedError: The file cannot be read.
        DocumentError: What is in it cannot be used; every place is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MalformedError(
            f"{path}: cannot be read ({error.strerror}): make the file, or name another"
        ) from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: is no TOML: byte {error.start} is not UTF-8") from error
    return read(text, model, str(path))


def _error(path: Path, text: str, name: str = "", *, table: bool = True) -> Finding:
    """Make a finding; a path of one part is a table, unless told that it is a key."""
    where = place(path, name) if table or len(path) > 1 else f'key "{path[0]}"'
    return Finding("error", where, text, path)


def _read(table: Any, model: type[msgspec.Struct], path: Path, name: str, found: list[Finding]) -> None:  # noqa: ANN401 - what TOML holds
    """Compare a table with its model, and go into the tables within."""
    if not isinstance(table, dict):
        found.append(_error(path, "is no table", name))
        return
    if len(path) == 2 and isinstance(table.get("id"), str):
        name = table["id"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(model)}
    found += [
        _error((*path, key), f"unknown key; {_meant(key, list(fields))}", name)
        for key in table
        if key not in fields
    ]
    for key, field in fields.items():
        if key not in table:
            if field.required:
                text = "is missing; write it"
                found.append(_error((*path, key), text, name, table=_is_table(field.type)))
            continue
        _read_value(table[key], field.type, (*path, key), name, found)


def _read_value(value: Any, kind: Any, path: Path, name: str, found: list[Finding]) -> None:  # noqa: ANN401 - what TOML holds
    inner = get_args(kind)[0] if get_origin(kind) is tuple else None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        _read(value, kind, path, name, found)
    elif inner is not None and isinstance(value, list):
        tables = isinstance(inner, type) and issubclass(inner, msgspec.Struct)
        for number, item in enumerate(value):
            _read_value(item, inner, (*path, number) if tables else path, name, found)
    elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        word = path[-1]
        found.append(_error(path, f"is one table; write [[{word}]] with two brackets", name))
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            found.append(_error(path, _what(value, kind, error), name, table=False))


def _is_table(kind: Any) -> bool:  # noqa: ANN401 - a field's type
    inner = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return isinstance(inner, type) and issubclass(inner, msgspec.Struct)


def _what(value: object, kind: object, error: msgspec.ValidationError) -> str:
    choices = [str(word) for word in get_args(kind)] if get_origin(kind) is Literal else []
    if choices:
        return f"{value!r} is not known; {_meant(str(value), choices)}"
    text = str(error).partition(" - at ")[0]
    expected, _, got = text.removeprefix("Expected ").partition(", got ")
    words = [_TYPE_WORDS.get(word, word) for word in expected.strip("`").split(" | ") if word != "null"]
    if got:
        return f"{value!r} is {_TYPE_WORDS.get(got.strip('`'), got)}; write {' or '.join(words)}"
    return text


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known)}"
