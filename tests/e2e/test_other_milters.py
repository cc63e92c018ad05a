"""Behind turfmilter: OpenDKIM and rspamd, as the how-to page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from e2e.freshhost import PostfixMachine, postfix_machine, set_up
from e2e.reader import ROOT, follow
from e2e.stockhost import CONTRIB, SOCKET, run
from rig.mailfilters import DKIM, SPAM, OpenDkim, Rspamd

CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["example.org"]
[reverse_name]
remove_forged = true
[turf]
tables = ["file:turf.table"]
directory = "/var/lib/turfmilter/quarantine"
"""
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"  # every spam filter rejects this line
FORGED = "Authentication-Results: mx.example.org; dkim=pass header.d=bank.example"


def attached(here: PostfixMachine, port: int) -> None:
    here.postfix.write(
        "main.cf", f"{(here.postfix.config / 'main.cf').read_text()}smtpd_milters = inet:127.0.0.1:{port}\n"
    )
    set_up(CONFIG, "@turf.example\n")
    run(CONTRIB / "postfix/attach", "--yes")
    run("postfix", "reload")


def send(here: PostfixMachine, sender: str, text: str, *head: str) -> int:
    """Send a message; the code of the last reply."""
    fields = ["From: a@out.example", "To: anna@example.org", "Subject: x", "Date: Tue, 01 Dec 2026 12:00:00 +0000"]
    message = "\r\n".join([*head, *fields, "Message-ID: <1@out.example>", "", text, ""])
    with here.client() as client:
        return client.transaction(f"<{sender}>", "<anna@example.org>", message=message)[-1].code


def results(data: bytes) -> list[str]:
    return re.findall(r"(?mi)^Authentication-Results: .*(?:\n[ \t].*)*", data.decode().replace("\r\n", "\n"))


def test_the_results_of_opendkim_stay_and_forged_ones_do_not(place: Path) -> None:
    with postfix_machine(place) as here, OpenDkim(place, "mx.example.org"):
        attached(here, DKIM)
        follow(ROOT / "docs/howto/other-milters.md")
        assert send(here, "a@out.example", "hello", FORGED) == 250
        (delivery,) = here.sink.wait_for(1)
        assert [("dkim=none" in one, "pass" in one) for one in results(delivery.data)] == [(True, False)]
        here.sink.clear()
        assert send(here, "news@turf.example", "hello") == 250
        [held] = Path("/var/lib/turfmilter/quarantine/new").iterdir()
        assert results(held.read_bytes()) == []
        run("turfctl", "release", held.name)
        (released,) = here.sink.wait_for(1)
        assert ["dkim=none" in one for one in results(released.data)] == [True]


def test_rspamd_rejects_what_turfmilter_accepts_and_what_is_released(place: Path) -> None:
    with postfix_machine(place) as here, Rspamd(place):
        attached(here, SPAM)
        assert send(here, "a@out.example", GTUBE) == 554
        assert send(here, "news@turf.example", GTUBE) == 250
        [held] = [path.name for path in Path("/var/lib/turfmilter/quarantine/new").iterdir()]
        done = subprocess.run(["turfctl", "release", held], capture_output=True, text=True, check=False)
        assert (done.returncode, "554 5.7.1" in done.stdout, "Gtube" in done.stdout) == (1, True, True), done
        assert held in run("turfctl", "list", "--json")
        assert here.sink.deliveries == []
