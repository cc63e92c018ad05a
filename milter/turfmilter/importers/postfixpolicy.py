"""What Postfix's main.cf and access tables decide, as a configuration of ours.

See postconf(5), access(5), cidr_table(5) and SMTPD_ACCESS_README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from turfmilter.core.table.entry import Entry, Where
from turfmilter.core.table.pattern import PatternError, parse_host
from turfmilter.importers.accessmap import NO_WORD, Does, Row, Senders, add_client, client_entry, drop_needless, rows
from turfmilter.importers.draft import Draft, Unreadable
from turfmilter.importers.maincf import LISTED, PARENT_STYLE, Received, words
from turfmilter.importers.mastercf import MasterService
from turfmilter.importers.postfix import never_reached

_RELAY = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
_LISTS = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    *_RELAY,
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
)
_LIMITS = {"smtpd_recipient_limit": "recipients_per_message", "message_size_limit": "message_size"}
# Limits over time, which anvil(8) counts, and what belongs to them.
_RATES = (
    "smtpd_client_connection_count_limit",
    "smtpd_client_connection_rate_limit",
    "smtpd_client_message_rate_limit",
    "smtpd_client_recipient_rate_limit",
    "smtpd_client_auth_rate_limit",
    "smtpd_client_new_tls_session_rate_limit",
    "smtpd_client_event_limit_exceptions",
    "anvil_rate_time_unit",
)
PARAMETERS = (*_LISTS, *_LIMITS, *_RATES, "mynetworks", PARENT_STYLE)

# Restrictions that are part of what every configuration of ours does.
_CARRIED = {
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_auth_destination",
    "reject_unauth_destination",
    "defer_unauth_destination",
}
_STRANGERS = {"reject_unauth_destination", "defer_unauth_destination", "reject", "defer"}
_WITH_ARGUMENT = re.compile(r"check_\w+|(?:reject|permit)_(?:rbl|rhsbl|dnswl|rhswl)\w*|sleep|warn_if_reject", re.I)
_ACCESS = {"check_client_access": "client", "check_sender_access": "sender"}
# The nearest that there is here for restrictions of Postfix.
_NEAREST = {
    "reject_unknown_client_hostname": '`check = "require"` in [reverse_name] is similar',
    "reject_unknown_client": '`check = "require"` in [reverse_name] is similar',
    "reject_unauthenticated_sender_login_mismatch": "",
}
_STAYS = "Postfix still applies it"
_TABLE = re.compile(r"(?:proxy:)*(?P<kind>[a-z][a-z0-9_]*):(?P<name>/.*)", re.DOTALL)
_ACTIONS = (
    (re.compile(r"(?:REJECT|5\d\d)(?!\w)(?P<text>.*)", re.I | re.S), Does.REFUSE),
    (re.compile(r"OK(?!\w).*|(?![45]\d\d\Z)\d+", re.I | re.S), Does.ACCEPT),
    (re.compile(r"DUNNO(?!\w).*", re.I | re.S), Does.LEAVE),
    (re.compile(r"DISCARD(?!\w).*", re.I | re.S), Does.DISCARD),
    (re.compile(r"HOLD(?!\w).*", re.I | re.S), Does.HOLD),
)


@dataclass(frozen=True)
class PostfixPolicy:
    """What is known of a Postfix.

    `parameters` have their values with all variables expanded; `places` are the lines of those that main.cf sets.
    `received` are its domains, `services` those of master.cf.  `lines` reads a file, and raises Unreadable.
    """

    parameters: Mapping[str, str]
    places: Mapping[str, Where]
    received: Received
    services: Sequence[MasterService]
    lines: Callable[[str], Sequence[str]]
    quarantine: str
    senders: Senders = field(default_factory=Senders)

    def draft(self, origin: str, domains: Sequence[str]) -> Draft:
        """Return the configuration that decides the same, as far as there are rules for it.

        `domains` are further domains for which this host receives mail.
        """
        draft = Draft(origin)
        self._domains(draft, domains)
        self._relay(draft)
        self._restrictions(draft)
        self._limits(draft)
        for service in self.services:
            self._service(service, draft)
        self.senders.finish(draft, self.quarantine)
        drop_needless(draft)
        draft.problems += self.received.problems
        return draft

    def _place(self, name: str) -> Where:
        return self.places.get(name, Where(f"main.cf {name}"))

    def _domains(self, draft: Draft, domains: Sequence[str]) -> None:
        for domain in domains:
            draft.add("domains", domain, Where("--domain"))
        for entry in self.received.entries:
            draft.add("domains", _written(entry), entry.where)
        for name, table in self.received.unlisted:
            wrong = "the domains in this table cannot be listed"
            draft.lost(self._place(name), table, wrong, "write them to a file with a command, and add it to domains")
        draft.require_domains()

    def _relay(self, draft: Draft) -> None:
        given = {name: set(words(self.parameters.get(name, ""))) for name in _RELAY}
        every = {word.lower() for one in given.values() for word in one}
        draft.set("relay.default", "deny")
        draft.set("relay.allow", [])
        draft.set("relay.authenticated", "permit_sasl_authenticated" in every)
        if "permit_mynetworks" in every:
            self._networks(draft)
        if not every & _STRANGERS:
            wrong = "nothing in them refuses relaying, so every client may relay; here, only those of mynetworks may"
            draft.lost(self._place(_RELAY[0]), " and ".join(_RELAY), wrong, "check who relays through this host")

    def _networks(self, draft: Draft) -> None:
        found: list[Entry] = []
        value, place = self.parameters.get("mynetworks", ""), self._place("mynetworks")
        for text, where, exception in self._members(value, place, draft):
            try:
                found.append(Entry(text, parse_host(client_entry(text)), where, exception))
            except PatternError as error:
                draft.lost(where, text, error.wrong, error.meant)
        hidden = _hidden(found, draft)
        for one in found:
            if (one.where, one.text) not in hidden:
                draft.add("relay.allow", f"{'!' if one.exception else ''}{client_entry(one.text)}", one.where)

    def _members(
        self, value: str, where: Where, draft: Draft, *, exception: bool = False, within: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, Where, bool]]:
        """Yield the networks in a list, their places, and whether they are exceptions; files and tables are read.

        `within` are the files in which the list is.
        """
        for word in words(value):
            body = word.lstrip("!")
            sign = exception ^ (len(word) - len(body)) % 2 == 1
            table = _TABLE.fullmatch(body)
            try:
                if body in within:
                    draft.lost(where, word, "the file names itself")
                elif body.startswith("/"):
                    for number, line in enumerate(self.lines(body), 1):
                        if not line.lstrip().startswith("#"):
                            inner, place = (*within, body), Where(body, number)
                            yield from self._members(line, place, draft, exception=sign, within=inner)
                elif table:
                    yield from ((row.key, row.where, sign) for row in self._rows(table))
                else:
                    yield body, where, sign
            except Unreadable as error:
                draft.lost(where, word, str(error))

    def _rows(self, table: re.Match[str]) -> list[Row]:
        """Return the entries of a table from its source.  Raises Unreadable."""
        if table["kind"] not in LISTED | {"cidr"}:
            raise Unreadable(f"a table of type {table['kind']}, whose entries cannot be listed")
        found = list(rows(self.lines(table["name"]), table["name"]))
        if any(row.key.lower() in ("if", "endif") for row in found):
            raise Unreadable("a table with conditions (if, endif)")
        return found

    def _restrictions(self, draft: Draft) -> None:
        for name in _LISTS:
            where = self._place(name)
            for restriction, argument in _pairs(self.parameters.get(name, "")):
                lower = restriction.lower()
                if lower in _ACCESS:
                    self._access(argument, _ACCESS[lower], where, draft)
                elif lower in _CARRIED or lower == "permit" or (name in _RELAY and lower in _STRANGERS):
                    continue
                else:
                    text = f"{name}: {restriction} {argument}".strip()
                    draft.lost(where, text, f"{NO_WORD}; {_STAYS}", _NEAREST.get(lower, ""))

    def _access(self, argument: str, kind: str, where: Where, draft: Draft) -> None:
        table = _TABLE.fullmatch(argument)
        try:
            if not table:
                raise Unreadable("not a table with a file")
            found = self._rows(table)
        except Unreadable as error:
            draft.lost(where, argument, str(error), f"write its entries in a file of your own; {_STAYS}")
            return
        decided = [(row, does) for row in found if (does := self._action(row, draft))]
        hidden = set()
        if table["kind"] == "cidr":  # the first match decides there; in other tables the most specific, as here
            hidden = _hidden([entry for row, does in decided for entry in _entry(row, does)], draft)
        for row, does in decided:
            if (row.where, row.key) in hidden:
                continue
            if kind == "client":
                add_client(draft, row, does, below=self._below)
            else:
                self.senders.add(draft, row, does, below=self._below)

    def _action(self, row: Row, draft: Draft) -> Does | None:
        """Return what an entry does; report one for which there is no word, and a text of its own."""
        for pattern, does in _ACTIONS:
            found = pattern.fullmatch(row.value)
            if found:
                if does is Does.REFUSE and found["text"].strip():
                    draft.warn(row.where, str(row), "rejects with a text of its own; here, all entries have one reply")
                return does
        draft.lost(row.where, str(row), f"{NO_WORD}; {_STAYS}")
        return None

    @property
    def _below(self) -> bool:
        """True if a domain in an access table covers its subdomains; otherwise ".domain" means them."""
        return "smtpd_access_maps" in words(self.parameters.get(PARENT_STYLE, ""))

    def _limits(self, draft: Draft) -> None:
        for name, key in _LIMITS.items():
            value = self.parameters.get(name, "")
            if value.isdigit():
                draft.set(f"limits.{key}", int(value), f"{name} of Postfix.")
            elif value:
                draft.lost(self._place(name), f"{name} = {value}", "not a number")
        for name in (name for name in _RATES if name in self.places):
            text = f"{name} = {self.parameters.get(name, '')}"
            draft.lost(self.places[name], text, f"limits over time are left to the MTA; {_STAYS}")

    def _service(self, service: MasterService, draft: Draft) -> None:
        """Report the restrictions that master.cf sets for one service, which has a listener of its own here."""
        if not service.takes_mail:
            return
        for name in (*_LISTS, *_LIMITS, *_RATES, "mynetworks"):
            if name in service.options:
                text = f"-o {name}={service.options[name]}"
                meant = "write a [listener.NAME] section for its port"
                draft.lost(Where(str(service)), text, "a setting of one service only", meant)


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    """Yield the restrictions of a list, each with its argument, "" for none; braces may enclose both."""
    waiting = ""
    for word in words(value):
        inner = [*words(word.strip("{} "))] if word.startswith("{") else [word]
        for one in inner:
            if waiting:
                yield waiting, one
                waiting = ""
            elif _WITH_ARGUMENT.fullmatch(one):
                waiting = one
            elif re.match(r"[a-z]\w*:/", one):
                yield "check_recipient_access", one  # in recipient restrictions, a table alone: postconf(5)
            else:
                yield one, ""
    if waiting:
        yield waiting, ""


def _written(entry: Entry) -> str:
    """Return a domain for which Postfix receives mail as an entry of ours."""
    name = getattr(entry.pattern, "domain", None)
    text = entry.text.strip("![]").removeprefix("IPv6:") if name is None else name
    exact = "=" if getattr(entry.pattern, "exact", False) else ""
    return f"{'!' if entry.exception else ''}{exact}{text}"


def _hidden(entries: Sequence[Entry], draft: Draft) -> set[tuple[Where, str]]:
    """Report the entries that Postfix never reaches, because an earlier one decides; return their places and texts."""
    found = list(never_reached(entries))
    draft.problems += found
    return {(problem.where, problem.entry) for problem in found}


def _entry(row: Row, does: Does) -> list[Entry]:
    try:
        return [Entry(row.key, parse_host(client_entry(row.key)), row.where, does is not Does.REFUSE)]
    except PatternError:
        return []
