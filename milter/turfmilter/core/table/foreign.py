"""Entries as other programs write them, and what to write instead.

Only what the parsers have refused is compared with these tables, so no hint changes what a valid entry matches.
"""

from __future__ import annotations

import re

from turfmilter.core.address.hostname import PatternError

# For each: a regular expression for the whole text, what is wrong, and what was probably meant, both with the groups
# of the expression as {fields}.  The first that matches is used.
Hints = tuple[tuple[str, str, str], ...]
_FLAGS = re.IGNORECASE | re.DOTALL

_RECEIVING = r"(?:mydestination|relay_domains|virtual_(?:alias|mailbox)_domains)"
# The types of Postfix's tables (DATABASE_README), and our own words for files.
_TABLE = (
    r"(?:btree|cdb|cidr|dbm|file|hash|inline|ldap|lmdb|memcache|mysql|pcre|pgsql|pipemap|postfix|proxy|regexp|sdbm"
    r"|sendmail|sqlite|static|tcp|texthash|unionmap)"
)
# The tags of Sendmail's access map (cf/README of Sendmail), by what follows them.
_OF_CLIENTS = r"(?:ClientConn|ClientRate|Connect|GreetPause|Srv_Features|TLS_Clt|Try_TLS)"
_OF_ADDRESSES = r"(?:From|Spam|TLS_Rcpt|To)"
_QUOTE = r"[\"'`\u2018\u2019\u201c\u201d]"
# Between slashes as in regexp: and pcre: tables, or with characters that only a regular expression needs.
_REGULAR = r"(?:re|regex):.*|/[^/]+/[imsxu]{0,3}|/.*[$()*+?\\^|].*|\^.*|.+\$|.*\\.*"

_A_TAG = "a tag of Sendmail's access map"
_A_VARIABLE = "a variable of main.cf"
_STAR = 'a "*" in a domain'

_EVERYWHERE: Hints = (
    (rf"{_QUOTE}(?P<entry>.+){_QUOTE}[,;]*", "quotation marks around the entry", "probably meant {entry}"),
    (r"(?P<entry>.*[^,;])[,;]+", "a comma or a semicolon after the entry", "probably meant {entry}"),
    (rf"\$[{{(]?{_RECEIVING}[)}}]?", _A_VARIABLE, 'write "postfix:main.cf" in `domains`, which follows it'),
    (r"(?:.*@)?\$[{(]?(?P<name>\w+)[)}]?", _A_VARIABLE, 'write its value, which "postconf -xh {name}" prints'),
)
_A_FILE: Hints = (
    (
        rf"{_TABLE}:.*|(?:/|\.{{1,2}}/|~/).*",
        "a file inside a list of entries",
        'name it in the configuration, as "file:PATH" or "postfix:PATH"',
    ),
)
HOST_HINTS: Hints = (
    *_EVERYWHERE,
    (_REGULAR, "a regular expression", "write a name, which matches every name below it, or a network"),
    *_A_FILE,
    (r"\*(?:\.\*)*", "a pattern for everything", "for clients, 0.0.0.0/0 and ::/0 match every address"),
    (r"IPv6:(?P<address>.+)", 'addresses are written without "IPv6:"', "probably meant {address}"),
    (
        r"\[(?:IPv6:)?(?P<address>[^]]*)\](?::\d+|(?P<mask>/\d+))?",
        "brackets are only for mail addresses",
        "probably meant {address}{mask}",
    ),
    (r"https?://(?P<host>[^/:]+).*", "a URL", "probably meant {host}"),
    (rf"{_OF_CLIENTS}:(?P<host>.+)", _A_TAG, "write only what follows it: {host}"),
    (r"From:.*", _A_TAG, "senders belong in `tables` of [turf]"),
    (rf"{_OF_ADDRESSES}:(?:.*@)?(?P<domain>[^@]+)", _A_TAG, "write only the domain: {domain}"),
    (r".*@(?P<domain>[^@]+)", "a mail address in a list of hosts", "probably meant {domain}"),
    (r".*@", "a mail address in a list of hosts", ""),
)
SENDER_HINTS: Hints = (
    *_EVERYWHERE,
    (_REGULAR, "a regular expression", "write @domain, user@, or an address with * in its local part"),
    *_A_FILE,
    (r"\*@?|\*?@\*(?:\.\*)*", "a pattern for everything", "no entry matches every address; list domains"),
    (r"(?P<local>[^*@]+)@\*(?:\.\*)*", _STAR, "probably meant {local}@, which matches at every domain"),
    (r".*@[^*]+\*", _STAR, "a * is allowed in the local part only; list each domain"),
    (
        r"(?!\*\.)[^@]*\*[^@]*",
        'the "@" is missing',
        "a * is allowed in the local part of an address, as in news*@isp.example",
    ),
    (r'null|empty|""', 'the "@" is missing', "<> is the empty sender"),
    (r"<(?P<address>.+)>", "angle brackets around an address", "probably meant {address}"),
    (r"(?:mailto|smtp):(?P<address>.+@.+)", "a prefix in front of the address", "probably meant {address}"),
    (r"https?://(?P<host>[^/:]+).*", "a URL", "probably meant @{host}"),
    (rf"{_OF_ADDRESSES}:(?P<address>.*@.*)", _A_TAG, "write only what follows it: {address}"),
    (rf"{_OF_ADDRESSES}:(?P<domain>.+)", _A_TAG, "write an @ in its place: @{domain}"),
    (rf"{_OF_CLIENTS}:.*", _A_TAG, "clients belong in `deny` or `allow` of [connect]"),
    (r"(?:allow|black|block|welcome|white)list_\w+", "a setting of SpamAssassin", "write only the address after it"),
)
# Single words that are valid names of hosts, but were hardly meant as such.
HOST_DOUBTS: Hints = (
    (r"all|any|everyone", "read as the name of a host", "for clients, 0.0.0.0/0 and ::/0 match every address"),
    (r"unknown", "read as the name of a host", '`check = "require"` in [reverse_name] refuses clients without a name'),
    (
        rf"(?:check|permit|reject)_\w+|mynetworks|{_RECEIVING}",
        "read as the name of a host",
        'write the value of the parameter, or name a file as "postfix:PATH"',
    ),
)

