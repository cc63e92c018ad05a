"""The domains, filters and listeners in sendmail.cf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_CLASS = re.compile(r"(?:\{(?P<long>[^}]+)\}|(?P<short>\w))(?P<rest>.*)")
_OPTION = re.compile(r"O\s*(?P<name>[\w.]+)\s*=\s*(?P<value>.*)")
# A rule of check_rcpt; with FEATURE(`relay_hosts_only') it lacks the first variable, which matches subdomains.
_RELAYS_BELOW = re.compile(r"(?m)^R\$\+ < @ \$\* \$=R >")


@dataclass(frozen=True, slots=True)
class Filter:
    """One `X` line: the filter's name, and its equates S (socket), F (action while it is down) and T (timeouts)."""

    name: str
    equates: Mapping[str, str]

    @property
    def waits(self) -> Mapping[str, str]:
        """The timeouts by their letters C, S, R and E, as written ("10m")."""
        pairs = (part.partition(":") for part in self.equates.get("T", "").split(";"))
        return {letter.strip(): value.strip() for letter, _, value in pairs if letter.strip()}


@dataclass(frozen=True, slots=True)
class SendmailCf:
    """The contents of a sendmail.cf.

    `filters` are all that are defined, `asked` the names in InputMailFilters in their order.  `daemons` are the
    equates of each DaemonPortOptions (N name, A address, P port, I filters).  `relays_below` is True if a domain in
    class R covers its subdomains.  `luser_relay` receives the mail for unknown local users (LUSER_RELAY), "" for none.
    """

    filters: tuple[Filter, ...]
    asked: tuple[str, ...]
    daemons: tuple[Mapping[str, str], ...]
    relays_below: bool
    luser_relay: str
    _members: tuple[tuple[str, str], ...]
    _files: tuple[tuple[str, str], ...]

    def members(self, name: str) -> Iterator[str]:
        """Yield the words of the class `name` ("w", "R") that sendmail.cf itself contains."""
        for inner in self._classes(name):
            yield from (word for key, word in self._members if key == inner and "$" not in word)

    def files(self, name: str) -> Iterator[str]:
        """Yield the paths of the files with words of the class; programs and maps are left out."""
        for inner in self._classes(name):
            yield from (path for key, path in self._files if key == inner and path.startswith("/"))

    def _classes(self, name: str) -> dict[str, None]:
        """Return the class and all classes that it includes (`CR$={VirtHost}`)."""
        found = {name: None}
        waiting = [name]
        while waiting:
            current = waiting.pop()
            for key, word in self._members:
                inner = word.removeprefix("$=").strip("{}")
                if key == current and word.startswith("$=") and inner not in found:
                    found[inner] = None
                    waiting.append(inner)
        return found


def read_sendmail_cf(text: str) -> SendmailCf:
    """Parse the text of a sendmail.cf.  Lines that are not understood are skipped."""
    members: list[tuple[str, str]] = []
    files: list[tuple[str, str]] = []
    filters: list[Filter] = []
    daemons: list[Mapping[str, str]] = []
    asked: tuple[str, ...] = ()
    luser_relay = ""
    for line in re.sub(r"\n[ \t]+", " ", text).splitlines():  # an indented line continues the previous one
        option = _OPTION.match(line)
        if line[:1] in ("C", "F"):
            _read_class(line, members, files)
        elif line.startswith("Dj") and "$" not in line:
            members.append(("w", line[2:].strip()))  # Sendmail adds its own name to class w
        elif line.startswith("DL"):
            luser_relay = line[2:].strip()
        elif line.startswith("X"):
            name, _, equates = line[1:].partition(",")
            filters.append(Filter(name.strip(), _equates(equates)))
        elif option and option["name"] == "InputMailFilters":
            asked = names_of_filters(option["value"])
        elif option and option["name"] == "DaemonPortOptions":
            daemons.append(_equates(option["value"]))
    below = bool(_RELAYS_BELOW.search(text))
    return SendmailCf(tuple(filters), asked, tuple(daemons), below, luser_relay, tuple(members), tuple(files))


def names_of_filters(value: str) -> tuple[str, ...]:
    """Return the names in a value of InputMailFilters, or in an I equate, where ";" separates them."""
    return tuple(name.strip() for name in re.split("[,;]", value) if name.strip())


def _read_class(line: str, members: list[tuple[str, str]], files: list[tuple[str, str]]) -> None:
    found = _CLASS.fullmatch(line[1:])
    if not found:
        return
    name, rest = found["long"] or found["short"], found["rest"].strip()
    if line[0] == "C":
        members.extend((name, word) for word in rest.split())
    elif rest:
        path = rest.removeprefix("-o").split()  # -o: the file is optional
        files.append((name, path[0] if path else ""))


def _equates(text: str) -> dict[str, str]:
    """Return the values of equates by the first letter of their names, which is all that Sendmail reads."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip()[0].upper(): value.strip() for name, _, value in pairs if name.strip()}
