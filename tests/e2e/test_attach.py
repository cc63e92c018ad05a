"""contrib/postfix/attach: what it changes, what it leaves alone, and the way back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from rig import wait
from rig.filesystem import tmpfs
from rig.machine import own_machine
from rig.network import own_network

ATTACH = Path(__file__).parents[2] / "contrib/postfix/attach"
STOCK = Path("/usr/share/postfix")
FILTER = "{ unix:turfmilter/turfmilter.sock, default_action=tempfail }"
SERVICES = """\
127.0.0.1:2525 inet n - y - - smtpd
  -o smtpd_milters=inet:localhost:9999
127.0.0.1:2526 inet n - y - - smtpd
  -o smtpd_milters=
"""
RELEASE = "127.0.0.1:10026"
SMTPS = "smtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"


@pytest.fixture
def etc(place: Path) -> Iterator[Path]:
    """Debian's configuration with odd services of the administrator's own; every port is free."""
    directory = place / "etc"
    directory.mkdir()
    (directory / "main.cf").write_text((STOCK / "main.cf.debian").read_text() + "\nmyhostname=  mx.rig.test\n")
    (directory / "master.cf").write_text((STOCK / "master.cf.dist").read_text() + SERVICES)
    with own_network([]):
        yield directory


def attach(etc: Path, *options: str, answer: str = "", status: int = 0) -> str:
    settle(etc)
    done = subprocess.run(
        [ATTACH, "-c", etc, *options], input=answer, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )
    assert done.returncode == status, done
    return done.stdout + done.stderr


def both(etc: Path) -> list[bytes]:
    """main.cf and master.cf; there is nothing else, or what undoing needs."""
    assert {path.name for path in etc.iterdir()} <= {"main.cf", "master.cf", "turfmilter.undo"}
    return [(etc / name).read_bytes() for name in ("main.cf", "master.cf")]


def value(etc: Path, *words: str) -> str:
    settle(etc)
    return subprocess.run(["postconf", "-c", etc, *words], capture_output=True, text=True, check=True).stdout.strip()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def settle(etc: Path) -> None:
    """Postfix waits until a file is two seconds old, lest somebody is still writing it."""
    for path in etc.glob("*.cf"):
        os.utime(path, (0, 0))


@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--submission"], ["--yes", "-s", "inet:127.0.0.1:8895"]])
def test_undo_restores_every_byte(etc: Path, options: list[str]) -> None:
    before = both(etc)
    attach(etc, *options)
    assert both(etc) != before
    attach(etc, "--undo", "--yes")
    assert both(etc) == before
    assert not (etc / "turfmilter.undo").exists()
    assert attach(etc, "--undo", "--yes") == "nothing to do\n"


def test_what_was_changed_since_survives_the_undo(etc: Path) -> None:
    before = both(etc)
    attach(etc, "--yes")
    own = "# of the administrator\n"
    (etc / "main.cf").write_text(own + (etc / "main.cf").read_text())
    attach(etc, "--undo", "--yes")
    assert both(etc) == [own.encode() + before[0], before[1]]


@pytest.mark.parametrize("options", [[], ["--submission"]])
def test_what_others_add_at_the_end_survives_the_undo(etc: Path, options: list[str]) -> None:
    """As `postconf -e` does, and whoever has an editor."""
    main, master = both(etc)
    attach(etc, "--yes", *options)
    append(etc / "main.cf", "smtpd_authorized_xclient_hosts = 127.0.0.1\n")
    append(etc / "master.cf", "other unix - n n - - pipe\n")
    attach(etc, "--undo", "--yes")
    added = [b"smtpd_authorized_xclient_hosts = 127.0.0.1\n", b"other unix - n n - - pipe\n"]
    assert both(etc) == [main + added[0], master + added[1]]


def test_what_others_change_in_the_line_above_survives_the_undo(etc: Path) -> None:
    """As `postconf -e` does; the last parameter of Debian 13's main.cf is inet_interfaces."""
    main, master = both(etc)
    attach(etc, "--yes")
    value(etc, "-e", "myhostname = other.rig.test", "inet_interfaces = loopback-only")
    attach(etc, "--undo", "--yes")
    changed = main.replace(b"myhostname=  mx.rig.test\n", b"myhostname = other.rig.test\n")
    assert both(etc) == [changed + b"inet_interfaces = loopback-only\n", master]


