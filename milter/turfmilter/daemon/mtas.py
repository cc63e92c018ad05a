"""The MTAs of this host: whether their configuration and ours go together.

Nothing is said about an MTA that is not installed.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from turfmilter.config.received import MAIN_CF, PostfixError, explain_unlisted, received
from turfmilter.config.schema import Config
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.daemon import onpostfix, onsendmail
from turfmilter.daemon.uncovered import uncovered
from turfmilter.importers.sendmailcf import read_sendmail_cf
from turfmilter.mta import postconf

POSTFIX = Path("/etc/postfix")
SENDMAIL = Path("/etc/mail/sendmail.cf")
_FOLLOW_POSTFIX = '"postfix:main.cf" to follow Postfix'
_FOLLOW_SENDMAIL = '"sendmail:/etc/mail/local-host-names" and "sendmail:/etc/mail/relay-domains" to follow Sendmail'


def postfix_installed() -> bool:
    """True when this host has Postfix, configured or not."""
    return _exists(POSTFIX / MAIN_CF) or postconf.installed()


def sendmail_installed() -> bool:
    """True when this host has Sendmail; a program of that name is no proof, because Postfix has one, too."""
    return _exists(SENDMAIL) or _exists(SENDMAIL.with_suffix(".mc"))


def warnings(config: Config, today: date, *, postfix: Path = POSTFIX, sendmail: Path = SENDMAIL) -> list[str]:
    """What does not go together; `postfix` is the directory of main.cf unless the configuration names another."""
    named = next((path.parent for path in config.files if path.name == MAIN_CF), postfix)
    said = []
    if _exists(named / MAIN_CF):
        said += _of_postfix(config, named, today)
    if _exists(sendmail):
        said += _of_sendmail(config, sendmail, today)
    return said


def _exists(path: Path) -> bool:
    """False also where we may not look: after a start by root, a reload is done by the filter's user."""
    try:
        return path.exists()
    except OSError:
        return False


def _of_postfix(config: Config, directory: Path, today: date) -> list[str]:
    programs = postconf.Postconf()
    try:
        main = programs.parameters(onpostfix.PARAMETERS, directory)
        said = onpostfix.warnings(config, main, programs.services(directory))
        found = received(programs, directory, [])
    except (PostfixError, TextFileError) as error:
        return [f"{directory / MAIN_CF} cannot be compared with this configuration: {error}"]
    said += uncovered(config, found.entries, "Postfix", _FOLLOW_POSTFIX, today)
    if not config.domains.files:  # otherwise one of these may hold them, and main.cf itself has said so
        said += [explain_unlisted(parameter, table) for parameter, table in found.unlisted]
    return said


def _of_sendmail(config: Config, path: Path, today: date) -> list[str]:
    try:
        cf = read_sendmail_cf(read_text(path))
    except TextFileError as error:
        return [f"Sendmail's configuration cannot be compared with this one: {error}"]
    said = onsendmail.warnings(config.socket, cf)
    return said + uncovered(config, onsendmail.received(cf), "Sendmail", _FOLLOW_SENDMAIL, today)
