"""The kinds of values that are words, texts, paths, accounts, users and groups."""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TypeVar

from turfmilter.config.given import Given, Wrong, described, probably, quoted
from turfmilter.config.hints import PATHS, REPLIES, SOCKETS, USERS, VARIABLE, recognised, synonym
from turfmilter.config.setting import Kind
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.reply import Reply
from turfmilter.core.table.foreign import Hints

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")  # RFC 2045 §5.1
_MAKE_A_USER = '"systemd-sysusers contrib/systemd/sysusers.conf" creates the user turfmilter'
_SOURCE = re.compile(r"(?:file|postfix|sendmail|hash|lmdb|regexp|pcre):|[/.]{1,2}/?\w+/")
_SPELLINGS = {
    **dict.fromkeys(("yes", "on", "true", "1", "all", "any", "*", "enable", "enabled", "encrypt", "everyone"), "true"),
    **dict.fromkeys(("no", "off", "false", "0", "none", "disable", "disabled", "may"), "false"),
}


class Flag(Kind[bool]):
    """True or false."""

    words = "`true` or `false`"
    closed = True

    def read(self, given: Given) -> bool:
        if isinstance(given.value, bool):
            return given.value
        spelling = _SPELLINGS.get(described(given.value).strip('"').lower())
        meant = f"; write {spelling}" if spelling else ""
        raise Wrong(f"{described(given.value)} is neither true nor false{meant}")


class Choice(Kind[E]):
    """One of the values of an Enum."""

    closed = True

    def __init__(self, choices: type[E]) -> None:
        self._choices = {choice.value: choice for choice in choices}
        *others, last = (f"`{quoted(word)}`" for word in self._choices)
        self.words = f"{', '.join(others)} or {last}"

    def read(self, given: Given) -> E:
        word = given.value
        if isinstance(word, str) and word in self._choices:
            return self._choices[word]
        other = synonym(described(word).strip('"'), self._choices)
        meant = f"; {quoted(other)} was probably meant" if other else ""
        meant = meant or (probably(word, self._choices) if isinstance(word, str) else "")
        known = ", ".join(map(quoted, self._choices))
        raise Wrong(f"{described(word)} is not one of {known}{meant}")


class OnError(Enum):
    """What is done if a rule cannot decide, for example because DNS does not answer."""

    TEMPFAIL = "tempfail"
    CONTINUE = "continue"


class Default(Enum):
    """What applies to a client about which no list and no step decides."""

    DENY = "deny"
    ALLOW = "allow"


class Each(Kind[tuple[T, ...]]):
    """A list of values of one kind, in their order, without duplicates."""

    def __init__(self, kind: Kind[T]) -> None:
        self._kind = kind
        self.words = f"a list, each {kind.words}"

    def read(self, given: Given) -> tuple[T, ...]:
        found: dict[T, None] = {}
        for item in given.items():
            try:
                found[self._kind.read(item)] = None
            except Wrong as wrong:
                given.notes.problem(item.key, wrong)
        return tuple(found)


class Several(Each[T]):
    """One value, or a list of them."""

    def __init__(self, kind: Kind[T]) -> None:
        super().__init__(kind)
        self.words = f"{kind.words}, or a list of them"

    def read(self, given: Given) -> tuple[T, ...]:
        return super().read(given) if isinstance(given.value, list) else (self._kind.read(given),)


class AccountNames(Kind[bool | frozenset[str]]):
    """A set of authenticated clients: all, none or those listed, in lower case (RFC 8265 §3.3)."""

    words = '`true`, `false` or a list of accounts, such as `["alice", "bob@example.org"]`'

    def read(self, given: Given) -> bool | frozenset[str]:
        if not isinstance(given.value, list) and _means_a_flag(given.value):
            return Flag().read(given)
        accounts = set()
        for item in given.items():
            if isinstance(item.value, str) and item.value.strip():
                account = item.value.strip()
                if never := _never_an_account(account):
                    given.notes.warning(f"{item.key}: {quoted(account)}: {never}")
                accounts.add(account.lower())
            else:
                given.notes.problem(item.key, f'{described(item.value)} is not an account; write it as text: "alice"')
        return frozenset(accounts)


def _never_an_account(name: str) -> str:
    """Return why no account can have this name, and what was probably meant; "" if one can."""
    user, at, realm = name.partition("@")
    if _SOURCE.match(name):
        return "never matches: accounts cannot be read from a file; list them here"
    if name.startswith("!"):
        return "never matches: there are no exceptions for accounts; list those that are meant"
    if name == "*":
        return "never matches: accounts are whole names, not patterns; for all of them, write true instead of the list"
    if "*" in name or (at and not user):
        like = quoted(f"alice{at}{realm}")
        return f"never matches: accounts are whole names, not patterns; list them, such as {like}"
    if at and not realm:
        return f"never matches: a realm must follow the @; {quoted(user)} matches the account in every realm"
    return ""


def _means_a_flag(value: object) -> bool:
    return not isinstance(value, str) or value.lower() in _SPELLINGS