def test_a_change_in_the_very_same_lines_is_not_undone(etc: Path) -> None:
    attach(etc, "--yes")
    main = etc / "main.cf"
    main.write_text(main.read_text().replace("smtpd_milters = { unix:", "smtpd_milters = inet:localhost:1, { unix:"))
    after = both(etc)
    said = attach(etc, "--undo", "--yes", status=1)
    assert f"attach: {main} was changed in the same place since: remove the lines by hand" in said
    assert both(etc) == after


@pytest.mark.parametrize("options", [[], ["--submission"]])
def test_a_second_time_changes_nothing(etc: Path, options: list[str]) -> None:
    attach(etc, "--yes", *options)
    after = both(etc)
    assert attach(etc, "--yes", *options) == "nothing to do\n"
    assert both(etc) == after


ASKED = [["--submission"], ["-s", "inet:127.0.0.1:8895"], ["--release", "unfiltered"]]


@pytest.mark.parametrize("options", ASKED)
def test_what_was_asked_for_once_stays_until_the_undo(etc: Path, options: list[str]) -> None:
    before = both(etc)
    attach(etc, "--yes", *options)
    after = both(etc)
    assert attach(etc, "--yes") == "nothing to do\n"
    append(etc / "main.cf", "smtpd_client_restrictions = permit\n")
    attach(etc, "--yes", "--submission")
    attach(etc, "--yes")
    assert value(etc, "-M", "submission/inet")
    assert value(etc, "-h", "smtpd_milters") in after[0].decode()
    attach(etc, "--undo", "--yes")
    assert both(etc) == [before[0] + b"smtpd_client_restrictions = permit\n", before[1]]
    attach(etc, "--yes")
    assert value(etc, "-h", "smtpd_milters") == FILTER
    assert not value(etc, "-M", "submission/inet")


def test_what_was_asked_for_once_can_be_asked_for_differently(etc: Path) -> None:
    attach(etc, "--yes", "-s", "inet:127.0.0.1:8895", "--release", "unfiltered")
    attach(etc, "--yes", "-s", "inet:127.0.0.1:8896", "--release", "filtered")
    assert value(etc, "-h", "smtpd_milters") == "{ inet:127.0.0.1:8896, default_action=tempfail }"
    assert value(etc, "-Ph", f"{RELEASE}/inet/receive_override_options") == "no_header_body_checks"


OLD_MAIN = """\
smtpd_milters = { inet:127.0.0.1:8895, default_action=tempfail }, inet:localhost:8891
non_smtpd_milters = $smtpd_milters
"""
OLD_MASTER = """\
127.0.0.1:10026 inet n   -       y       -       -       smtpd
    -o smtpd_milters=
    -o content_filter=
    -o receive_override_options=no_milters,no_header_body_checks
submission inet n   -       y       -       -       smtpd
    -o smtpd_sasl_auth_enable=yes
"""


def test_what_an_earlier_version_attached_is_brought_up_to_date(etc: Path) -> None:
    """It kept the files, but not what it was asked for; and it turned the other filters on for local mail."""
    kept = etc / "turfmilter.undo"
    for name in ("before", "after"):
        (kept / name).mkdir(parents=True)
    append(etc / "main.cf", "smtpd_milters = inet:localhost:8891\n")
    before = both(etc)
    for name, old, text in zip(("main.cf", "master.cf"), before, (OLD_MAIN, OLD_MASTER), strict=True):
        (kept / "before" / name).write_bytes(old)
        after = old.replace(b"smtpd_milters = inet:localhost:8891\n", b"") + text.encode()
        (kept / "after" / name).write_bytes(after)
        (etc / name).write_bytes(after)
    attach(etc, "--yes")
    ours = "{ inet:127.0.0.1:8895, default_action=tempfail }"
    assert value(etc, "-h", "smtpd_milters") == f"{ours}, inet:localhost:8891"
    assert value(etc, "-h", "non_smtpd_milters") == ours
    assert value(etc, "-Ph", f"{RELEASE}/inet/smtpd_milters") == "inet:localhost:8891"
    assert value(etc, "-M", "submission/inet")
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


