"""Checks whether the configuration of the MTAs on this host is consistent with the filter's.

An MTA that is not installed is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

from turfmilter.config.kinds.words import Default
from turfmilter.config.received import MAIN_CF, PostfixError, Remembered, explain_unlisted, received
from turfmilter.config.schema import Config
from turfmilter.config.textfile import TextFileError, Texts, read_text
from turfmilter.core.policy import Mode
from turfmilter.core.table.entry import Entry, listed
from turfmilter.core.table.pattern import Name
from turfmilter.daemon import onpostfix, onsendmail
from turfmilter.importers.maincf import Received
from turfmilter.importers.sendmailcf import read_sendmail_cf
from turfmilter.mta import postconf

POSTFIX = Path("/etc/postfix")
SENDMAIL = Path("/etc/mail/sendmail.cf")
_FOLLOW_POSTFIX = '"postfix:main.cf" to follow Postfix'
_FOLLOW_SENDMAIL = '"sendmail:/etc/mail/local-host-names" and "sendmail:/etc/mail/relay-domains" to follow Sendmail'


def postfix_installed() -> bool:
    """True if Postfix is installed, configured or not."""
    return _exists(POSTFIX / MAIN_CF) or postconf.installed()


def sendmail_installed() -> bool:
    """True if Sendmail is installed.  A program named sendmail is not proof, because Postfix has one too."""
    return _exists(SENDMAIL) or _exists(SENDMAIL.with_suffix(".mc"))


def warnings(config: Config, today: date, *, postfix: Path = POSTFIX, sendmail: Path = SENDMAIL) -> list[str]:
    """Warnings about inconsistencies; `postfix` is the directory of main.cf if the configuration names no other."""
    named = next((path.parent for path in config.files if path.name == MAIN_CF), postfix)
    said = []
    if _exists(named / MAIN_CF):
        said += _of_postfix(config, named, today)
    if _exists(sendmail):
        said += _of_sendmail(config, sendmail, today)
    return said


def _exists(path: Path) -> bool:
    """False also if access is denied: after a start by root, reloads run as the filter's user."""
    try:
        return path.exists()
    except OSError:
        return False


def _of_postfix(config: Config, directory: Path, today: date) -> list[str]:
    programs = postconf.Postconf()
    try:
        main = programs.parameters(onpostfix.PARAMETERS, directory)
        said = onpostfix.warnings(config, main, programs.services(directory), today)
        found = _received(config, programs, directory)
    except (PostfixError, TextFileError) as error:
        return [f"{directory / MAIN_CF} cannot be compared with this configuration: {error}"]
    said += uncovered(config, found.entries, "Postfix", _FOLLOW_POSTFIX, today)
    # With table files in `domains` one of them may contain these; "postfix:" sources have reported them already.
    if not config.domains.files:
        said += [explain_unlisted(parameter, table) for parameter, table in found.unlisted]
    return said


def _received(config: Config, programs: postconf.Postconf, directory: Path) -> Received:
    """The domains that Postfix receives mail for, from its answers when main.cf was loaded as a source, or new ones.

    Raises PostfixError or TextFileError.
    """
    answers = Texts(config.texts)
    for asked in (None, directory):  # "postfix:main.cf", "postfix:DIRECTORY/main.cf"
        with suppress(PostfixError):
            return received(Remembered(None, answers), asked, [], answers)
    return received(programs, directory, [])


def _of_sendmail(config: Config, path: Path, today: date) -> list[str]:
    try:
        cf = read_sendmail_cf(read_text(path))
    except TextFileError as error:
        return [f"Sendmail's configuration cannot be compared with this one: {error}"]
    said = onsendmail.warnings(config, cf, today)
    return said + uncovered(config, onsendmail.received(cf), "Sendmail", _FOLLOW_SENDMAIL, today)


_NAMED = 5  # the number of domains that the warning lists
_PROBE = "any-host"  # a subdomain for which no administrator has an entry


def uncovered(config: Config, received: Iterable[Entry], mta: str, advice: str, today: date) -> list[str]:
    """At most one warning, which lists the domains in `received` whose recipients the relay rule would reject.

    `mta` is the MTA's name; `advice` is what to add to `domains` so that it follows the MTA.
    """
    mode = _mode(config)
    if mode is Mode.OFF:
        return []
    entries = list(received)
    excluded = {entry.pattern for entry in entries if entry.exception}
    missing = {
        entry.text: entry.where.source
        for entry in entries
        if not entry.exception and entry.pattern not in excluded and _refused(config, entry, today)
    }
    if not missing:
        return []
    named = ", ".join(f'"{text}" ({source})' for text, source in list(missing.items())[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    rejects = "rejects" if mode is Mode.ENFORCE else "would reject"
    return [
        f"domains: {mta} receives mail for {named}{more}, and turfmilter {rejects} it with"
        f' "{config.relay.reply}"; add {"it" if len(missing) == 1 else "them"}, or add {advice}'
    ]


def _mode(config: Config) -> Mode:
    """The strictest mode of the relay rule at any listener that refuses clients by default."""
    views = [config, *map(config.at, config.listener)]
    modes = [min(config.mode, view.relay.mode, key=list(Mode).index) for view in views if not _open(view)]
    return max(modes, key=list(Mode).index, default=Mode.OFF)


def _open(view: Config) -> bool:
    return view.relay.default is Default.ALLOW and view.relay.routing


def _refused(config: Config, entry: Entry, today: date) -> bool:
    """True if our entries do not cover everything that `entry` covers.  Names such as localhost are ignored."""
    pattern = entry.pattern
    if not isinstance(pattern, Name) or pattern.domain.split(".")[0] == "localhost":
        return False
    names = [pattern.domain] if pattern.exact else [pattern.domain, f"{_PROBE}.{pattern.domain}"]
    tables = (config.domains, config.relay.always)
    return not all(any(listed(table.match_name(name, today)) for table in tables) for name in names)
