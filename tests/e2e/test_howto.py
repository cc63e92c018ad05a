"""The how-to pages about Postfix and the filter itself: their commands, typed in order, print what the pages show."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from e2e.filteredhost import shown as already_there
from e2e.freshhost import PostfixMachine, postfix_machine, set_up
from e2e.reader import ROOT, follow
from e2e.stockhost import CONTRIB, SOCKET, installed, run
from rig import wait
from rig.page import steps

HOWTO = ROOT / "docs/howto"
CONFIG_FILE = Path("/etc/turfmilter/turfmilter.toml")
CHECK_AND_RELOAD = "turfmilter -t && systemctl reload turfmilter"
CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["example.org"]
"""
TURF = """\
[turf]
tables = ["file:turf.table"]
directory = "/var/lib/turfmilter/quarantine"
"""


def attached(here: PostfixMachine) -> None:
    """Attach the filter, and let clients of this host appear as others."""
    main = here.postfix.config / "main.cf"
    here.postfix.write("main.cf", f"{main.read_text()}smtpd_authorized_xclient_hosts = 127.0.0.1\n")
    run(CONTRIB / "postfix/attach", "--yes")
    run("postfix", "reload")


def send(here: PostfixMachine, sender: str, recipient: str, *, client: str = "", author: str = "a@out.example") -> None:
    """Send one message, from another client if it is named."""
    with here.client() as session:
        if client:
            session.xclient(ADDR=client, NAME="[UNAVAILABLE]")
            session.ehlo()
        message = f"From: {author}\r\n\r\nHello.\r\n"
        replies = session.transaction(f"<{sender}>", f"<{recipient}>", message=message)
        assert [reply.code for reply in replies] == [250, 250, 250], replies


def first_line(page: Path, words: str) -> str:
    """The first line of the block of commands in whose first line the words are."""
    (found,) = [line for step in steps(page) if words in (line := step.text.partition("\n")[0])]
    return found


@pytest.fixture
def here(place: Path) -> Iterator[PostfixMachine]:
    with postfix_machine(place) as one:
        yield one


