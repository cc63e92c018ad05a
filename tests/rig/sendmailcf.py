"""Sendmail's configuration, made by m4 from Debian's files and from the features that contrib ships."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rig import wait

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "build/sendmail/usr/libexec/sendmail/sendmail"
CF = ROOT / "build/sendmail/usr/share/sendmail/cf"
_FEATURES = ROOT / "contrib/sendmail"

SUBMITTER = "nobody"  # the user that the submission program switches to: it refuses to stay root

# A busy machine must take mail like an idle one; nothing may leave loopback, ident and DNS included.
_CALM = """\
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`confDELAY_LA', `10000')dnl
define(`confTO_IDENT', `0s')dnl
define(`STATUS_FILE', `')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
"""


def version() -> tuple[int, int]:
    """The version of Debian's files, which is the program's: (8, 17) for example."""
    [major, minor] = re.findall(r"^DZ(\d+)\.(\d+)", (CF / "m4/version.m4").read_text(), re.MULTILINE)[0]
    return int(major), int(minor)


def make_cf(path: Path, mc: str) -> None:
    """Write what m4 makes of `mc` to `path`, and `mc` beside it.  Raises RuntimeError with what m4 complains about."""
    source = path.with_suffix(".mc")
    source.write_text(mc)
    with TemporaryDirectory() as made:
        files = Path(made)
        for part in CF.iterdir():
            if part.name != "feature":
                (files / part.name).symlink_to(part)
        (files / "feature").mkdir()
        for feature in [*(CF / "feature").iterdir(), *_FEATURES.glob("*.m4")]:
            (files / "feature" / feature.name).symlink_to(feature)
        command = ["m4", f"-D_CF_DIR_={files}/", str(files / "m4/cf.m4"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=wait.AMPLE, check=False)
    if done.returncode or "m4:" in done.stderr or "ERROR" in done.stderr:
        raise RuntimeError(f"{source}: {done.stderr}")
    path.write_text(done.stdout)


def mta_mc(
    directory: Path,
    *,
    host: str,
    sink: int,
    domains: Iterable[str],
    relays: Iterable[str] | None,
    lines: Iterable[str],
) -> str:
    """sendmail.mc of a host that sends everything that it accepts to the SMTP server at the port `sink`.

    It relays for the clients and domains `relays`, or for every client.  `lines` are above the mailers.
    """
    above = [
        "OSTYPE(`linux')dnl",
        f"define(`confDOMAIN_NAME', `{host}')dnl",
        *[f"LOCAL_DOMAIN(`{domain}')dnl" for domain in domains],
        *_paths(directory, "queue"),
        f"define(`confSERVICE_SWITCH_FILE', `{directory}/etc/service.switch')dnl",
        # The mailer's own name of the next hop stays what it is; the connection goes to the sink all the same.
        *[f"define(`{name}_MAILER_ARGS', `TCP [127.0.0.1] {sink}')dnl" for name in ("SMTP", "ESMTP", "RELAY")],
        *[
            f"FEATURE(`{name}')dnl"
            for name in (
                "no_default_msa",
                "nocanonify",
                *(["promiscuous_relay"] if relays is None else []),
                "accept_unqualified_senders",
                "accept_unresolvable_domains",
            )
        ],
        *[f"RELAY_DOMAIN(`{one}')dnl" for one in relays or ()],
        *lines,
    ]
    # Where libsasl finds Sendmail.conf: an environment variable, which only the configuration can set.
    sasl = f"LOCAL_CONFIG\nESASL_CONF_PATH={directory}/etc/sasl\n"
    return "divert(0)dnl\nVERSIONID(`rig')\n" + "\n".join(above) + "\n" + _CALM + sasl + _mailers(sink)


def submit_mc(directory: Path, port: int) -> str:
    """submit.mc of the program that users call, which gives everything to the listener at `port`."""
    above = [
        "OSTYPE(`linux')dnl",
        f"define(`confRUN_AS_USER', `{SUBMITTER}')dnl",
        f"define(`MSP_QUEUE_DIR', `{directory}/client-queue')dnl",
        f"define(`RELAY_MAILER_ARGS', `TCP $h {port}')dnl",
        f"define(`confPID_FILE', `{directory}/submit.pid')dnl",
        f"define(`confSERVICE_SWITCH_FILE', `{directory}/etc/service.switch')dnl",
    ]
    return "divert(0)dnl\nVERSIONID(`rig')\n" + "\n".join(above) + "\n" + _CALM + "FEATURE(`msp', `[127.0.0.1]')dnl\n"


def listener(name: str, port: int, options: str) -> str:
    """The line for a listener on loopback; of a key that occurs twice, Sendmail uses the last."""
    known = f"Name={name}, Family=inet, Addr=127.0.0.1, Port={port}, Listen=128"
    return f"DAEMON_OPTIONS(`{known}{options and ', '}{options}')dnl"


def tables(config: Path, maps: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The lines for `maps`, each of which is a feature's name, or "aliases"."""
    known = []
    for name in maps:
        if name == "aliases":
            known.append(f"define(`ALIAS_FILE', `{config}/aliases')dnl")
        else:
            known.append(f"FEATURE(`{name}', `text -k0 -v1 -o {config}/{name}')dnl")
    return known


def logins(config: Path, certificate: Path) -> list[str]:
    """The lines for AUTH and STARTTLS, and no AUTH without."""
    return [
        "define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl",
        "TRUST_AUTH_MECH(`PLAIN LOGIN')dnl",
        "define(`confAUTH_OPTIONS', `A,p')dnl",
        f"define(`confSERVER_CERT', `{certificate}')dnl",
        f"define(`confSERVER_KEY', `{certificate}')dnl",
        f"define(`confCACERT', `{certificate}')dnl",
        f"define(`confCACERT_PATH', `{config}')dnl",
    ]


def _paths(directory: Path, queue: str) -> list[str]:
    return [
        f"define(`QUEUE_DIR', `{directory}/{queue}')dnl",
        f"define(`confPID_FILE', `{directory}/{queue}.pid')dnl",
        "define(`ALIAS_FILE', `')dnl",
    ]


def _mailers(sink: int) -> str:
    # For local users too all mail goes to the sink; what filters see of them, {rcpt_mailer} and {rcpt_addr}, stays.
    return f"""\
MAILER(`local')dnl
MAILER(`smtp')dnl
MAILER_DEFINITIONS
Mlocal, P=[IPC], F=lmADFMuXa5@, S=EnvFromSMTP/HdrFromSMTP, R=EnvToL/HdrToL, E=\\r\\n, L=0,
	T=DNS/RFC822/SMTP, A=TCP [127.0.0.1] {sink}
"""