def test_every_change_bears_a_comment_that_names_turfmilter(etc: Path) -> None:
    append(etc / "master.cf", SMTPS)
    before = both(etc)
    attach(etc, "--yes", "--submission")
    for old, new in zip(before, both(etc), strict=True):
        lines = new.decode().splitlines()
        changes = SequenceMatcher(None, old.decode().splitlines(), lines, autojunk=False).get_opcodes()
        first = [lines[begin] for kind, _, _, begin, _ in changes if kind != "equal"]
        assert first
        assert [line for line in first if not line.startswith("# turfmilter: ")] == []
        assert new.count(b"# turfmilter: ") == len(first)


def test_a_line_that_need_not_change_keeps_its_form(etc: Path) -> None:
    own = "smtpd_milters =\n   unix:turfmilter/turfmilter.sock,\n\n# another\n\tinet:localhost:8891\n"
    append(etc / "main.cf", own)
    attach(etc, "--yes")
    assert own in (etc / "main.cf").read_text()


def test_a_socket_whose_name_only_begins_alike_is_another_one(etc: Path) -> None:
    append(etc / "main.cf", "smtpd_milters = inet:127.0.0.1:8895\n")
    attach(etc, "--yes", "-s", "inet:127.0.0.1:889")
    expected = "{ inet:127.0.0.1:889, default_action=tempfail }, inet:127.0.0.1:8895"
    assert value(etc, "-h", "smtpd_milters") == expected


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ([], "unix:turfmilter/turfmilter.sock"),
        ([], "unix:/var/spool/postfix/turfmilter/turfmilter.sock"),
        ([], "unix:/turfmilter/turfmilter.sock"),
        (["-s", "inet:127.0.0.1:8895"], "{inet:localhost:8895, default_action=tempfail}"),
    ],
)
def test_a_filter_attached_by_hand_stays_as_it_is(etc: Path, options: list[str], own: str) -> None:
    append(etc / "main.cf", f"smtpd_milters = inet:localhost:8891, {own}\n")
    attach(etc, "--yes", *options)
    assert value(etc, "-h", "smtpd_milters") == f"inet:localhost:8891, {own}"
    assert overrides(etc, RELEASE)["smtpd_milters"] == "inet:localhost:8891"


@pytest.mark.parametrize(
    ("main", "smtpd", "local"),
    [
        ("", FILTER, FILTER),
        ("smtpd_milters = inet:localhost:8891", f"{FILTER}, inet:localhost:8891", FILTER),
        ("smtpd_milters = $x\nx = inet:[::1]:1 unix:/y", f"{FILTER}, $x", FILTER),
        ("smtpd_milters =\n  inet:h:1,\n# a comment\n\tinet:h:2", f"{FILTER}, inet:h:1, inet:h:2", FILTER),
        ("smtpd_milters=\t{inet:h:1,\n protocol=6}", f"{FILTER}, {{inet:h:1, protocol=6}}", FILTER),
        ("milter_default_action = accept\nnon_smtpd_milters=", FILTER, FILTER),
        ("non_smtpd_milters = inet:localhost:8891", FILTER, f"{FILTER}, inet:localhost:8891"),
        ("non_smtpd_milters = $smtpd_milters", FILTER, "$smtpd_milters"),
    ],
)
def test_the_filter_comes_first_among_those_that_are_there(etc: Path, main: str, smtpd: str, local: str) -> None:
    append(etc / "main.cf", f"{main}\n")
    attach(etc, "--yes")
    assert value(etc, "-h", "smtpd_milters") == smtpd
    assert value(etc, "-h", "non_smtpd_milters") == local


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (
            "127.0.0.1:2525/inet/smtpd_milters",
            "{unix:turfmilter/turfmilter.sock,default_action=tempfail},inet:localhost:9999",
        ),
        ("127.0.0.1:2526/inet/smtpd_milters", ""),
        ("smtps/inet/milter_macro_daemon_name", "submission"),
    ],
)
def test_services_of_the_administrators_own_are_filtered_as_they_were_meant(
    etc: Path, parameter: str, expected: str
) -> None:
    append(etc / "master.cf", SMTPS)
    attach(etc, "--yes")
    assert value(etc, "-Ph", parameter) == expected


