"""Values as administrators of other programs type them first, and what to write instead.

Only what has been found wrong is compared with these tables; none of them makes a value valid or invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from turfmilter.core.table.foreign import Hints, foreign

# Sources of a list, written as WORD:PATH.
SOURCES: Hints = (
    (
        r"(?:proxy:)*(?P<word>btree|cdb|cidr|dbm|hash|lmdb|sdbm|texthash):(?P<path>.+?)(?:\.(?:cdb|db|lmdb))?",
        "{word}: is not a source",
        'for the text file of a Postfix table, write "postfix:{path}"',
    ),
    (
        r"(?:proxy:)*(?P<word>regexp|pcre):.*",
        "{word}: is not a source, because there are no regular expressions here",
        'write its entries in a file of your own, "file:PATH"',
    ),
    (
        r"(?:proxy:)*(?P<word>dbi|ldaps?|memcache|mongodb|mysql|nis\w*|odbc|pgsql|redis|socketmap|sqlite|tcp):.*",
        "{word}: is not a source, because a database cannot be listed",
        'write its entries to a file with a command, and name the file as "file:PATH"',
    ),
    (
        r"(?:ftp|https?):.*",
        "a URL cannot be a source",
        'download it to a file with a command, and name the file as "file:PATH"',
    ),
    (r"(?P<word>inline|static):.*", "{word}: is not a source", "write the entries themselves in this list"),
    (
        r"(?P<word>files?|include|list|map|path|table|text):(?P<path>.+)",
        "{word}: is not a source",
        'probably meant "file:{path}"',
    ),
)
_INDEX = re.compile(r"\.(?:cdb|db|dir|lmdb|pag)\Z")  # what postmap(1) and makemap(8) append to the name of the source
_PATH = re.compile(r"(?!/[^/]+/[imsxu]{0,3}\Z)(?:/|\.{1,2}/)[\w.@+/-]*[\w.@+-]")
# Endings of files that are not top-level domains.
_FILE_NAME = re.compile(r"[\w.-]+\.(?:access|allow|csv|dat|db|deny|list|lst|table|txt)", re.IGNORECASE)

# The words of /etc/services that name a port for mail.
SERVICES = {"smtp": "25", "mail": "25", "smtps": "465", "submissions": "465", "ssmtp": "465", "submission": "587"}
UNLIMITED = frozenset({"auto", "forever", "inf", "infinite", "infinity", "never", "no", "none", "off", "unlimited"})
# Texts that are not percentages.
SHARES: Hints = (
    (r"(?P<number>\d{1,2}(?:\.\d+)?)(?: ?percent)?", "is not a percentage", 'write "{number}%"'),
    (r"\d[\d.]* ?[KMGT]i?B?", "is a size, not a percentage", "max_size limits bytes"),
)
REPLIES: Hints = (
    (r".*[\r\n].*", "a reply has one line", "remove the line feed"),
    (r"\d{3}-.*", "a reply has one line", 'write it as "550 5.7.1 text"'),
    (r".*%.*", 'the text must not contain "%"', 'there are no variables in replies; for the sign, write "percent"'),
    (r".*?(?P<odd>[^ -~]).*", "the text must be printable ASCII", 'replace "{odd}"'),
    (
        r"(?P<kind>[45])(?P<code>[0-5]\d) +(?P<text>\D.*)",
        "the enhanced code is missing",
        'write "{kind}{code} {kind}.7.1 {text}"',
    ),
    (
        r"(?P<kind>[45])(?P<detail>\.\d+\.\d+) +(?P<text>.+)",
        "the code is missing",
        'write "{kind}50 {kind}{detail} {text}"',
    ),
    (r"[45]\d\d(?: +[45]\.\d+\.\d+)? *", "the text is missing", 'write it as "550 5.7.1 text"'),
    (r'ERROR:"?(?P<reply>[45]\d\d [^"]+)"?', "a word of Sendmail's access map", 'write "{reply}"'),
    (r"REJECT +(?P<codes>5\.\d+\.\d+ .+)", "an action of Postfix", 'write "550 {codes}"'),
    (r"REJECT +(?P<text>\D.*)", "an action of Postfix", 'write "550 5.7.1 {text}"'),
    (r"DEFER\w* +(?P<text>\D.*)", "an action of Postfix", 'write "451 4.7.1 {text}"'),
    (r"(?P<text>[a-z].*)", "the codes are missing", 'write "550 5.7.1 {text}"'),
)
# Variables of Postfix and macros of Sendmail and rspamd, which would be sent as they are.
VARIABLE = re.compile(r"\$&?[{(]\w+[)}]|\$[A-Za-z_]\w{2,}")
SOCKETS: Hints = (
    (r"(?:tcp|inet)6:\[?(?P<host>[0-9a-f:]+)\]?:(?P<port>\d+)", "not a socket", 'write "inet6:{port}@{host}"'),
    (r"tcp[46]?:(?P<port>\d+)", "not a socket", 'write "inet:{port}@127.0.0.1"'),
    (r"(?:tcp[46]?:)?(?P<port>\d+)@(?P<host>.+)", "not a socket", 'write "inet:{port}@{host}"'),
    (r"tcp[46]?:(?P<host>[^:]+):(?P<port>\d+)", "not a socket", 'write "inet:{port}@{host}"'),
    (r"(?P<port>\d+)", "not a socket", 'write "inet:{port}@127.0.0.1"'),
)
PATHS: Hints = (
    (r"(?:dir|file|maildir|mbox|unix):(?P<path>/.*)", "is not an absolute path", 'write "{path}"'),
    (r"no|none|off|false", "is not an absolute path", 'write "" for none'),
)
NAME_SERVERS: Hints = (
    (r"/.*|auto|default|system", "is not an address", "remove the key for the name servers of this host"),
    (r"localhost", "is not an address", 'write "127.0.0.1"'),
    (r"(?:dns|tcp|udp)://(?P<address>[^/]+)/?", "is not an address", 'write "{address}"'),
    (r"(?P<address>[0-9.]+)[#@](?P<port>\d{1,5})", "is not an address", 'write "{address}:{port}"'),
)
USERS: Hints = (
    (r"(?P<user>[\w-]+)[:.][\w-]*", "a user with a group", 'write "{user}"; the groups are those of the user'),
    (r"\d+", "a number", "write the name of the user"),
)
# What other programs have for the words of our keys; the first of the meanings that the key knows is meant.
SYNONYMS = {
    "trial": "audit dry-run dryrun log log-only monitor permissive simulate soft test testing warn warn_if_reject",
    "enforce": "active block enable enabled enforced enforcing on quarantine reject true yes",
    "off": "disable disabled false inactive none no",
    "deny": "block deny drop refuse reject",
    "reject": "550 block bounce deny refuse",
    "allow": "accept ok pass permit",
    "accept": "250 allow hold ok pass permit quarantine",
    "tempfail": "451 4xx defer deferred fail temp_fail tempfail_all try_again",
    "continue": "accept dunno ignore ok open pass skip",
    "sender": "envelope envelope-from envelope_from mail mail-from mailfrom return-path smtp_from",
    "author": "from from: header header-from header_from headerfrom mime_from",
    "originator": "resent resent-from resent_from sender: sender-header",
    "syslog": "/dev/log /var/log/mail.log /var/log/maillog file mail maillog rsyslog syslogd",
    "stderr": "- console journal journald stdout systemd",
    "text": "key=value keyvalue kv logfmt plain",
    "stamp": "add annotate header mark",
    "require": "enforce fcrdns ptr reject",
    "rcpt": "delay delayed recipient",
}
# Parameters of other programs, in lower case and without "_", by our key.
PARAMETERS = {
    "domains": "localdomains mydestination mydomains relaydomains virtualaliasdomains virtualmailboxdomains",
    "socket": "bind bindsocket listen milter milteraddress miltersocket smtpdmilters",
    "socket_mode": "socketumask umask",
    "user": "runas userid username",
    "mode": "dryrun test testing testmode",
    "log.to": "logfile syslog",
    "relay.allow": "internalhosts mynetworks relayclients relayfromhosts trustednetworks",
    "relay.authenticated": "permitsaslauthenticated",
    "connect.deny": "blacklistip blockedclients deniedclients denyclients",
    "turf.tables": "blacklist blacklistfrom blacklistsender blockedsenders blocklist blocklistfrom denylist",
    "turf.directory": "quarantinedir quarantinedirectory",
    "turf.exempt": "spamloversmaps whitelistrcpt whitelistto",
    "turf.spare_clients": "whitelistclients whitelistip",
    "limits.message_size": "maxmessagesize messagesizelimit sizelimit",
    "limits.recipients_per_message": "maxrcpt maxrecipients maxrecipientspermessage smtpdrecipientlimit",
    "quarantine.keep": "expire maxage quarantinedays retention",
}


def key_of(parameter: str) -> str:
    """Return the path of the key that corresponds to a parameter of another program; "" if none is known."""
    name = parameter.lower().replace("_", "").replace("-", "")
    return next((path for path, others in PARAMETERS.items() if name in others.split()), "")


def recognised(text: str, hints: Hints) -> str:
    """Return what is wrong with `text` and what was probably meant; "" if it is not among the `hints`."""
    found = foreign(text, hints)
    return "; ".join(part for part in (found.wrong, found.meant) if part) if found else ""


def looks_like_a_path(entry: str) -> bool:
    """Return True for an entry that is more likely the name of a file."""
    return bool(_PATH.fullmatch(entry) or _FILE_NAME.fullmatch(entry))


def source_of(path: str) -> str:
    """Return how the file `path` is probably to be named as a source; of an index, its source."""
    name = source_of_index(path) or path
    word = "postfix" if "/postfix/" in name else "sendmail" if name.startswith("/etc/mail/") else "file"
    return f"{word}:{name}"


def source_of_index(path: str) -> str:
    """Return the file from which postmap or makemap built the index `path`; "" if it is not an index."""
    return _INDEX.sub("", path) if _INDEX.search(path) else ""


def synonym(word: str, known: Iterable[str]) -> str:
    """Return which of the `known` words was meant by the word of another program; "" if it is not recognised."""
    return next((one for one in known if word.lower() in SYNONYMS.get(one, "").split()), "")
