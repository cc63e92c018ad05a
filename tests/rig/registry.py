"""Registry exports as regedit writes them, in both versions and encodings."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence

KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
Data = int | str | Sequence[str]


def export(values: Mapping[str, Data], *, version: int = 5, key: str = KEY, ansi: bool | None = None) -> bytes:
    """The bytes of a .reg file; regedit writes version 4 in ANSI and version 5 in UTF-16 with a byte order mark."""
    first = "REGEDIT4" if version == 4 else "Windows Registry Editor Version 5.00"
    lines = [f'"{name}"={_data(data, version)}' for name, data in values.items()]
    text = "".join(f"{line}\n" for line in [first, "", f"[{key}]", *lines, ""]).replace("\n", "\r\n")
    if version == 4 if ansi is None else ansi:
        return text.encode("cp1252")
    return codecs.BOM_UTF16_LE + text.encode("utf-16-le")


def _data(data: Data, version: int) -> str:
    if isinstance(data, int):
        return f"dword:{data:08x}"
    if isinstance(data, str):
        escaped = data.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    octets = "".join(f"{text}\0" for text in (*data, "")).encode("cp1252" if version == 4 else "utf-16-le")
    words = [f"{octet:02x}" for octet in octets]
    lines = [",".join(words[i : i + 20]) for i in range(0, len(words), 20)]
    return "hex(7):" + ",\\\n  ".join(lines)