def smtp(*options: str) -> Callable[[str], str]:
    """master.cf with these options of the service for inbound mail."""
    stock = "smtp      inet  n       -       y       -       -       smtpd\n"
    return lambda text: text.replace(stock, stock + "".join(f"  -o {option}\n" for option in options))


def postscreen(text: str) -> str:
    """master.cf as its own comments have it for postscreen(8)."""
    changed = text.replace("smtp      inet  n       -       y       -       -       smtpd\n", "")
    return changed + (
        "smtp inet n - y - 1 postscreen\n"
        "smtpd pass - - y - - smtpd\n  -o smtpd_milters=inet:h:5\n  -o content_filter=scan:x\n"
    )


@pytest.mark.parametrize(
    ("main", "master", "expected"),
    [
        ("", str, {"smtpd_milters": "", "receive_override_options": "no_header_body_checks"}),
        ("smtpd_milters = inet:h:1 unix:/y", str, {"smtpd_milters": "inet:h:1,unix:/y"}),
        (f"smtpd_milters = {FILTER}, inet:h:1", str, {"smtpd_milters": "inet:h:1"}),
        ("smtpd_milters = inet:h:1, unix:turfmilter/turfmilter.sock", str, {"smtpd_milters": "inet:h:1"}),
        ("smtpd_milters = $x, inet:h:1\nx = unix:turfmilter/turfmilter.sock", str, {"smtpd_milters": "inet:h:1"}),
        ("smtpd_milters = $x\nx = inet:h:1", str, {"smtpd_milters": "$x"}),
        (
            f"smtpd_milters = {FILTER} $x\nx = unix:turfmilter/turfmilter.sock, inet:h:1",
            str,
            {"smtpd_milters": "inet:h:1"},
        ),
        (
            "smtpd_milters = { inet:h:1, default_action = accept,\n  { protocol = 6 } }, inet:h:2",
            str,
            {"smtpd_milters": "{inet:h:1,default_action=accept,{protocol=6}},inet:h:2"},
        ),
        ("content_filter = scan:x", str, {"content_filter": None}),  # as main.cf has it
        ("", smtp("content_filter=scan:x"), {"content_filter": "scan:x"}),
        ("smtpd_milters = inet:h:1", smtp("smtpd_milters=inet:h:2"), {"smtpd_milters": "inet:h:2"}),
        ("smtpd_milters = inet:h:1", smtp("smtpd_milters="), {"smtpd_milters": ""}),
        ("", postscreen, {"smtpd_milters": "inet:h:5", "content_filter": "scan:x"}),
        (
            "receive_override_options = no_address_mappings, no_milters",
            str,
            {"receive_override_options": "no_address_mappings,no_header_body_checks"},
        ),
        ("smtpd_proxy_filter = scan:1", str, {"smtpd_proxy_filter": ""}),  # what it holds has passed that
        ("", smtp("smtpd_proxy_filter=scan:1"), {"smtpd_proxy_filter": ""}),
    ],
)
def test_released_mail_passes_the_filters_of_inbound_mail_except_ours(
    etc: Path, main: str, master: Callable[[str], str], expected: dict[str, str | None]
) -> None:
    append(etc / "main.cf", f"{main}\n")
    (etc / "master.cf").write_text(master((etc / "master.cf").read_text()))
    attach(etc, "--yes")
    told = dict.fromkeys(expected) | overrides(etc, RELEASE)
    assert {name: told[name] for name in expected} == expected


def test_unfiltered_is_past_all_of_them(etc: Path) -> None:
    append(etc / "main.cf", "smtpd_milters = inet:h:1\ncontent_filter = scan:x\n")
    attach(etc, "--yes", "--release", "unfiltered")
    told = overrides(etc, RELEASE)
    assert [told[name] for name in ("smtpd_milters", "content_filter", "smtpd_proxy_filter")] == ["", "", ""]
    assert told["receive_override_options"] == "no_milters,no_header_body_checks"


