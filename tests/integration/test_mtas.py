"""Warnings about the MTAs on this host: Postfix as postconf shows it, Sendmail as m4 generates its sendmail.cf."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import USER
from rig.golden import Golden
from rig.sendmailcf import make_cf
from turfmilter.config.loader import configure, load
from turfmilter.config.schema import Config
from turfmilter.daemon import mtas
from turfmilter.mta.postconf import Postconf

TODAY = date(2026, 6, 15)
SOCKET = "unix:/run/turfmilter/turfmilter.sock"
OURS = "{ unix:/run/turfmilter/turfmilter.sock, default_action=tempfail }"
STOCK = "smtp inet n - n - - smtpd\npickup unix n - n 60 1 pickup\n"
RELEASE = "127.0.0.1:10026 inet n - n - - smtpd\n  -o smtpd_milters=\n  -o content_filter=\n"
AMAVIS = "127.0.0.1:10025 inet n - n - - smtpd\n  -o content_filter=\n  -o mynetworks=127.0.0.0/8\n"
NOWHERE = Path("/nonexistent")
Said = Callable[..., list[str]]


@pytest.fixture
def said(place: Path, tmp_path: Path) -> Said:
    """The warnings about a Postfix that receives mail for our domains only."""
    etc = place / "postfix"
    etc.mkdir()

    def warnings(main: str, master: str = STOCK, *, socket: str = SOCKET, **sections: object) -> list[str]:
        written(etc / "main.cf", f"compatibility_level = 3.6\nmyhostname = mx.a.test\nmydestination = a.test\n{main}")
        written(etc / "master.cf", master)
        config = configured(tmp_path, socket=socket, **sections)
        found = mtas.warnings(config, TODAY, postfix=etc, sendmail=NOWHERE)
        return [one.replace(str(etc), "ETC") for one in found]

    return warnings


def configured(folder: Path, **sections: object) -> Config:
    table = {"socket": SOCKET, "domains": ["a.test"], **sections}
    return configure(table, folder, postfix=Postconf())


def written(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (0, 0))


def test_an_mta_that_is_not_installed_causes_no_warning(tmp_path: Path) -> None:
    assert mtas.warnings(configured(tmp_path), TODAY, postfix=NOWHERE, sendmail=NOWHERE) == []


def test_without_an_attached_filter_there_is_no_warning_about_its_use(said: Said) -> None:
    assert said("smtpd_milters = inet:localhost:8891\nalways_bcc = x@a.test\nmilter_default_action = accept\n") == []


@pytest.mark.parametrize(
    ("socket", "milter"),
    [
        (SOCKET, "unix:/run/turfmilter/turfmilter.sock"),
        (SOCKET, "local:/run/turfmilter/turfmilter.sock"),
        ("unix:/var/spool/postfix/t/s", "unix:t/s"),
        ("unix:/var/spool/postfix/t/s", "unix:/t/s"),
        ("unix:/var/spool/postfix/t/s", "unix:/var/spool/postfix/t/s"),
        ("inet:8895@127.0.0.1", "inet:127.0.0.1:8895"),
        ("inet:8895@127.0.0.1", "inet:localhost:8895"),
        ("inet:8895", "inet:192.0.2.1:8895"),
        ("inet6:8895@::1", "inet:[::1]:8895"),
    ],
)
def test_a_filter_attached_correctly_causes_no_warning(said: Said, socket: str, milter: str, golden: Golden) -> None:
    safe = f"{{ {milter}, connect_timeout=10s, default_action=tempfail }}"
    main = f"smtpd_milters = {safe}, inet:localhost:8891\nnon_smtpd_milters = $smtpd_milters\n"
    assert said(main, STOCK + RELEASE, socket=socket) == []
    (shared,) = said(main.replace(safe, milter), STOCK + RELEASE, socket=socket)
    golden("check", shared)


@pytest.mark.parametrize("other", ["unix:/run/turfmilter/other.sock", "inet:127.0.0.1:8895", "unix:turfmilter.sock"])
def test_another_filter_is_not_taken_for_ours(said: Said, other: str) -> None:
    assert said(f"smtpd_milters = {other}\nmilter_default_action = accept\n") == []


@pytest.mark.parametrize("action", ["accept", "reject", "quarantine"])
def test_the_action_while_the_filter_is_down_must_be_tempfail(said: Said, action: str, golden: Golden) -> None:
    bare = SOCKET
    for main in (
        f"smtpd_milters = {bare}\nmilter_default_action = {action}\n",
        f"smtpd_milters = {{ {bare}, default_action={action} }}\n",
        f"smtpd_milters = {{ {bare}, {{ default_action = {action} }}, command_timeout=9s }}\n",
    ):
        (sentence,) = said(f"{main}non_smtpd_milters = $smtpd_milters\n")
        golden("check", sentence)
    own = f"smtpd_milters = {OURS}\nnon_smtpd_milters = $smtpd_milters\nmilter_default_action = {action}\n"
    assert said(own) == []


def test_turfmilter_must_be_the_first_filter(said: Said, golden: Golden) -> None:
    main = f"smtpd_milters = inet:localhost:8891, {OURS}\nnon_smtpd_milters = {OURS}\n"
    golden("check", "\n".join(said(main)))


def test_the_list_for_local_mail_is_also_checked_unless_it_is_the_same(said: Said, golden: Golden) -> None:
    main = (
        f"smtpd_milters = {OURS}\nmilter_default_action = accept\nnon_smtpd_milters = inet:localhost:8891, {SOCKET}\n"
    )
    golden("check", "\n".join(said(main)))
    assert len(said(f"smtpd_milters = {SOCKET}\nnon_smtpd_milters = $smtpd_milters\n")) == 1


def test_local_mail_must_be_filtered_too(said: Said, golden: Golden) -> None:
    golden("check", "\n".join(said(f"smtpd_milters = {OURS}\n")))


ATTACHED = f"smtpd_milters = {OURS}\nnon_smtpd_milters = {OURS}\n"


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("smtpd_milters=", "smtpd_milters"),
        ("smtpd_milters=inet:localhost:8891", "smtpd_milters"),
        ("receive_override_options=no_header_body_checks,no_milters", "receive_override_options"),
    ],
)
@pytest.mark.parametrize("name", ["submission inet", "2525 inet", "192.0.2.1:25 inet", "smtpd pass"])
def test_a_service_that_omits_the_filter_is_named(said: Said, name: str, option: str, key: str) -> None:
    (sentence,) = said(ATTACHED, f"{STOCK}{name} n - n - - smtpd\n  -o {option}\n")
    assert sentence.startswith(f"master.cf: {name.replace(' ', '/')}: {key}: ")


def test_the_lists_of_a_service_are_checked(said: Said, golden: Golden) -> None:
    own = f"submission inet n - n - - smtpd\n  -o {{ smtpd_milters = inet:localhost:8891, {SOCKET} }}\n"
    golden("check", "\n".join(said(ATTACHED, STOCK + own)))
    weak = "submission inet n - n - - smtpd\n  -o milter_default_action=accept\n"
    _, passes = said(f"smtpd_milters = {SOCKET}\nnon_smtpd_milters = {SOCKET}\n", weak)
    golden("check", passes)


def test_a_filter_attached_to_one_service_is_missing_at_the_others(said: Said, golden: Golden) -> None:
    own = f"submission inet n - n - - smtpd\n  -o {{ smtpd_milters = {OURS} }}\n"
    golden("check", "\n".join(said("", STOCK + own)))


@pytest.mark.parametrize(
    "service",
    [
        AMAVIS,
        AMAVIS.replace("127.0.0.1", "[::1]"),
        AMAVIS.replace("127.0.0.1", "localhost"),
        AMAVIS.replace("content_filter", "smtpd_proxy_filter"),
        AMAVIS.replace("content_filter=", "smtpd_authorized_xforward_hosts=127.0.0.0/8"),
        AMAVIS + "  -o receive_override_options=no_header_body_checks\n",
    ],
)
def test_mail_that_a_content_filter_returns_must_not_be_filtered_again(said: Said, service: str) -> None:
    main = f"{ATTACHED}content_filter = smtp-amavis:[127.0.0.1]:10024\n"
    (sentence,) = said(main, STOCK + service)
    assert sentence.startswith(f"master.cf: {service.split()[0]}/inet: ")
    for cure in ("  -o smtpd_milters=\n", "  -o receive_override_options=no_milters\n"):
        assert said(main, STOCK + service + cure) == []


def test_the_advice_about_a_second_pass_overrides_no_other_option_of_the_service(said: Said, golden: Golden) -> None:
    """Of two receive_override_options Postfix uses the last: no_header_body_checks would be lost."""
    service = AMAVIS + "  -o receive_override_options=no_header_body_checks\n"
    (sentence,) = said(f"{ATTACHED}content_filter = smtp-amavis:[127.0.0.1]:10024\n", STOCK + service)
    assert '"-o smtpd_milters="' in sentence and "receive_override_options" not in sentence
    golden("check", sentence)


def test_a_content_filter_of_one_service_is_found_as_well(said: Said) -> None:
    master = STOCK.replace("smtpd\n", "smtpd\n  -o content_filter=scan:[127.0.0.1]:10024\n") + AMAVIS
    (sentence,) = said(ATTACHED, master)
    assert '"-o smtpd_milters="' in sentence


TURF = {"tables": ["@spam.test"], "discard": True}
SPARES_LOCAL = TURF | {"spare_local": True}


@pytest.mark.parametrize(
    ("sections", "does_nothing"),
    [
        ({"turf": SPARES_LOCAL}, True),
        ({"turf": TURF, "listener": {"a": {"daemon": "mx", "turf": {"spare_local": True}}}}, True),
        ({"turf": SPARES_LOCAL | {"mode": "off"}}, False),
        ({"turf": SPARES_LOCAL, "mode": "off"}, False),
        ({"turf": TURF}, False),
    ],
)
def test_sparing_local_mail_that_is_not_filtered_causes_a_warning(
    said: Said, sections: dict[str, object], does_nothing: bool, golden: Golden
) -> None:
    omitted, *more = said(f"smtpd_milters = {OURS}\n", **sections)
    assert omitted.startswith("main.cf: non_smtpd_milters: ")
    assert len(more) == does_nothing
    if more:
        golden("check", more[0])
    assert said(ATTACHED, **sections) == []


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        (["192.0.2.0/24", "127.0.0.0/8"], "127.0.0.0/8 turf.spare_clients[1]"),
        (["::1"], "::1 turf.spare_clients[0]"),
        (["127.0.0.0/8", "!127.0.0.1"], ""),
        (["127.0.0.1 expires=2026-06-14"], ""),
        (["localhost"], ""),
    ],
)
def test_a_proxy_that_returns_mail_must_not_be_spared(
    said: Said, entries: list[str], named: str, golden: Golden
) -> None:
    turf = TURF | {"spare_clients": entries}
    proxied = STOCK.replace("smtpd\n", "smtpd\n  -o smtpd_proxy_filter=127.0.0.1:10024\n")
    back = AMAVIS.replace("content_filter", "smtpd_proxy_filter")
    found = said(ATTACHED, proxied + back, turf=turf)
    assert [one.startswith(f"turf.spare_clients: {named} ") for one in found] == [True] * bool(named)
    if found:
        golden("check", found[0])
    assert said(ATTACHED, STOCK, turf=turf) == []


PROXIED = "smtp inet n - n - - smtpd\n  -o smtpd_proxy_filter=127.0.0.1:10024\npickup unix n - n 60 1 pickup\n"
BACK = (
    "127.0.0.1:10025 inet n - n - - smtpd\n  -o smtpd_proxy_filter=\n  -o smtpd_authorized_xforward_hosts=127.0.0.0/8\n"
)


def test_with_a_proxy_the_filter_belongs_where_the_proxy_returns_mail(said: Said, golden: Golden) -> None:
    assert said(ATTACHED, PROXIED + BACK + RELEASE) == []
    golden("check", "\n".join(said(ATTACHED, f"{PROXIED}{BACK}  -o smtpd_milters=\n{RELEASE}")))


@pytest.mark.parametrize("where", ["main.cf", "master.cf"])
def test_local_mail_need_not_be_filtered_if_a_content_filter_calls_sendmail(said: Said, where: str) -> None:
    piped = "scan unix - n n - 10 pipe\n  flags=Rq user=nobody argv=/usr/local/bin/scan\n"
    main = f"smtpd_milters = {OURS}\n" + ("content_filter = scan:dummy\n" if where == "main.cf" else "")
    own = "" if where == "main.cf" else "  -o content_filter=scan:dummy\n"
    assert said(main, STOCK.replace("smtpd\n", f"smtpd\n{own}") + piped) == []


@pytest.mark.parametrize("key", ["recipient_bcc_maps", "always_bcc", "sender_bcc_maps"])
def test_copies_that_the_filter_cannot_remove_cause_a_warning(said: Said, key: str, golden: Golden) -> None:
    main = f"{ATTACHED}{key} = texthash:/etc/bcc\n"
    golden("check", "\n".join(said(main, turf=TURF)))
    listener = {"a": {"port": 587, "turf": {"tables": ["@spam.test"], "discard": True}}}
    assert len(said(main, listener=listener)) == 1
    for harmless in (TURF | {"exempt": []}, TURF | {"mode": "trial"}, {"discard": True}):
        assert said(main, turf=harmless) == []


@pytest.mark.parametrize(
    ("main", "named"),
    [
        ("relay_domains = b.test\n", '"b.test" (main.cf relay_domains), and '),
        ("virtual_alias_domains = b.test\n", '"b.test" (main.cf virtual_alias_domains), '),
        ("virtual_mailbox_domains = c.test b.test\n", '"c.test" (main.cf virtual_mailbox_domains), "b.test" ('),
        ("mydestination = a.test, mx.b.test\n", '"mx.b.test" (main.cf mydestination), '),
        (
            "relay_domains = b.test c.test d.test e.test f.test g.test h.test\n",
            '"f.test" (main.cf relay_domains) and 2 more',
        ),
    ],
)
def test_a_domain_that_postfix_receives_mail_for_and_we_refuse_is_named(said: Said, main: str, named: str) -> None:
    (sentence,) = said(main)
    assert sentence.startswith("domains: Postfix receives mail for ")
    assert named in sentence
    assert '"550 5.7.1 ' in sentence and '"postfix:main.cf"' in sentence


@pytest.mark.parametrize(
    "sections",
    [
        {"domains": ["a.test", "b.test"]},
        {"domains": ["a.test", "test"]},
        {"relay": {"always": ["b.test"]}},
        {"relay": {"mode": "off"}},
        {"relay": {"default": "allow"}},
        {"mode": "off"},
    ],
)
def test_a_domain_that_is_not_refused_is_not_named(said: Said, sections: dict[str, object]) -> None:
    assert said("relay_domains = b.test\n", **sections) == []


@pytest.mark.parametrize("mode", ["enforce", "trial"])
def test_the_warning_says_whether_its_mail_is_rejected_or_would_be(said: Said, mode: str, golden: Golden) -> None:
    golden("check", "\n".join(said("relay_domains = b.test\n", relay={"mode": mode})))


def test_postfix_is_queried_once_for_a_source(place: Path, tmp_path: Path) -> None:
    etc = place / "postfix"
    etc.mkdir()
    written(etc / "main.cf", "compatibility_level = 3.6\nmydestination = a.test\n")
    written(etc / "master.cf", STOCK)
    path = tmp_path / "turfmilter.toml"
    path.write_text(f'socket = "{SOCKET}"\ndomains = ["postfix:{etc}/main.cf"]\n')
    loaded = load(path, postfix=Postconf())
    written(etc / "main.cf", "compatibility_level = 3.6\nmydestination = b.test\n")
    assert mtas.warnings(loaded, TODAY, postfix=NOWHERE, sendmail=NOWHERE) == []
    assert len(mtas.warnings(configured(tmp_path), TODAY, postfix=etc, sendmail=NOWHERE)) == 1


def test_an_entry_for_the_domain_alone_does_not_cover_its_subdomains(said: Said) -> None:
    main = "relay_domains = b.test\nparent_domain_matches_subdomains = {}\n"
    (sentence,) = said(main.format("relay_domains"), domains=["a.test", "=b.test"])
    assert '"b.test"' in sentence
    assert said(main.format("mynetworks"), domains=["a.test", "=b.test"]) == []


def test_names_such_as_localhost_are_not_missed(said: Said) -> None:
    assert said("mydestination = a.test, localhost, localhost.a.example, localhost.localdomain\n") == []


def test_a_domain_that_postfix_excludes_is_not_missed(said: Said) -> None:
    assert said("relay_domains = !x.a.test, a.test\n") == []


def test_a_configuration_that_follows_main_cf_misses_nothing(said: Said, place: Path) -> None:
    written(place / "postfix/main.cf", "mydestination = a.test\n")
    main = "relay_domains = b.test\nvirtual_mailbox_domains = c.test\n"
    written(place / "postfix/main.cf", f"compatibility_level = 3.6\nmydestination = a.test\n{main}")
    assert said(main, domains=[f"postfix:{place}/postfix/main.cf"]) == []


def test_domains_that_cannot_be_listed_are_mentioned_unless_a_file_may_contain_them(said: Said, tmp_path: Path) -> None:
    main = "virtual_mailbox_domains = ldap:/etc/postfix/l.cf\n"
    (sentence,) = said(main)
    assert sentence.startswith("main.cf: virtual_mailbox_domains: the domains in ldap:/etc/postfix/l.cf ")
    (tmp_path / "listed").write_text("l.test\n")
    assert said(main, domains=["a.test", "file:listed"]) == []


@pytest.mark.parametrize(
    ("main", "why"),
    [("nonsense\n", "missing '=' after attribute name"), ("relay_domains = hash:/missing\n", "/missing")],
)
def test_a_postfix_that_cannot_be_queried_causes_only_a_warning(said: Said, main: str, why: str) -> None:
    (sentence,) = said(main)
    assert sentence.startswith("ETC/main.cf ")
    assert why in sentence


def test_files_that_the_filters_user_cannot_read_are_skipped(place: Path, tmp_path: Path) -> None:
    closed = place / "closed"
    closed.mkdir()
    written(closed / "main.cf", "mydestination = other.test\n")
    written(closed / "sendmail.cf", "Cwother.test\n")
    config = configured(tmp_path)
    assert len(mtas.warnings(config, TODAY, postfix=closed, sendmail=closed / "sendmail.cf")) == 2
    closed.chmod(0o700)

    def check() -> None:
        assert mtas.warnings(config, TODAY, postfix=closed, sendmail=closed / "sendmail.cf") == []

    in_child(check, user=USER)


def test_a_parameter_that_this_postfix_does_not_know_is_empty(said: Said, place: Path) -> None:
    assert said("") == []
    assert Postconf().parameters(["of_another_version"], place / "postfix") == {"of_another_version": ""}


MC = """\
divert(0)dnl
VERSIONID(`test')
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.a.test')dnl
{above}
FEATURE(`use_cw_file')dnl
define(`confCW_FILE', `{place}/local-host-names')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
FEATURES = "FEATURE(`turfmilter')dnl\nFEATURE(`turfmilter-release', `10026')dnl"


@pytest.fixture
def of_sendmail(place: Path, tmp_path: Path) -> Said:
    """The warnings about a Sendmail with these lines in sendmail.mc."""
    (place / "local-host-names").write_text("# ours\na.test\n")

    def warnings(above: str, **sections: object) -> list[str]:
        make_cf(place / "sendmail.cf", MC.format(above=above, place=place))
        return mtas.warnings(configured(tmp_path, **sections), TODAY, postfix=NOWHERE, sendmail=place / "sendmail.cf")

    return warnings


def test_sendmail_with_the_features_of_contrib_causes_no_warning(of_sendmail: Said) -> None:
    assert of_sendmail(f"{FEATURES}\nFEATURE(`turfmilter-submission')dnl") == []
    assert of_sendmail("") == []  # not attached yet


@pytest.mark.parametrize(
    "line",
    [
        "S=local:/run/turfmilter/turfmilter.sock, T=R:60s",
        "S=unix:/run/turfmilter/turfmilter.sock, F=R, T=R:2m",
        "S=local:/run/turfmilter/turfmilter.sock, F=4, T=R:1m",
        "S=local:/run/turfmilter/turfmilter.sock, F=T",
        "S=local:/run/turfmilter/turfmilter.sock, F=T, T=C:2m;R:30s",
    ],
)
def test_the_line_of_the_filter_in_sendmail_is_checked(of_sendmail: Said, line: str, golden: Golden) -> None:
    (found,) = of_sendmail(f"INPUT_MAIL_FILTER(`mine', `{line}')dnl")
    assert found.startswith("sendmail.cf: Xmine: ")
    golden("check", found)


def test_the_order_of_sendmails_filters_is_checked(of_sendmail: Said, golden: Golden) -> None:
    other = "INPUT_MAIL_FILTER(`dkim', `S=inet:8891@localhost, F=T')dnl"
    line = "INPUT_MAIL_FILTER(`turf', `S=inet:8895@localhost, F=T, T=R:60s')dnl"
    socket = "inet:8895@127.0.0.1"
    (found,) = of_sendmail(f"{other}\n{line}", socket=socket)
    golden("check", found)
    assert of_sendmail(f"{line}\n{other}", socket=socket) == []
    (found,) = of_sendmail(line.replace("INPUT_MAIL_FILTER", "MAIL_FILTER"), socket=socket)
    golden("check", found)


@pytest.mark.parametrize(
    ("turf", "said"),
    [
        ({"spare_local": True}, True),
        ({"spare_local": True, "spare_clients": ["192.0.2.0/24", "!127.0.0.1"]}, True),
        ({"spare_local": True, "spare_clients": ["127.0.0.0/8"]}, False),
        ({"spare_local": True, "spare_clients": ["::1"]}, False),
        ({"spare_local": True, "mode": "off"}, False),
        ({"spare_clients": ["192.0.2.0/24"]}, False),
    ],
)
def test_sendmails_own_programs_are_not_local_submissions(
    of_sendmail: Said, turf: dict[str, object], said: bool, golden: Golden
) -> None:
    found = of_sendmail(FEATURES, turf={**TURF, **turf})
    assert [one.startswith("turf.spare_local: Sendmail") for one in found] == [True] * said
    if found:
        golden("check", found[0])
    assert of_sendmail("", turf={**TURF, **turf}) == []  # not attached


@pytest.mark.parametrize(
    ("options", "listener"),
    [
        ("Name=MTA-v4, Port=25, InputMailFilters=dkim", "MTA-v4"),
        ("N=open, P=2525, I=", "open"),
        ("Name=MTA, Port=25, InputMailFilters=dkim;turfmilter", "MTA"),
    ],
)
def test_listeners_of_sendmail_with_their_own_filters_are_checked(
    of_sendmail: Said, options: str, listener: str, golden: Golden
) -> None:
    (found,) = of_sendmail(f"{DKIM}{FEATURES}\nDAEMON_OPTIONS(`{options}')dnl")
    assert found.startswith(f"sendmail.cf: DaemonPortOptions Name={listener}: ")
    golden("check", found)


DKIM = "MAIL_FILTER(`dkim', `S=inet:1@localhost')dnl\n"


@pytest.mark.parametrize(
    "options",
    [
        "Name=MTA, Port=25, InputMailFilters=turfmilter;dkim",
        "Name=inside, Port=10027, Addr=127.0.0.1, InputMailFilters=",
        "Name=inside, Port=10027, Family=inet6, Addr=::1, InputMailFilters=",
    ],
)
def test_correct_listeners_and_those_on_loopback_cause_no_warning(of_sendmail: Said, options: str) -> None:
    assert of_sendmail(f"{DKIM}{FEATURES}\nDAEMON_OPTIONS(`{options}')dnl") == []


@pytest.mark.parametrize(
    ("relay", "doubted"),
    [
        ("local:carol", True),
        ("relay:carol@hub.test", True),
        ("relay:hub.test", False),
        ("hub.test", False),
    ],
)
def test_a_mailbox_shared_by_all_unknown_users_of_sendmail_is_named(
    of_sendmail: Said, relay: str, doubted: bool, golden: Golden
) -> None:
    found = of_sendmail(f"{FEATURES}\ndefine(`LUSER_RELAY', `{relay}')dnl")
    assert [one.startswith("sendmail.cf: LUSER_RELAY: ") for one in found] == [True] * doubted
    if doubted:
        golden("check", found[0])


@pytest.mark.parametrize(
    ("above", "named"),
    [
        ("LOCAL_DOMAIN(`b.test')dnl", '"b.test" (class w)'),
        ("RELAY_DOMAIN(`b.test')dnl", '"b.test" (class R)'),
        ("VIRTUSER_DOMAIN(`b.test')dnl\nFEATURE(`virtusertable')dnl", '"b.test" (class R)'),
        ("RELAY_DOMAIN_FILE(`{place}/relay')dnl", '"c.test" (class R), "d.test" (class R)'),
        ("define(`confDOMAIN_NAME', `mx.b.test')dnl", '"mx.b.test" (class w)'),
    ],
)
def test_a_domain_that_sendmail_receives_mail_for_and_we_refuse_is_named(
    of_sendmail: Said, place: Path, above: str, named: str, golden: Golden
) -> None:
    (place / "relay").write_text("c.test # ours\n192.0.2\nd.test\n[192.0.2.1]\n")
    (found,) = of_sendmail(above.replace("{place}", str(place)))
    assert found.startswith(f"domains: Sendmail receives mail for {named}, ")
    golden("check", found)


def test_a_relayed_domain_covers_its_subdomains_unless_sendmail_relays_for_hosts_only(of_sendmail: Said) -> None:
    domains = ["a.test", "=b.test"]
    (found,) = of_sendmail("RELAY_DOMAIN(`b.test')dnl", domains=domains)
    assert '"b.test"' in found
    assert of_sendmail("RELAY_DOMAIN(`b.test')dnl\nFEATURE(`relay_hosts_only')dnl", domains=domains) == []
    assert of_sendmail("LOCAL_DOMAIN(`b.test')dnl", domains=domains) == []
