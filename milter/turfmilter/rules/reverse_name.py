"""Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3, iprev)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turfmilter.core.address.mailbox import IPAddress, Mailbox
from turfmilter.core.address.spelling import Spelling, Unreadable, spell, spell_open
from turfmilter.core.clients import ClientTable
from turfmilter.core.finding import Change, Finding
from turfmilter.core.rule import Fact, Rule, Stage
from turfmilter.core.session import ClientNames, Connection, Session
from turfmilter.core.table.entry import listed

FIELD = "Authentication-Results"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_BEHIND = " ;/,("  # also what RFC 8601 does not allow there: who reads the field may be less strict than we are


def bears(value: str, authserv_id: str) -> bool:
    """True when the results in `value` are said to be those of `authserv_id`.

    It may stand in any case, quoted, folded, behind a comment, and before a version (RFC 8601 §2.2).
    """
    ours = authserv_id.casefold().removesuffix(".")
    return any(_name(spelling) == ours for spelling in _spellings(_CONTROLS.sub(" ", value)))


def iprev_field(authserv_id: str, result: str, client: IPAddress, name: str) -> str:
    """The value of the field with the iprev `result` of `client`; `name` goes into a comment (RFC 8601 §2.7.3)."""
    address = f'"{client}"' if client.version == 6 else str(client)  # a colon is no part of a token (RFC 2045 §5.1)
    comment = f" ({name})" if name else ""
    return f"{authserv_id};\n\tiprev={result} policy.iprev={address}{comment}"


def _spellings(value: str) -> Iterator[Spelling]:
    """What readers of all kinds see in the value: some look no further than the name."""
    try:
        yield spell(value)
    except Unreadable:
        yield spell_open(value)
        yield spell_open(value.replace('"', " "))


def _name(spelling: Spelling) -> str:
    """The folded authserv-id, with which the value begins."""
    spelling = spelling.part(0)
    end = spelling.find(_BEHIND)
    return (spelling.text if end < 0 else spelling.text[:end]).casefold().removesuffix(".")


def iprev(names: ClientNames) -> str:
    """The result as RFC 8601 §2.7.3 names it."""
    if names.confirmed:
        return "pass"
    if names.failed:
        return "temperror"
    return "fail" if names.claimed else "permerror"


class _NeedsNames(Rule):
    @property
    def needs_names(self) -> bool:
        """Always: this is about nothing else."""
        return True


@dataclass(frozen=True)
class RequireName(_NeedsNames):
    """Refuses clients without a confirmed name.

    With `match_sender` it must also lie in the sender's domain; the empty sender, which has none, is then skipped.
    """

    name = "reverse_name"
    stages = frozenset({Stage.RCPT})

    allow: ClientTable
    match_sender: bool

    def asks_names(self, session: Session) -> bool:
        """True unless the client is trusted by its address."""
        return not listed(self.allow.by_address(session.connection, session.today))

    def at_rcpt(self, session: Session, _recipient: object) -> Finding | None:
        """A finding for a client whose name is not confirmed or, if asked for, not the sender's."""
        if session.account or session.connection.client is None or self._is_trusted(session):
            return None
        sender = session.envelope.sender.mailbox if session.envelope else Mailbox("", "")
        if self.match_sender and not (sender.local or sender.domain):
            return None
        names = session.connection.names.result()
        if any(not self.match_sender or _lies_in(name, sender.domain) for name in names.confirmed):
            return None
        return Finding(self.name, iprev(names), unavailable=names.failed)

    def _is_trusted(self, session: Session) -> bool:
        entry = self.allow.find(session.connection, session.today).entry
        return listed(entry)


def _lies_in(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


@dataclass(frozen=True)
class StampName(_NeedsNames):
    """Writes the result into the header, and blocks nothing.  `authserv_id` "" is the MTA's own name.

    A connection of this host to itself gets no stamp: the result would be that of the content filter that gives the
    message back, on top of the true one.
    """

    name = "reverse_name"
    stages = frozenset({Stage.END})
    facts = frozenset({Fact.HOST, Fact.LOCAL_ADDRESS})

    authserv_id: str

    def asks_names(self, session: Session) -> bool:
        """True when there is something to stamp."""
        return self._stamps(session.connection)

    def at_end(self, session: Session) -> Finding | None:
        """A field to be added."""
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


# What RemoveForged reads.  For each field that is to be removed Postfix reads the header from its beginning: 200 of
# them cost it less than a second, in the longest header that is taken, and 14,000 cost 16 seconds.
_MAX_FIELDS = 200
_MAX_CHARACTERS = 131_072  # of all the fields together, which are read character by character


@dataclass(frozen=True)
class TooManyResults(Rule):
    """Finds messages with more Authentication-Results, ours or not, than any honest path of mail adds.

    RemoveForged does not look at them.
    """

    name = "remove_forged"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({FIELD.lower()})
    facts = frozenset({Fact.LOCAL_ADDRESS})

    def at_headers(self, session: Session) -> Finding | None:
        """A finding when there are more fields, or more characters in them, than are read."""
        values = _results(session)
        if len(values) > _MAX_FIELDS:
            return Finding(self.name, f"{len(values)} fields of {_MAX_FIELDS}")
        characters = sum(map(len, values))
        beyond = characters > _MAX_CHARACTERS
        return Finding(self.name, f"{characters} characters of {_MAX_CHARACTERS}") if beyond else None


@dataclass(frozen=True)
class RemoveForged(Rule):
    """Removes results that bear our name but came with the message (RFC 8601 §5).

    What comes from this host itself is left alone: it has been here before, and its results are those of then.
    """

    name = "remove_forged"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({FIELD.lower()})
    facts = frozenset({Fact.HOST, Fact.LOCAL_ADDRESS})

    authserv_id: str

    def at_headers(self, session: Session) -> Finding | None:
        """The fields to be removed, the last first: each removal moves those behind it."""
        if TooManyResults().at_headers(session):
            return None
        host = self.authserv_id or session.connection.host
        values = _results(session)
        forged = [index for index, value in enumerate(values, 1) if bears(value, host)]
        changes = tuple(Change(FIELD, index=index) for index in reversed(forged))
        return Finding(self.name, f"{len(forged)} removed", changes=changes) if forged else None


def _results(session: Session) -> Sequence[str]:
    return () if session.connection.from_itself else session.fields.get(FIELD.lower(), ())