def overrides(etc: Path, service: str) -> dict[str, str]:
    """What a service says itself."""
    lines = (line.partition(" =") for line in value(etc, "-P", f"{service}/inet/*").splitlines())
    return {name.rpartition("/")[2]: told.strip() for name, _, told in lines}


BACK = ["content_filter="]  # what a service to which a content filter hands mail back is known by
SERVICES_BACK: dict[str, tuple[list[str], str | None]] = {
    "127.0.0.1:10030": (BACK, "inet:h:1"),
    "localhost:10031": (BACK, "inet:h:1"),
    "[::1]:10032": (BACK, "inet:h:1"),
    "[127.0.0.1]:10033": (BACK, "inet:h:1"),
    "127.0.0.1:smtp-back": (BACK, "inet:h:1"),
    "10034": ([*BACK, "mynetworks=127.0.0.0/8,[::1]/128"], "inet:h:1"),
    "127.0.0.1:10035": (["smtpd_authorized_xforward_hosts=127.0.0.0/8"], "inet:h:1"),
    "127.0.0.1:10036": (["receive_override_options=no_unknown_recipient_checks"], "inet:h:1"),
    "127.0.0.1:10037": ([*BACK, "smtpd_milters=$filters_back"], "inet:h:3"),
    "127.0.0.1:10038": ([*BACK, "{smtpd_milters=inet:h:2, unix:turfmilter/turfmilter.sock}"], "inet:h:2"),
    # Nothing is to be done.
    "127.0.0.1:10040": ([*BACK, "smtpd_milters="], ""),
    "127.0.0.1:10041": ([*BACK, "smtpd_milters=inet:h:2"], "inet:h:2"),
    "127.0.0.1:10042": ([*BACK, "receive_override_options=no_milters"], None),
    # Clients send there.
    "127.0.0.1:587": (BACK, None),
    "127.0.0.1:25": (BACK, None),
    "192.0.2.1:10043": (BACK, None),
    "10044": (BACK, None),
    "10045": ([*BACK, "mynetworks=127.0.0.0/8,192.0.2.0/24"], None),
    "127.0.0.1:10046": (["smtpd_sasl_auth_enable=yes"], None),
}


def test_where_a_content_filter_hands_mail_back_ours_does_not_see_it_again(etc: Path) -> None:
    append(etc / "main.cf", "smtpd_milters = inet:h:1\nfilters_back = unix:turfmilter/turfmilter.sock inet:h:3\n")
    for service, (options, _) in SERVICES_BACK.items():
        append(etc / "master.cf", f"{service} inet n - n - - smtpd\n" + "".join(f"  -o {one}\n" for one in options))
    before = both(etc)
    assert "warning: " not in attach(etc, "--yes")
    told = {service: overrides(etc, service).get("smtpd_milters") for service in SERVICES_BACK}
    assert told == {service: expected for service, (_, expected) in SERVICES_BACK.items()}
    assert attach(etc, "--yes") == "nothing to do\n"
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


@pytest.mark.parametrize(
    ("main", "master"),
    [("smtpd_proxy_filter = 127.0.0.1:10024", str), ("", smtp("smtpd_proxy_filter=127.0.0.1:10024"))],
)
def test_where_a_proxy_hands_mail_back_ours_stays(etc: Path, main: str, master: Callable[[str], str]) -> None:
    append(etc / "main.cf", f"{main}\n")
    (etc / "master.cf").write_text(master((etc / "master.cf").read_text()))
    back = "inet n - n - - smtpd\n  -o smtpd_authorized_xforward_hosts=127.0.0.1\n"
    append(etc / "master.cf", f"127.0.0.1:10025 {back}127.0.0.1:10027 {back}  -o smtpd_milters=\n")
    said = attach(etc, "--yes")
    assert "attach: 127.0.0.1:10025/inet: mail passes turfmilter there a second time" in said
    assert "attach: 127.0.0.1:10027/inet: smtpd_milters leaves turfmilter out, so nothing is held" in said
    assert "smtpd_milters" not in overrides(etc, "127.0.0.1:10025")