_ACTION = (
    r"BCC|DEFER\w*|DISCARD|DUNNO|ERROR:.*|FILTER|HOLD|INFO|OK|PERMIT\w*|PREPEND|REDIRECT|REJECT|RELAY|WARN|[245]\d\d"
)
# For each: a regular expression for the word that follows an entry, and what was probably meant.
_FOLLOWING = (
    (_ACTION, 'the list itself says what is done; remove this, or name a table of Postfix as "postfix:PATH"'),
    (r"[+-]?\d+(?:\.\d+)?", "there are no scores: an entry matches, or it does not"),
    (r"255\.[\d.]+", "a mask follows a slash, as in 192.0.2.0/255.255.255.0"),
    (r"-.*", "a range is written without blanks, as in 192.0.2.10-192.0.2.20"),
    (r"//.*|;.*|--.*", 'a comment begins with "#"'),
    (r"\d{4}-\d\d-\d\d", "the last day of an entry is written as expires=2027-01-31"),
    (r"=?[^=]*[.:@][^=]*", "each entry is written separately"),
)
_NOTES = {
    "expires": ("end", "ends", "expiry", "ttl", "until", "valid"),
    "why": ("comment", "note", "reason", "text", "ticket"),
    "by": ("admin", "author", "from", "user", "who"),
}


def foreign(text: str, hints: Hints) -> PatternError | None:
    """Return the error for an invalid text that another program would accept; None if it is not recognised."""
    for pattern, wrong, meant in hints:
        found = re.fullmatch(pattern, text, _FLAGS)
        if found:
            groups = found.groupdict("")
            return PatternError(wrong.format_map(groups), meant.format_map(groups))
    return None


def meant_by_word(word: str) -> str:
    """Return what was probably meant by a word that follows an entry and is not a note; "" if that is unknown."""
    return next((meant for pattern, meant in _FOLLOWING if re.fullmatch(pattern, word, re.IGNORECASE)), "")


def meant_by_note(name: str) -> str:
    """Return the note that was probably meant by `name`; "" if that is unknown."""
    return next((note for note, others in _NOTES.items() if name.casefold() in others), "")