class FreeText(Kind[str]):
    """A name that is defined elsewhere, such as that of a daemon."""

    def __init__(self, what: str) -> None:
        self.words = what

    def read(self, given: Given) -> str:
        if not given.text.strip():
            raise Wrong(f"{quoted(given.text)} is not a name")
        return given.text.strip()


class AuthservId(Kind[str]):
    """The authserv-id in Authentication-Results (RFC 8601 §2.5); "" for the MTA's own name."""

    words = 'a host name, or `""`'

    def read(self, given: Given) -> str:
        if given.text and not _TOKEN.fullmatch(given.text):
            raise Wrong(
                f'{quoted(given.text)} is not a token (RFC 8601 §2.2); write a host name, such as "mx.example.org"'
            )
        return given.text


class Socket(Kind[SocketSpec]):
    """The socket to which the MTA connects."""

    words = '`"unix:/PATH"`, `"inet:PORT@HOST"`, `"inet6:PORT@HOST"` or `"fd:NUMBER"`'

    def read(self, given: Given) -> SocketSpec:
        return _parsed(given, SocketSpec.parse, SOCKETS)


class ReplyLine(Kind[Reply]):
    """An SMTP reply."""

    words = 'code, enhanced code and text, such as `"550 5.7.1 relaying prohibited"`'

    def read(self, given: Given) -> Reply:
        reply = _parsed(given, Reply.parse, REPLIES)
        variable = VARIABLE.search(reply.text)
        if variable:
            sentence = f"{quoted(variable[0])} is sent as it is, because there are no variables in replies"
            given.notes.warning(f"{given.key}: {sentence}")
        return reply


class Permissions(Kind[int]):
    """Permission bits of a file."""

    words = 'octal digits as text, such as `"0660"`'

    def read(self, given: Given) -> int:
        value = given.value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 777:
            # 660 is written as for chmod(1); 432 is what TOML makes of 0o660.
            digits = str(value) if re.fullmatch("[67][0-7][0-7]", str(value)) else f"{value:03o}"[-3:]
            raise Wrong(f'{value} is a number; write the octal digits as text: "0{digits}"')
        if not re.fullmatch("0?[0-7]{3}", given.text):
            raise Wrong(f'{quoted(given.text)} is not a file mode; write three octal digits, such as "0660"')
        return int(given.text, 8)


class UserName(Kind[str]):
    """A user of this host, "" for none."""

    words = 'a user of this host, or `""`'

    def read(self, given: Given) -> str:
        if given.text and not _exists(given.text, pwd.getpwnam):
            if known := recognised(given.text, USERS):
                raise Wrong(f"{quoted(given.text)}: {known}")
            raise Wrong(f"there is no user {quoted(given.text)} on this host; {_MAKE_A_USER}")
        if given.text and pwd.getpwnam(given.text).pw_uid == 0:
            raise Wrong(f"{quoted(given.text)} is the superuser; use a user that owns only the quarantine")
        return given.text


class GroupName(Kind[str]):
    """A group of this host, "" for none."""

    words = 'a group of this host, or `""`'

    def read(self, given: Given) -> str:
        if given.text and not _exists(given.text, grp.getgrnam):
            raise Wrong(f"there is no group {quoted(given.text)} on this host; the MTA's group was probably meant")
        return given.text


class Command(Kind[tuple[str, ...]]):
    """A program and its arguments, which no shell interprets; none to run nothing."""

    words = "a list of texts, the first of which is the absolute path of a program; `[]` for none"

    def read(self, given: Given) -> tuple[str, ...]:
        if isinstance(given.value, str):
            words = given.value.split()
            meant = f"; write [{', '.join(map(quoted, words))}]" if words else "; write [] for none"
            raise Wrong(f"{described(given.value)} is not a list, and there is no shell that would split it{meant}")
        words = [item.text for item in given.items()]
        if words and not words[0].startswith("/"):
            raise Wrong(f'{quoted(words[0])} is not an absolute path; write all of it, such as "/usr/local/sbin/event"')
        if odd := next((word for word in words if "\0" in word), None):
            raise Wrong(f"{quoted(odd)} contains a null character, which no argument can")
        return tuple(words)


class AbsolutePath(Kind[Path | None]):
    """A file or a directory, "" for none; `such_as` is an example."""

    words = 'an absolute path, or `""`'

    def __init__(self, such_as: str) -> None:
        self._such_as = such_as

    def read(self, given: Given) -> Path | None:
        if not given.text:
            return None
        if known := recognised(given.text, PATHS):
            raise Wrong(f"{quoted(given.text)} {known}")
        if not given.text.startswith("/") or "\0" in given.text:
            raise Wrong(f'{quoted(given.text)} is not an absolute path; write all of it, such as "{self._such_as}"')
        return Path(given.text)


def _parsed(given: Given, parse: Callable[[str], T], hints: Hints) -> T:
    try:
        return parse(given.text)
    except ValueError as error:
        raise Wrong(f"{quoted(given.text)}: {recognised(given.text, hints) or error}") from None


def _exists(name: str, look_up: Callable[[str], object]) -> bool:
    try:
        look_up(name)
    except (KeyError, ValueError):
        return False
    return True