@pytest.mark.parametrize(
    ("main", "master"), [("content_filter = simple:dummy", str), ("", smtp("content_filter=simple:dummy"))]
)
def test_what_a_script_hands_back_is_not_seen_again(etc: Path, main: str, master: Callable[[str], str]) -> None:
    append(etc / "main.cf", f"{main}\nnon_smtpd_milters = inet:h:1\n")
    (etc / "master.cf").write_text(master((etc / "master.cf").read_text()))
    append(
        etc / "master.cf", "simple unix - n n - 10 pipe\n  flags=Rq user=nobody argv=/x -f ${sender} -- ${recipient}\n"
    )
    assert "attach: a content_filter returns mail with sendmail(1)" in attach(etc, "--yes")
    assert value(etc, "-h", "smtpd_milters") == FILTER
    assert value(etc, "-h", "non_smtpd_milters") == "inet:h:1"


def test_a_service_that_has_a_name_keeps_it(etc: Path) -> None:
    append(etc / "master.cf", "587 inet n - y - - smtpd\n  -o milter_macro_daemon_name=ORIGINATING\n")
    attach(etc, "--yes")
    assert value(etc, "-Ph", "587/inet/milter_macro_daemon_name") == "ORIGINATING"


@pytest.mark.parametrize("chroot", ["y", "n", "-"])
def test_new_services_are_in_a_chroot_where_the_inbound_one_is(etc: Path, chroot: str) -> None:
    master = etc / "master.cf"
    stock = "smtp      inet  n       -       y"
    assert stock in master.read_text()
    master.write_text(master.read_text().replace(stock, stock[:-1] + chroot))
    attach(etc, "--submission", "--yes")
    for service in ("submission", "submissions", RELEASE):
        assert value(etc, "-Fh", f"{service}/inet/chroot") == chroot


def test_another_socket_can_be_named(etc: Path) -> None:
    attach(etc, "--yes", "-s", "inet:127.0.0.1:8895")
    assert value(etc, "-h", "smtpd_milters") == "{ inet:127.0.0.1:8895, default_action=tempfail }"


@pytest.mark.parametrize(
    ("options", "answer", "status"), [(["--dry-run"], "", 0), ([], "n\n", 1), ([], "", 1), ([], "nonsense\n", 1)]
)
def test_the_difference_is_shown_first_and_without_a_yes_nothing_is_changed(
    etc: Path, options: list[str], answer: str, status: int
) -> None:
    before = both(etc)
    said = attach(etc, *options, answer=answer, status=status)
    for name in ("main.cf", "master.cf"):
        assert f"--- {etc}/{name}\n+++ {etc}/{name} (changed)\n@@ " in said
    assert f"+smtpd_milters = {FILTER}\n" in said
    assert f"+{RELEASE} inet n " in said
    assert "\nnothing was changed\n" in said
    assert ("not a terminal, cannot ask for confirmation" in said) is (not options), "there is no terminal"
    assert both(etc) == before
    assert not (etc / "turfmilter.undo").exists()


def test_a_yes_changes_it(etc: Path) -> None:
    assert attach(etc, answer="y\n").endswith('Done. Run "postfix reload" to apply the change.\n')
    assert value(etc, "-h", "smtpd_milters") == FILTER


def test_owner_and_mode_of_the_files_stay(etc: Path) -> None:
    (etc / "main.cf").chmod(0o640)
    attach(etc, "--yes")
    assert (etc / "main.cf").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("which", ["main.cf", "master.cf"])
@pytest.mark.parametrize("break_it", ["missing", "mounted"])
def test_a_failure_half_way_leaves_the_old_configuration(place: Path, etc: Path, which: str, break_it: str) -> None:
    breaks: dict[str, Callable[[], object]] = {
        "missing": lambda: (etc / which).unlink(),
        "mounted": lambda: subprocess.run(["mount", "--bind", etc / which, etc / which], check=True),
    }
    with own_machine(place):
        breaks[break_it]()
        before = {path.name: path.read_bytes() for path in etc.iterdir()}
        assert which in attach(etc, "--yes", status=1)
        assert {path.name: path.read_bytes() for path in etc.iterdir()} == before


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        (SMTPS, "submissions"),
        ("465 inet n - y - - smtpd\n", "submissions"),
        ("192.0.2.1:587 inet n - y - - smtpd\n", "submission"),
        ("localhost:10026 inet n - y - - smtpd\n", "127.0.0.1:10026"),
    ],
)
def test_a_port_that_a_service_has_gets_no_second_one(etc: Path, service: str, missing: str) -> None:
    append(etc / "master.cf", service)
    name, port = service.split()[0], {"submissions": 465, "submission": 587}.get(missing, 10026)
    said = attach(etc, "--submission", "--yes")
    assert f"attach: {missing} is not added, because {name} already uses port {port}\n" in said
    services = [line.split()[0] for line in value(etc, "-M").splitlines()]
    assert missing not in services
    assert services.count(name) == 1


