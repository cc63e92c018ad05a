"""Whether the client's address has a name that resolves to it again (RFC 8601 §2.7.3, iprev)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turfmilter.core.address.mailbox import IPAddress, Mailbox
from turfmilter.core.address.spelling import Spelling, Unreadable, spell, spell_open
from turfmilter.core.clients import ClientTable
from turfmilter.core.finding import Change, Finding
from turfmilter.core.rule import Fact, Looked, Rule, Stage
from turfmilter.core.session import ClientNames, Connection, Recipient, Session
from turfmilter.core.table.entry import listed

FIELD = "Authentication-Results"

_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]++")
# What ends an authserv-id.  RFC 8601 allows only some of these, but other readers may be less strict.
_AFTER_NAME = " ;/,("


def bears(value: str, authserv_id: str) -> bool:
    """Return True if the results in `value` claim to be those of `authserv_id`.

    The name may be in upper case, quoted, folded, after a comment, and in front of a version (RFC 8601 §2.2).
    """
    ours = authserv_id.casefold().removesuffix(".")
    return any(ours in _names(spelling) for spelling in _spellings(_BLANKS.sub(" ", value)))


def iprev_field(authserv_id: str, result: str, client: IPAddress, name: str) -> str:
    """Return the value of the field with the iprev `result` of `client`; `name` becomes a comment (RFC 8601 §2.7.3)."""
    address = f'"{client}"' if client.version == 6 else str(client)  # a token has no colon (RFC 2045 §5.1)
    comment = f" ({name})" if name else ""
    return f"{authserv_id};\n\tiprev={result} policy.iprev={address}{comment}"


def _spellings(value: str) -> Iterator[Spelling]:
    """Yield the value as strict and as tolerant programs read it; some read no further than the name."""
    try:
        yield spell(value)
    except Unreadable:
        yield spell_open(value)
        yield spell_open(value.replace('"', " "))


def _names(spelling: Spelling) -> tuple[str, ...]:
    """Return the folded authserv-id, with which the value begins, as different programs read it."""
    spelling = spelling.part(0)
    end = spelling.find(_AFTER_NAME)
    name = spelling.text if end < 0 else spelling.text[:end]
    # OpenDMARC and OpenARC join tokens around dots: to them "mx .example (c) . org" is mx.example.org.
    words = _BLANKS.sub(" ", spelling.text)  # where a comment was, there may be two blanks
    joined = re.split(f"[{_AFTER_NAME}]", words.replace(" .", ".").replace(". ", "."), maxsplit=1)[0]
    return tuple(view.casefold().removesuffix(".") for view in (name, joined))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def iprev(names: ClientNames) -> str:
    """Return the result for these names, in the words of RFC 8601 §2.7.3."""
    if names.confirmed:
        return "pass"
    if names.failed:  # in front of the next two: a name that is missing now may still be found
        return "temperror"
    return "fail" if names.claimed else "permerror"  # permerror: there is no PTR record


class _NeedsNames(Rule):
    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the client and its names, if they are known."""
        names = session.connection.names.known
        if names is not None and session.connection.client:
            said = f"{session.connection.client}: confirmed {_listed(names.confirmed)}, PTR {_listed(names.claimed)}"
            yield Looked("client's names in DNS", said + (", and DNS did not answer every query" * names.failed))

    @property
    def needs_names(self) -> bool:
        """Always True: the rule is about names only."""
        return True