def test_the_commands_of_the_page_about_postfix_attach_the_filter(here: PostfixMachine) -> None:
    files = [Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")]
    before = [path.read_bytes() for path in files]
    set_up(CONFIG)
    follow(HOWTO / "attach-to-postfix.md")
    wait.until(lambda: here.sink.deliveries, "the message of the last section")
    subprocess.run([CONTRIB / "postfix/attach", "--undo", "--yes"], check=True, capture_output=True)
    assert [path.read_bytes() for path in files] == before


def test_the_commands_of_the_page_about_content_filters_attach_it_in_front(here: PostfixMachine) -> None:
    set_up(CONFIG)
    for name in ("main.cf", "master.cf"):
        here.postfix.write(name, (here.postfix.config / name).read_text() + already_there(name))
    follow(HOWTO / "with-a-content-filter.md")
    back = here.postfix.run("postconf", "-P", "127.0.0.1:10025/inet/smtpd_milters")
    assert back == "127.0.0.1:10025/inet/smtpd_milters =\n"


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_submission_show_the_name_of_the_listener() -> None:
    page = HOWTO / "submission-listener.md"
    by_name, *_ = [step.text for step in steps(page) if step.language == "toml"]
    set_up(CONFIG)

    def configured(block: str) -> str:
        CONFIG_FILE.write_text(CONFIG + by_name)
        return block

    def answered(block: str) -> str:
        return block.replace("--auth-user anna", "--auth-user anna --auth-password secret")

    follow(page, {CHECK_AND_RELOAD: configured, first_line(page, "--auth-user anna"): answered})


def test_the_commands_of_the_page_about_systemd_start_the_service_and_then_its_socket(here: PostfixMachine) -> None:
    follow(HOWTO / "run-under-systemd.md", edits=True)
    here.wait_for_log("started: .*, socket fd:3,")


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_reloading_work() -> None:
    set_up(CONFIG + TURF)
    Path("/usr/local/sbin/mktable").write_text("#!/bin/sh\necho @shop.example\n")
    Path("/usr/local/sbin/mktable").chmod(0o755)
    follow(HOWTO / "reload-and-restart.md")


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_upgrades_restart_the_filter_and_check_it() -> None:
    set_up(CONFIG + TURF)
    follow(HOWTO / "upgrade.md")


def test_the_commands_of_the_page_about_trial_show_what_would_have_been_done(here: PostfixMachine) -> None:
    strict = '[connect]\ndeny = ["203.0.113.0/24"]\n[relay]\nallow = []\n'
    set_up(f'mode = "trial"\n{CONFIG}{strict}{TURF}', "# Senders whose mail is held.\n@turf.example\n")
    attached(here)
    for _ in range(7):
        send(here, "spam@turf.example", "anna@example.org")
    for _ in range(3):
        send(here, "anna@example.org", "x@elsewhere.example")
    for _ in range(2):
        send(here, "x@out.example", "anna@example.org", client="203.0.113.9")
    send(here, "x@out.example", "anna@example.org", author="@")
    follow(HOWTO / "go-live.md")


def test_the_commands_of_the_page_about_emergencies_let_mail_pass_and_release_what_was_held(
    here: PostfixMachine,
) -> None:
    page = HOWTO / "stop-filtering.md"
    set_up(f'mode = "enforce"\n{CONFIG}[relay]\nallow = []\n{TURF}', "@shop.example\n")
    attached(here)
    for _ in range(2):
        send(here, "news@shop.example", "anna@example.org")
    with here.client() as session:
        replies = session.transaction("<a@out.example>", "<x@elsewhere.example>", message="")
        assert 550 in [reply.code for reply in replies], replies

    def passed(block: str) -> str:
        send(here, "news@shop.example", "anna@example.org")
        return block

    def attached_again(block: str) -> str:
        return f"contrib/postfix/attach --yes\npostfix reload\n{block}"

    follow(
        page,
        {first_line(page, "attach --undo"): passed, first_line(page, "turfctl release"): attached_again},
        edits=True,
    )
    assert unreviewed() == []
    wait.until(lambda: len(here.sink.deliveries) == 3, "the one that passed and the two released ones")


def test_the_commands_of_the_page_about_clients_show_which_would_be_rejected(here: PostfixMachine) -> None:
    strict = '[connect]\nmode = "trial"\ndefault = "deny"\nallow = ["127.0.0.0/8"]\ndeny = ["203.0.113.0/24"]\n'
    set_up(CONFIG + strict)
    attached(here)
    for _ in range(3):
        send(here, "x@out.example", "anna@example.org", client="203.0.113.9")
    for _ in range(2):
        send(here, "x@out.example", "ben@example.org", client="198.51.100.7")
    page = HOWTO / "restrict-who-connects.md"

    def enforced(block: str) -> str:
        CONFIG_FILE.write_text(CONFIG + strict.replace("trial", "enforce"))
        here.wait_for_log("connect.mode|generation [3-9]: ")
        return block

    follow(page, {first_line(page, "swaks "): enforced})


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_relaying_work() -> None:
    set_up(CONFIG)
    follow(HOWTO / "let-clients-relay.md")


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_domains_in_a_database_write_them_to_a_file() -> None:
    page = HOWTO / "domains-from-a-database.md"
    (script,) = [step.text for step in steps(page) if step.language == "bash"]
    domains, *_ = [step.text for step in steps(page) if step.language == "toml"]
    set_up(CONFIG, start=False)
    for name, text in (("turfmilter-domains", script), ("mysql", "#!/bin/sh\necho customer.example\n")):
        Path("/usr/local/sbin", name).write_text(text)
        Path("/usr/local/sbin", name).chmod(0o755)
    CONFIG_FILE.with_name("domains.mysql").touch()
    CONFIG_FILE.write_text(CONFIG.replace('domains = ["example.org"]\n', domains))
    follow(page)
    assert CONFIG_FILE.with_name("domains.mysql").read_text() == "=customer.example\n"


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_the_turf_table_edit_it() -> None:
    set_up(CONFIG + TURF, "# Senders whose mail is held.\n" * 6)
    follow(HOWTO / "edit-the-turf-table.md")


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_the_quarantine_alone_pass_the_check() -> None:
    page = HOWTO / "quarantine-only.md"
    (toml,) = [step.text for step in steps(page) if step.language == "toml"]
    set_up(f'user = "turfmilter"\nsocket = "unix:{SOCKET}"\n{toml}', "@shop.example\n", start=False)
    follow(page)


OFFER = (
    "From: News <news@turf.example>\r\nDate: Mon, 02 Mar 2026 12:30:00 +0000\r\nMessage-ID: <1@turf.example>\r\n"
    "Subject: Our offer\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nIt pays to read this to its end.\r\n"
    '--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="offer.png"\r\n\r\n'
    + "0123456789\r\n" * 400
    + "\r\n--b--\r\n"
)


def hold(here: PostfixMachine, sender: str, message: str) -> None:
    """Hold a message for Anna that a client in the documentation's network has sent."""
    with here.client() as session:
        session.xclient(ADDR="192.0.2.7", NAME="mail.turf.example", HELO="mail.turf.example")
        session.ehlo("mail.turf.example")
        replies = session.transaction(f"<{sender}> SIZE=5000", "<anna@example.org>", message=message)
        assert [reply.code for reply in replies] == [250, 250, 250], replies


def test_the_commands_of_the_page_about_the_quarantine_review_and_release(here: PostfixMachine) -> None:
    page = HOWTO / "review-the-quarantine.md"
    set_up(CONFIG + TURF, "<>\n" + "# Senders whose mail is held.\n" * 10 + "@turf.example\n")
    attached(here)
    hold(here, "", "From: MAILER-DAEMON@mx.turf.example\r\nSubject: Undelivered Mail\r\n\r\nx\r\n")
    run("turfctl", "show", "--mark", *unreviewed())
    hold(here, "news@turf.example", OFFER)

    def another(block: str) -> str:
        """The block about one of two messages that were not released yet, in place of the page's."""
        before = unreviewed()
        for _ in range(2):
            hold(here, "news@turf.example", OFFER)
        return block.replace("2q06cc", min(set(unreviewed()) - set(before)))

    def reviewed(block: str) -> str:
        """The block, for two reviewed messages that the page does not show elsewhere."""
        before = unreviewed()
        for _ in range(2):
            hold(here, "old@turf.example", OFFER)
        for new in set(unreviewed()) - set(before):
            run("turfctl", "show", "--mark", new)
        return block

    follow(
        page,
        {
            first_line(page, "--state reviewed --dry-run"): reviewed,
            first_line(page, "| turfctl delete -"): lambda block: f"{block}turfctl undelete 2q06cc\n",
            first_line(page, "release 2q06cc --to"): another,
            first_line(page, "--and-allow"): another,
            first_line(page, "turfctl review"): lambda _: "",  # tests/integration/test_turfctl_review.py does this
            first_line(page, "mutt"): lambda _: "",  # tests/integration/test_mutt.py does this
            first_line(page, "export"): lambda block: f"cd /var\n{block}",
            first_line(page, "--part 2"): lambda block: f"cd /var\n{block}",
        },
    )


def unreviewed() -> list[str]:
    """The ids of the messages that are new in quarantine."""
    return sorted(path.name for path in Path("/var/lib/turfmilter/quarantine/new").iterdir())


def test_the_command_that_writes_domains_from_a_database_keeps_the_old_ones_when_it_fails(place: Path) -> None:
    (script,) = [step.text for step in steps(HOWTO / "domains-from-a-database.md") if step.language == "bash"]
    domains = Path("/etc/turfmilter/domains.mysql")

    def answered(says: str) -> tuple[bool, str, int]:
        """What a database that `says` this leaves: whether the command succeeded, the file, and its inode."""
        program = Path("/usr/local/sbin/mysql")
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
        assert [path.name for path in domains.parent.iterdir() if path.name.startswith("domains.")] == [domains.name]
        return done.returncode == 0, domains.read_text(), domains.stat().st_ino

    with installed(place, CONFIG):
        first = answered("echo a.test; echo b.test")
        assert first[:2] == (True, "=a.test\n=b.test\n")
        assert domains.stat().st_mode & 0o777 == 0o644
        assert answered("echo a.test; echo b.test") == first  # no change: no reload
        assert answered("exit 0") == (False, *first[1:])
        assert answered("echo a.test; exit 1") == (False, *first[1:])
        assert answered("echo c.test")[:2] == (True, "=c.test\n")


def test_the_commands_of_the_page_about_backups_bring_back_everything(here: PostfixMachine) -> None:
    page = HOWTO / "backup-and-restore.md"
    set_up(CONFIG + TURF, "@turf.example\n")
    attached(here)
    for sender in ("news@turf.example", "shop@turf.example"):
        hold(here, sender, OFFER)
    run("turfctl", "show", "--mark", max(unreviewed()))
    before = run("turfctl", "list", "--json")

    def after_all_was_lost(block: str) -> str:
        """The block, in front of whose last commands everything that the archive has is removed."""
        stop, rest = block.split("\n", 1)
        return f"{stop}\nrm -r /etc/turfmilter /var/lib/turfmilter\n{rest}"

    follow(page, {"systemctl stop turfmilter": after_all_was_lost})
    assert run("turfctl", "list", "--json") == before


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_fail2ban_pass_its_own_test() -> None:
    set_up(CONFIG, start=False)
    Path("/etc/fail2ban/jail.d/defaults-debian.conf").unlink()  # of sshd, which does not run here
    follow(HOWTO / "fail2ban.md")


def test_fail2ban_counts_clients_that_may_not_relay_and_no_others(here: PostfixMachine, place: Path) -> None:
    set_up(CONFIG + "[connect]\ndeny = ['203.0.113.0/24']\n[relay]\nallow = []\n" + TURF, "@turf.example\n")
    attached(here)
    # Postfix itself lets these relay; otherwise it would reject them before it asks a filter.
    networks = "mynetworks = 127.0.0.0/8 192.0.2.0/24 [2001:db8::]/32\n"
    here.postfix.write("main.cf", (here.postfix.config / "main.cf").read_text() + networks)
    run("postfix", "reload")
    forged = "x.client=198.51.100.1.verdict=reject.rule=relay"
    for client, sender, recipient in (
        ("192.0.2.7", "x@out.example", "x@elsewhere.example"),
        ("192.0.2.8", f"{forged}@out.example", "anna@example.org"),
        ("192.0.2.9", "news@turf.example", "anna@example.org"),
        ("203.0.113.9", "x@out.example", "anna@example.org"),
        ("192.0.2.10", f'"a verdict=reject rule=relay {forged}"@out.example', "anna@example.org"),
        ("2001:db8::7", "x@out.example", '"x@elsewhere.example"@example.org'),
    ):
        with here.client() as session:
            session.xclient(ADDR=client if ":" not in client else f"IPV6:{client}", NAME="[UNAVAILABLE]")
            session.ehlo("verdict=reject")
            session.transaction(f"<{sender}>", f"<{recipient}>", message="Subject: x\r\n\r\nx\r\n")
    for client in ("192.0.2.7", "203.0.113.9", "192.0.2.10", "2001:db8::7"):  # lines of two workers have no order
        here.wait_for_log(f"client={client} ")
    log = place / "mail.log"
    written = re.findall(r"(?m)^(?:<\d+>)?(turfmilter\[\d+\]: .*)$", here.log())
    log.write_text("".join(f"{datetime.now().astimezone():%b %e %T} mx {line}\n" for line in written))
    run("install", CONTRIB / "fail2ban/filter.d/turfmilter.conf", "/etc/fail2ban/filter.d")
    found = run("fail2ban-regex", "--out", "ip", log, "turfmilter").split()
    assert sorted(found) == ["192.0.2.7", "2001:db8::7", "203.0.113.9"]


def test_the_help_desk_reviews_and_releases_and_edits_nothing(here: PostfixMachine) -> None:
    set_up(CONFIG + TURF, "@turf.example\n")
    attached(here)
    follow(HOWTO / "help-desk.md")
    run("useradd", "--system", "--groups", "helpdesk", "anna")
    for _ in range(3):
        hold(here, "news@turf.example", OFFER)
    first, second, third = unreviewed()

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        as_anna = ["setpriv", "--reuid", "anna", "--regid", "anna", "--init-groups", "--reset-env"]
        logged_in = ["sh", "-c", 'echo $(id -u anna) >/proc/self/loginuid; exec "$@"', "sh"]
        command = [*logged_in, *as_anna, "sudo", "-n", "-u", "turfmilter", "turfctl", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert asked("list").stdout.count("Our offer") == 3
    assert asked("release", first).returncode == 0
    assert asked("delete", second).returncode == 0
    assert '"who": "anna"' in Path("/var/lib/turfmilter/quarantine/ledger").read_text()
    table = CONFIG_FILE.with_name("turf.table")
    for words in (
        ["turf", "add", "@out.example"],
        ["release", "--and-allow", third],
        ["-c", "/etc/turfmilter/turfmilter.toml", "list"],
        ["expire", "--trust-dates", "--yes"],
        ["export", "--all"],
    ):
        assert asked(*words).returncode != 0, words
        assert table.read_text() == "@turf.example\n"
    assert asked("show", third).returncode == 0