@pytest.mark.parametrize(("port", "options"), [(10026, []), (587, ["--submission"])])
def test_a_port_on_which_another_program_listens_is_not_used(etc: Path, port: int, options: list[str]) -> None:
    before = both(etc)
    with socket.create_server(("127.0.0.1", port)):
        said = attach(etc, *options, "--yes", status=1)
        assert f"port {port} is already in use by another program" in said
        assert 'right after --undo, run "postfix reload" first' in said  # it may be Postfix itself, until then
        assert both(etc) == before
    attach(etc, *options, "--yes")
    after = both(etc)
    with socket.create_server(("127.0.0.1", port)):  # Postfix itself
        attach(etc, *options, "--yes")
    assert both(etc) == after


def test_what_a_killed_run_has_left_is_not_used_for_the_undo(etc: Path) -> None:
    before = both(etc)
    left = etc / "turfmilter.undo.new/after"
    left.mkdir(parents=True)
    (left / "main.cf").write_text("of another time\n")
    (etc / "main.cf.turfmilter").write_text("half\n")
    attach(etc, "--yes")
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


def test_two_runs_at_once_do_not_disturb_each_other(etc: Path) -> None:
    settle(etc)
    with subprocess.Popen([ATTACH, "-c", etc], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()  # it shows the difference, and asks
        assert f"another run is in progress in {etc}" in attach(etc, "--yes", status=1)
        first.communicate("y\n")
    assert first.returncode == 0
    assert attach(etc, "--yes") == "nothing to do\n"


@pytest.mark.parametrize("room", ["4k", "24k", "40k", "64k"])
def test_a_full_disk_leaves_the_old_configuration(place: Path, etc: Path, room: str) -> None:
    before = both(etc)
    size = sum(-(-len(text) // 4096) * 4 for text in before)
    (place / "small").mkdir()
    with own_machine(place), tmpfs(place / "small", size=f"{size + int(room[:-1])}k") as small:
        for name, text in zip(("main.cf", "master.cf"), before, strict=True):
            (small / name).write_bytes(text)
        settle(small)
        done = subprocess.run([ATTACH, "-c", small, "--yes"], capture_output=True, text=True, check=False)
        if done.returncode:
            assert "No space left on device" in done.stderr
            assert both(small) == before
        else:
            assert value(small, "-h", "smtpd_milters") == FILTER


@pytest.mark.parametrize("which", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("program", ["cat", "cp", "diff", "mv", "rm"])
def test_an_interrupted_run_has_done_all_or_nothing(place: Path, etc: Path, which: str, program: str) -> None:
    before = both(etc)
    interrupting = place / "bin" / program  # sends the signal each time that the script runs it
    interrupting.parent.mkdir()
    interrupting.write_text(f'#!/bin/sh\nkill -{which} $SCRIPT\nexec {shutil.which(program)} "$@"\n')
    interrupting.chmod(0o755)
    settle(etc)
    path = f"{interrupting.parent}:{os.environ['PATH']}"
    script = ["sh", "-c", f"SCRIPT=$$ PATH={path} exec {ATTACH} -c {etc} --yes"]
    subprocess.run(script, capture_output=True, timeout=wait.AMPLE, check=False)
    assert (both(etc) == before) != (etc / "turfmilter.undo").exists()
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


@pytest.mark.parametrize("options", [["--nonsense"], ["extra"], ["--release"], ["--release", "half"]])
def test_a_wrong_command_line_is_a_matter_of_usage(etc: Path, options: list[str]) -> None:
    before = both(etc)
    assert attach(etc, *options, status=2).startswith("usage: attach ")
    assert both(etc) == before