@dataclass(frozen=True)
class RequireName(_NeedsNames):
    """Refuses clients without a confirmed name, except those in `allow` and those that have authenticated.

    With `match_sender`, the name must be in the sender's domain; the empty sender has none and is not checked.
    """

    name = "reverse_name"
    stages = frozenset({Stage.RCPT})

    allow: ClientTable
    match_sender: bool

    def asks_names(self, session: Session) -> bool:
        """Return True unless the client is trusted by its address."""
        return not listed(self.allow.by_address(session.connection, session.today))

    def at_rcpt(self, session: Session, _recipient: object) -> Finding | None:
        """Return a finding if the client has no confirmed name (with `match_sender`: none in the sender's domain)."""
        if session.account or session.connection.client is None or self._is_trusted(session):
            return None
        sender = session.envelope.sender.mailbox if session.envelope else Mailbox("", "")
        if self.match_sender and not (sender.local or sender.domain):  # a bounce (RFC 5321 §4.5.5)
            return None
        names = session.connection.names.result()
        if any(not self.match_sender or _is_in(name, sender.domain) for name in names.confirmed):
            return None
        return Finding(self.name, iprev(names), unavailable=names.failed)

    def _is_trusted(self, session: Session) -> bool:
        entry = self.allow.find(session.connection, session.today).entry
        return listed(entry)


def _is_in(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


@dataclass(frozen=True)
class StampName(_NeedsNames):
    """Adds the result to the header, and refuses nothing.  If `authserv_id` is "", the MTA's own name is used.

    A connection of this host to itself gets no field: a content filter that passes a message back to the MTA would
    add its own result above the real one.
    """

    name = "reverse_name"
    stages = frozenset({Stage.END})
    facts = frozenset({Fact.HOST, Fact.LOCAL_ADDRESS})

    authserv_id: str

    def asks_names(self, session: Session) -> bool:
        """Return True if a field would be added for this client."""
        return self._stamps(session.connection)

    def at_end(self, session: Session) -> Finding | None:
        """Return the field to be added."""
        connection = session.connection
        if connection.client is None or not self._stamps(connection):
            return None
        host = self.authserv_id or connection.host
        names = connection.names.result()
        value = iprev_field(host, iprev(names), connection.client, (names.confirmed or names.claimed or ("",))[0])
        return Finding(self.name, iprev(names), changes=(Change(FIELD, value),))

    def _stamps(self, connection: Connection) -> bool:
        named = bool(self.authserv_id or connection.host)
        return named and connection.client is not None and not (connection.local or connection.from_itself)


# The limits of what RemoveForged reads.  For each field that is to be removed, Postfix reads the header from its
# beginning: 200 fields take less than a second in the longest header that it accepts, and 14,000 take 16 seconds.
_MAX_FIELDS = 200
_MAX_CHARACTERS = 131_072  # of all these fields together, because they are parsed character by character


@dataclass(frozen=True)
class TooManyResults(Rule):
    """Finds messages with more Authentication-Results fields, ours or not, than any legitimate mail has.

    RemoveForged leaves such messages to this rule.
    """

    name = "remove_forged"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({FIELD.lower()})
    facts = frozenset({Fact.LOCAL_ADDRESS})

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if there are more fields, or more characters in them, than the limits above."""
        values = _results(session)
        if len(values) > _MAX_FIELDS:
            return Finding(self.name, f"{len(values)} fields of {_MAX_FIELDS}")
        characters = sum(map(len, values))
        beyond = characters > _MAX_CHARACTERS
        return Finding(self.name, f"{characters} characters of {_MAX_CHARACTERS}") if beyond else None


@dataclass(frozen=True)
class RemoveForged(Rule):
    """Removes fields that bear our name but came with the message, and so are forged (RFC 8601 §5).

    Mail from this host itself is not changed: it has been filtered before, and its fields were added then.
    """

    name = "remove_forged"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({FIELD.lower()})
    facts = frozenset({Fact.HOST, Fact.LOCAL_ADDRESS})

    authserv_id: str

    def at_headers(self, session: Session) -> Finding | None:
        """Return the fields to be removed, the last one first, because each removal renumbers the fields after it."""
        if TooManyResults().at_headers(session):
            return None
        host = self.authserv_id or session.connection.host
        values = _results(session)
        forged = [index for index, value in enumerate(values, 1) if bears(value, host)]
        changes = tuple(Change(FIELD, index=index) for index in reversed(forged))
        return Finding(self.name, f"{len(forged)} removed", changes=changes) if forged else None


def _results(session: Session) -> Sequence[str]:
    return () if session.connection.from_itself else session.fields.get(FIELD.lower(), ())
