"""The relay restrictions and the turf table of Exchange 5.5, from an export of its registry key.

RelayFlags: Q193922, Q206968, Q258140.  TurfTable and TurfDir: Q155683, Q193437, Q193926, Q247296.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from turfmilter.core.table.entry import Where
from turfmilter.core.table.pattern import PatternError, parse_sender
from turfmilter.importers.draft import Draft
from turfmilter.importers.regfile import NotARegFile, RegFile, RegValue

_PLACE = "\\msexchangeimc\\parameters"
_IN_USE = "\\currentcontrolset\\"
_FLAGS, _TURF_TABLE, _TURF_DIRECTORY = "relayflags", "turftable", "turfdir"
# The lists, with the bit of RelayFlags that makes Exchange use each, and our key for it.
_LISTS = {
    "relaydenylist": ("RelayDenyList", 1, "relay.deny"),
    "relayallowlist": ("RelayAllowList", 2, "relay.allow"),
    "relaylocaliplist": ("RelayLocalIPList", 4, "relay.interfaces"),
}
_AUTHENTICATED, _EVERY_FLAG = 8, 15
_NAMES = (_FLAGS, *_LISTS, _TURF_TABLE, _TURF_DIRECTORY)
_SHOWN = "RelayFlags, RelayAllowList, RelayDenyList, RelayLocalIPList, TurfTable or TurfDir"
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_ONE_HOST = "255.255.255.255"  # the mask of an entry without one
_INCOMPLETE = "the list is cut off here, so this entry may be incomplete"
_MAX_GAPS = 8  # bits of a mask that are 0 in front of one that is 1: each doubles the number of networks


def read_exchange(reg: RegFile, source: str, domains: Sequence[str], quarantine: str) -> Draft:
    """Return the configuration whose verdicts are those of Exchange with this registry.  Raises NotARegFile.

    `domains` are those for which this host receives mail, which are in Exchange's directory and not in the registry;
    `quarantine` is the directory for held messages.
    """
    draft = Draft(source)
    values = _values(reg, source, draft)
    for domain in domains:
        draft.add("domains", domain, Where("--domain"))
    flags = _read_flags(values.get(_FLAGS), source, draft, cut=reg.cut)
    for name, (shown, bit, key) in _LISTS.items():
        draft.set(key, [])
        _read_list(values.get(name), shown, key, draft, used=bool(flags & bit))
    _read_turf(values.get(_TURF_TABLE), values.get(_TURF_DIRECTORY), draft, quarantine)
    draft.problems += reg.problems
    if reg.cut:
        wrong = "the file seems to be cut off: its last line does not end"
        draft.lost(Where(source), source, wrong, "export the key again, and compare")
    draft.problems.sort(key=lambda problem: problem.where.line)
    return draft


def _values(reg: RegFile, source: str, draft: Draft) -> dict[str, RegValue]:
    """Return the values of the connector by their names in lower case; report all others."""
    ours = [value for value in reg.values if value.key.lower().endswith(_PLACE)]
    if not any(value.name.lower() in _NAMES for value in ours):
        other = next((value for value in reg.values if value.name.lower() in _NAMES), None)
        found = f"{other.name} in line {other.where.line} is in another key" if other else f"no {_SHOWN} in it"
        raise NotARegFile(f"{source}: {found}; export the key Parameters of the service MSExchangeIMC")
    values: dict[str, RegValue] = {}
    for value in sorted(ours, key=lambda value: _IN_USE not in value.key.lower()):
        name = value.name.lower()
        if name not in _NAMES:
            draft.lost(value.where, value.name, "this value has no counterpart here")
        elif name not in values:
            values[name] = value
        elif values[name].data != value.data:
            used = values[name].where.line
            draft.lost(value.where, value.name, f"another value than in line {used}, which is used")
    return values


def _read_flags(value: RegValue | None, source: str, draft: Draft, *, cut: bool) -> int:
    """Set what depends on RelayFlags alone, and return it; 0 also if it is unknown, but then `default` is "deny"."""
    where = value.where if value else Where(source)
    flags = value.data if value else 0
    default, why = "deny", "No step applies: Exchange denied (RelayFlags {flags})."
    if not isinstance(flags, int) or (cut and (value is None or value.cut)):
        known = "missing, and the file is cut off" if value is None else "not a whole number (REG_DWORD)"
        draft.lost(where, "RelayFlags", f"{known}; no client may relay", "export the key again")
        flags = 0
    elif flags in (0, 1):
        default, why = "allow", _warn_open(flags, where, draft, given=value is not None)
    if flags & ~_EVERY_FLAG:
        unknown = flags & ~_EVERY_FLAG
        draft.lost(where, f"RelayFlags {flags}", f"bits that Exchange did not define ({unknown}) are ignored")
    draft.set("relay.default", default, why.format(flags=flags))
    draft.set("relay.authenticated", bool(flags & _AUTHENTICATED))
    return flags


def _warn_open(flags: int, where: Where, draft: Draft, *, given: bool) -> str:
    """Warn that clients may relay by default, and return the comment for the key."""
    state = f"RelayFlags {flags}" if given else "RelayFlags is absent, which means 0"
    who = "every client except those in RelayDenyList" if flags else "every client"
    wrong = f'{who} may relay; written as default = "allow": an OPEN RELAY, unless the MTA itself rejects mail'
    draft.warn(where, state, wrong, 'list your clients in [relay] allow, and write default = "deny"')
    return f"{state}: {who} could relay. This is an OPEN RELAY, unless the MTA itself rejects mail."


def _read_list(value: RegValue | None, shown: str, key: str, draft: Draft, *, used: bool) -> None:
    for entry, where, whole in _entries(value, draft):
        if not used:
            draft.warn(where, entry, f"{shown} was not in use: its bit of RelayFlags is not set")
        elif not whole:
            draft.lost(where, entry, _INCOMPLETE)
        else:
            _read_network(entry, where, key, draft)


def _read_network(entry: str, where: Where, key: str, draft: Draft) -> None:
    """Add an entry "net[;mask]", which matches a client if `address AND mask == net`."""
    left, _, right = entry.partition(";")
    net, mask = _number(left.strip()), _number(right.strip() or _ONE_HOST)
    if net is None or mask is None:
        draft.lost(where, entry, "not an address with an optional mask, so it matched no client in Exchange")
        return
    if net & ~mask:
        size = f";{IPv4Address(mask)}"
        meant = f"probably meant {IPv4Address(net & mask)}{size}, or {IPv4Address(net)} alone"
        draft.lost(where, entry, "host bits are set, so it matched no client in Exchange (Q258140)", meant)
        return
    networks = _networks(net, mask)
    if networks is None:
        draft.lost(where, entry, "a mask with gaps, for more networks than can be listed", "list the networks meant")
        return
    for network in networks:
        draft.add(key, network, where)


def _number(text: str) -> int | None:
    """Return the number of an IPv4 address, with leading zeros as Windows writes them; None if it is not one."""
    parts = [int(part) for part in text.split(".")] if _ADDRESS.fullmatch(text) else []
    return int.from_bytes(bytes(parts), "big") if parts and max(parts) < 256 else None


def _networks(net: int, mask: int) -> Sequence[str] | None:
    """Return the networks of the addresses for which `address AND mask == net`; None if there are too many.

    A mask may have gaps (255.0.255.0): then each combination of the bits in them is a network.
    """
    low = (mask & -mask).bit_length() - 1 if mask else 32
    gaps = [1 << bit for bit in range(low, 32) if not mask >> bit & 1]
    if len(gaps) > _MAX_GAPS:
        return None
    firsts = [net]
    for bit in reversed(gaps):
        firsts = [first | more for first in firsts for more in (0, bit)]
    size = "" if low == 0 else f"/{32 - low}"
    return [f"{IPv4Address(first)}{size}" for first in sorted(firsts)]


def _read_turf(table: RegValue | None, directory: RegValue | None, draft: Draft, quarantine: str) -> None:
    for entry, where, whole in _entries(table, draft):
        try:
            if whole:
                draft.add("turf.tables", _sender(entry), where)
            else:
                draft.lost(where, entry, _INCOMPLETE)
        except PatternError as error:
            draft.lost(where, entry, error.wrong, error.meant)
    if not draft.entries("turf.tables"):
        return
    place = directory.data if directory else ""
    if isinstance(place, str) and place.strip("\0 "):
        draft.set("turf.directory", quarantine, f"TurfDir was {place}. This directory must exist here.")
    else:
        draft.set("turf.discard", True, "TurfDir was not set: Exchange deleted these messages.")
        where = directory.where if directory else (table.where if table else Where(""))
        wrong = "not set, so Exchange deleted these messages; written as discard = true"
        draft.warn(where, "TurfDir", wrong, f'to hold them instead, write directory = "{quarantine}" in its place')


def _sender(entry: str) -> str:
    """Return an entry of TurfTable in our pattern language.  Raises PatternError."""
    body = entry.removeprefix("#")
    local, at, domain = body.rpartition("@")
    if entry == ".":
        return "<>"
    if re.search(r"[\s\ufeff\ufffd]", entry):
        raise PatternError("blanks, or characters of another encoding, in an entry")
    if body != entry and local:
        raise PatternError('"#" in front of an address, which is exact without it', f"probably meant {body}")
    if local == "*":
        raise PatternError("Exchange had no wildcards, so this matched nothing", f"probably meant @{domain}")
    if body != entry:
        return _valid(f"=@{domain or local}" if at else f"=@{body}")
    if not at:
        if "." in entry:
            meant = f"probably meant @{entry}, or {entry}@ for this local part at any domain"
            raise PatternError('a domain without "@" matched nothing in Exchange', meant)
        return _valid(f"{_local(entry)}@")
    if not domain:
        raise PatternError('nothing follows the "@"', f"probably meant {local}@ at any domain" if local else "")
    return _valid(f"{_local(local)}@{domain}")


def _local(text: str) -> str:
    """Return a local part, in quotes if a character in it has a meaning here that it did not have in Exchange."""
    if text.startswith('"') or not re.search(r'[*()<>\[\]:;,\\"@]|^[!=#.]', text):
        return text
    quoted = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{quoted}"'


def _valid(entry: str) -> str:
    parse_sender(entry)
    return entry


def _entries(value: RegValue | None, draft: Draft) -> Iterator[tuple[str, Where, bool]]:
    """Yield the entries of a list, their place, and whether each is complete; a single text has one in each line."""
    if value is None:
        return
    if isinstance(value.data, int | bytes):
        draft.lost(value.where, value.name, "not a list of texts (REG_MULTI_SZ)", "export the key again")
        return
    texts = value.data.splitlines() if isinstance(value.data, str) else value.data
    entries = [text.strip() for text in texts]
    for number, entry in enumerate(entries, 1):
        if entry:
            yield entry, value.where, not (value.cut and number == len(entries))
