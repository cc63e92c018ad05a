"""What Sendmail's access map, class files and sendmail.mc decide, as a configuration of ours.

See cf/README of Sendmail, "ANTI-SPAM CONFIGURATION CONTROL".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from turfmilter.core.table.entry import Where
from turfmilter.core.table.pattern import Name, PatternError, parse_host
from turfmilter.importers.accessmap import NO_WORD, Does, Row, Senders, add_client, client_entry, drop_needless, rows
from turfmilter.importers.draft import Draft
from turfmilter.importers.sendmailmc import Macro, read_mc

ACCESS, RELAYS, LOCAL, MC = FILES = ("access", "relay-domains", "local-host-names", "sendmail.mc")

_STAYS = "Sendmail still applies it"
_LIMITS = {"confMAX_RCPTS_PER_MESSAGE": "recipients_per_message", "confMAX_MESSAGE_SIZE": "message_size"}
_RATES = ("confCONNECTION_RATE_THROTTLE", "confCONNECTION_RATE_WINDOW_SIZE", "confBAD_RCPT_THROTTLE")
_OVER_TIME = f"limits over time are left to the MTA; {_STAYS}"
# Features that refuse or relay mail and that no key of ours replaces; all others do neither, or are read here.
_FEATURES = {
    "badmx": f"{NO_WORD}; {_STAYS}",
    "block_bad_helo": f"{NO_WORD}; {_STAYS}",
    "blacklist_recipients": f"there is no list of recipients; {_STAYS}",
    "blocklist_recipients": f"there is no list of recipients; {_STAYS}",
    "conncontrol": _OVER_TIME,
    "dnsbl": f"{NO_WORD}; {_STAYS}",
    "enhdnsbl": f"{NO_WORD}; {_STAYS}",
    "greet_pause": f"{NO_WORD}; {_STAYS}",
    "loose_relay_check": "a recipient that hides another address is relayed only if that one is yours too",
    "promiscuous_relay": 'every client may relay, an OPEN RELAY; here, default = "deny"',
    "ratecontrol": _OVER_TIME,
    "relay_based_on_MX": "anyone who controls a domain could let this host relay for it; list such domains in always",
    "relay_entire_domain": "hosts of your own domain may relay; list their networks or =domain in [relay] allow",
    "relay_local_from": "a sender's address is the client's own claim, so no client relays because of it",
    "relay_mail_from": "a sender's address is the client's own claim, so no client relays because of it",
    "require_rdns": '`check = "require"` in [reverse_name] is similar',
}
_TAG = re.compile(r"(?!(?i:IPv6):)(?P<tag>[A-Za-z_]+):(?P<key>.*)", re.DOTALL)
_TAGS_OVER_TIME = {"clientconn", "clientrate"}
_VALUES = (
    (re.compile(r"REJECT", re.I), Does.REFUSE),
    (re.compile(r'(?:ERROR:)?"?(?:\d\.\d{1,3}\.\d{1,3}:)?"?(?P<text>5\d\d\b.*)', re.I | re.S), Does.REFUSE),
    (re.compile(r"OK", re.I), Does.ACCEPT),
    (re.compile(r"SKIP", re.I), Does.LEAVE),
    (re.compile(r"DISCARD(?::.*)?", re.I | re.S), Does.DISCARD),
    (re.compile(r"QUARANTINE:.*", re.I | re.S), Does.HOLD),
)


@dataclass(frozen=True)
class SendmailPolicy:
    """What is known of a Sendmail: the texts of those of FILES that there are, by name."""

    texts: Mapping[str, str]
    quarantine: str
    senders: Senders = field(default_factory=Senders)

    def draft(self, origin: str, domains: Sequence[str]) -> Draft:
        """Return the configuration that decides the same, as far as there are rules for it.

        `domains` are further domains for which this host receives mail.
        """
        draft = Draft(origin)
        macros = list(read_mc(self.texts.get(MC, ""), MC))
        features = {macro.first for macro in macros if macro.name == "FEATURE"}
        if MC not in self.texts:
            draft.lost(Where(MC), MC, "not in this directory, so its limits and features are unknown")
        self._domains(draft, domains, macros, features)
        self._relay(draft, macros, below="relay_hosts_only" not in features)
        self._access(draft, features)
        _limits(draft, macros)
        self.senders.finish(draft, self.quarantine)
        drop_needless(draft)
        draft.require_domains()
        return draft

    def _words(self, name: str) -> Iterator[tuple[str, Where]]:
        """Yield the words of a class file, which Sendmail reads up to a "#"."""
        for number, line in enumerate(self.texts.get(name, "").split("\n"), 1):
            yield from ((word, Where(name, number)) for word in line.partition("#")[0].split())

    def _domains(self, draft: Draft, domains: Sequence[str], macros: Sequence[Macro], features: set[str]) -> None:
        for domain in domains:
            draft.add("domains", domain, Where("--domain"))
        used = MC not in self.texts or "use_cw_file" in features
        if LOCAL in self.texts and not used:
            draft.lost(Where(LOCAL), LOCAL, "not in use: sendmail.mc has no FEATURE(use_cw_file)")
        for word, where in (*(self._words(LOCAL) if used else ()), *_members(macros, "LOCAL_DOMAIN")):
            _add(draft, ("domains",), word, where, below=False)

    def _relay(self, draft: Draft, macros: Sequence[Macro], *, below: bool) -> None:
        draft.set("relay.default", "deny")
        for address in ("127.0.0.1", "::1"):
            draft.add("relay.allow", address, Where("the rule set Relay_ok"))
        mechanisms = [macro for macro in macros if macro.name == "TRUST_AUTH_MECH"]
        draft.set("relay.authenticated", bool(mechanisms))
        for macro in (macro for macro in macros if macro.name == "RELAY_DOMAIN_FILE"):
            draft.lost(macro.where, str(macro), "only the file relay-domains is read", "list its entries in [relay]")
        for word, where in (*self._words(RELAYS), *_members(macros, "RELAY_DOMAIN")):
            _add(draft, ("relay.allow", "relay.always"), word, where, below=below)

    def _access(self, draft: Draft, features: set[str]) -> None:
        if ACCESS not in self.texts:
            return
        if MC in self.texts and "access_db" not in features:
            draft.lost(Where(ACCESS), ACCESS, "not in use: sendmail.mc has no FEATURE(access_db)")
            return
        for row in rows(self.texts[ACCESS].split("\n"), ACCESS):
            tagged = _TAG.fullmatch(row.key)
            tag, key = (tagged["tag"].lower(), tagged["key"]) if tagged else ("", row.key)
            self._row(draft, tag, Row(key, row.value, row.where), row)

    def _row(self, draft: Draft, tag: str, row: Row, whole: Row) -> None:
        """Carry one entry over; `row` has the key without its tag, `whole` is the entry as written."""
        if tag not in ("", "connect", "from", "to"):
            wrong = _OVER_TIME if tag in _TAGS_OVER_TIME else f"{NO_WORD}; {_STAYS}"
            draft.lost(row.where, str(whole), wrong)
        elif row.value.upper() == "RELAY":
            _relaying(draft, tag, row, whole)
        elif tag == "to":
            draft.lost(row.where, str(whole), f"there is no list of recipients; {_STAYS}")
        elif does := _does(draft, row, whole):
            address = "@" in row.key or row.key == "<>"
            if tag == "connect" or (not tag and not address):
                add_client(draft, row, does)
            if tag == "from" or (not tag and (address or _is_name(row.key))):
                self.senders.add(draft, row, does)


def _does(draft: Draft, row: Row, whole: Row) -> Does | None:
    """Return what the right-hand side does; report one for which there is no word, and a text of its own."""
    for pattern, does in _VALUES:
        found = pattern.fullmatch(row.value)
        if found:
            if "text" in found.groupdict():
                draft.warn(row.where, str(whole), "rejects with a text of its own; here, all entries have one reply")
            return does
    draft.lost(row.where, str(whole), f"{NO_WORD}; {_STAYS}")
    return None


def _relaying(draft: Draft, tag: str, row: Row, whole: Row) -> None:
    """Carry over an entry that allows relaying: from a client, and to a domain."""
    if tag == "from" or "@" in row.key:
        wrong = "a sender's address is the client's own claim, so no client relays because of it"
        meant = "list the client in [relay] allow, or let it authenticate"
        draft.lost(row.where, str(whole), wrong if tag != "to" else "only whole domains can be relayed to", meant)
        return
    tables = {"connect": ("relay.allow",), "to": ("relay.always",)}.get(tag, ("relay.allow", "relay.always"))
    if _add(draft, tables, row.key, row.where, below=True) and tag != "to":
        draft.add("connect.allow", client_entry(row.key), row.where)  # RELAY includes OK


def _add(draft: Draft, tables: Iterable[str], word: str, where: Where, *, below: bool) -> bool:
    """Add a host or domain to these tables, an address not to `always`; return False if it is not one."""
    try:
        entry = client_entry(word, below=below)
    except PatternError as error:
        draft.lost(where, word, error.wrong, error.meant)
        return False
    for table in tables:
        if table != "relay.always" or _is_name(word):
            draft.add(table, entry, where)
    return True


def _is_name(key: str) -> bool:
    try:
        return isinstance(parse_host(client_entry(key)), Name)
    except PatternError:
        return False


def _members(macros: Iterable[Macro], name: str) -> Iterator[tuple[str, Where]]:
    """Yield the words that macros of this name add to a class."""
    for macro in (macro for macro in macros if macro.name == name):
        yield from ((word, macro.where) for argument in macro.arguments for word in argument.split())


def _limits(draft: Draft, macros: Iterable[Macro]) -> None:
    """Carry over the limits, of which Sendmail has none by default; report features that have no counterpart."""
    for key in _LIMITS.values():
        draft.set(f"limits.{key}", 0)
    for macro in macros:
        if macro.name == "define" and macro.first in _LIMITS:
            if macro.second.isdigit():
                draft.set(f"limits.{_LIMITS[macro.first]}", int(macro.second), f"{macro.first} of Sendmail.")
            else:
                draft.lost(macro.where, str(macro), "not a number")
        elif macro.name == "define" and macro.first in _RATES:
            draft.lost(macro.where, str(macro), _OVER_TIME)
        elif macro.name == "include" and not macro.first.endswith("/cf.m4"):
            draft.warn(macro.where, str(macro), "the included file is not read", "look for limits and features in it")
        elif macro.name == "FEATURE" and macro.first in _FEATURES:
            draft.lost(macro.where, str(macro), _FEATURES[macro.first])
