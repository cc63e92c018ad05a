"""Access maps and limits of Postfix and Sendmail, imported: who may connect and relay, and whose mail is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from rig.drafts import loaded, relay_rule
from rig.golden import Golden
from rig.rules import TODAY, names
from turfmilter.config.schema import Config
from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.address.readings import read_sender
from turfmilter.core.policy import Mode
from turfmilter.core.session import Connection, Recipient, Session
from turfmilter.core.table.entry import Where, listed
from turfmilter.importers.draft import Draft, Unreadable
from turfmilter.importers.maincf import Received, read_received
from turfmilter.importers.mastercf import MasterService
from turfmilter.importers.postfixpolicy import PostfixPolicy
from turfmilter.importers.sendmailpolicy import SendmailPolicy
from turfmilter.policies import build_policy
from turfmilter.rules.connect import ConnectAtRcpt

OURS = Recipient("<anna@ours.example>", (), "anna@ours.example")
ALL_BELOW = "smtpd_access_maps relay_domains"


class Files:
    """Implements maincf.Reader for files that are here."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def lines(self, path: str) -> Sequence[str]:
        if path not in self._texts:
            raise Unreadable(f"{path}: cannot be read: No such file or directory")
        return self._texts[path].split("\n")

    def keys(self, table: str) -> Sequence[str]:
        return [line.split()[0] for line in self.lines(table.partition(":")[2]) if line]


def postfix(
    parameters: Mapping[str, str], files: Mapping[str, str] | None = None, services: Sequence[MasterService] = ()
) -> Draft:
    """The draft made from these parameters of main.cf, each in a line of its own."""
    reader = Files(files or {})
    every = {"mydestination": "ours.example", "parent_domain_matches_subdomains": ALL_BELOW, **parameters}
    places = {name: Where("main.cf", number) for number, name in enumerate(parameters, 1)}
    received = read_received(every, reader) if every["mydestination"] else Received(())
    return PostfixPolicy(every, places, received, services, reader.lines, "/quarantine").draft("main.cf", [])


def sendmail(**texts: str) -> Draft:
    """The draft made from these files; a name has "_" in place of "-"."""
    given = {name.replace("_", "-"): text for name, text in texts.items()}
    mc = given.pop("mc", "FEATURE(`access_db')dnl\nFEATURE(`use_cw_file')dnl\n")
    return SendmailPolicy({"local-host-names": "ours.example\n", "sendmail.mc": mc, **given}, "/quarantine").draft(
        "/etc/mail", []
    )


def of_client(address: str, name: str = "") -> Session:
    known = names(name) if name else names()
    return Session(Connection(client=parse_address(address), name=name, names=known), today=TODAY)


def may_connect(draft: Draft, address: str, name: str = "") -> bool:
    rules = [clause.rule for clause in build_policy(loaded(draft)).clauses if isinstance(clause.rule, ConnectAtRcpt)]
    return all(rule.at_rcpt(of_client(address, name), OURS) is None for rule in rules)


def may_relay(draft: Draft, address: str, name: str = "", to: str = "x@there.example") -> bool:
    return relay_rule(draft).at_rcpt(of_client(address, name), Recipient(f"<{to}>", (), to)) is None


def is_listed(config: Config, sender: str) -> bool:
    return listed(config.turf.tables.match(read_sender(f"<{sender}>"), TODAY))


CLIENTS = "192.0.2.7 REJECT\n198.51.100 REJECT\n198.51.100.25 OK\nisp.example REJECT\nmx.isp.example DUNNO\n"


@pytest.mark.parametrize(
    ("address", "name", "passes"),
    [
        ("192.0.2.7", "", False),
        ("192.0.2.8", "", True),
        ("198.51.100.1", "", False),
        ("198.51.100.25", "", True),
        ("203.0.113.1", "pc.isp.example", False),
        ("203.0.113.1", "mx.isp.example", True),
        ("203.0.113.1", "", True),
    ],
)
def test_both_mtas_clients_are_refused_as_their_maps_say(address: str, name: str, passes: bool) -> None:
    of_postfix = postfix({"smtpd_client_restrictions": "check_client_access hash:/a"}, {"/a": CLIENTS})
    map_of_sendmail = "".join(f"Connect:{line}\n" for line in CLIENTS.replace("DUNNO", "SKIP").splitlines())
    assert may_connect(of_postfix, address, name) == passes
    assert may_connect(sendmail(access=map_of_sendmail), address, name) == passes


SENDERS = "spam.example REJECT\nfriend@spam.example OK\nbad@shop.example REJECT\nnobody@ REJECT\n"


@pytest.mark.parametrize(
    ("sender", "held"),
    [
        ("x@spam.example", True),
        ("x@sub.spam.example", True),
        ("friend@spam.example", False),
        ("bad@shop.example", True),
        ("good@shop.example", False),
        ("nobody@anywhere.example", True),
        ("", False),
    ],
)
def test_both_mtas_senders_are_refused_as_their_maps_say(sender: str, held: bool) -> None:
    of_postfix = postfix({"smtpd_sender_restrictions": "check_sender_access hash:/a"}, {"/a": SENDERS})
    of_sendmail = sendmail(access="".join(f"From:{line}\n" for line in SENDERS.splitlines()))
    for draft in (of_postfix, of_sendmail):
        config = loaded(draft)
        assert (config.turf.answer.value, [origin.value for origin in config.turf.match]) == ("reject", ["sender"])
        assert is_listed(config, sender) == held


@pytest.mark.parametrize(("action", "key"), [("DISCARD", "discard"), ("HOLD", "directory"), ("REJECT", "directory")])
def test_what_is_done_with_listed_mail_follows_the_action(action: str, key: str) -> None:
    draft = postfix({"smtpd_sender_restrictions": "check_sender_access hash:/a"}, {"/a": f"x.example {action}\n"})
    turf = loaded(draft).turf
    assert (turf.discard, turf.answer.value) == (key == "discard", "reject" if action == "REJECT" else "accept")


def test_a_cidr_table_decides_by_its_first_match() -> None:
    table = "192.0.2.0/24 REJECT\n192.0.2.25 OK\n198.51.100.25 OK\n198.51.100.0/24 REJECT\n"
    draft = postfix({"smtpd_client_restrictions": "check_client_access cidr:/a"}, {"/a": table})
    passing = [client for client in ("192.0.2.25", "198.51.100.25", "198.51.100.1") if may_connect(draft, client)]
    assert passing == ["198.51.100.25"]
    assert not draft.complete


def test_networks_are_read_from_files_and_tables() -> None:
    files = {"/nets": "10.1.0.0/16, !10.2.0.1\n# 10.9.0.0/16\n", "/cidr": "10.3.0.0/16 OK\n", "/hash": "10.4.5.6 x\n"}
    given = {"mynetworks": "/nets cidr:/cidr [::1]/128, hash:/hash", "smtpd_relay_restrictions": RESTRICTED}
    draft = postfix(given, files)
    relaying = {client: may_relay(draft, client) for client in ("10.1.2.3", "10.2.0.1", "10.3.2.1", "::1", "10.4.5.6")}
    assert relaying == {"10.1.2.3": True, "10.2.0.1": False, "10.3.2.1": True, "::1": True, "10.4.5.6": True}
    assert draft.complete


def test_a_list_that_names_itself_is_read_once() -> None:
    given = {"mynetworks": "/nets", "smtpd_relay_restrictions": RESTRICTED}
    draft = postfix(given, {"/nets": "10.0.0.0/8 /nets"})
    assert may_relay(draft, "10.1.2.3")
    assert [str(problem) for problem in draft.problems] == ['/nets:1: "/nets": the file names itself']


RESTRICTED = "permit_mynetworks, reject_unauth_destination"


@pytest.mark.parametrize(
    ("restrictions", "networks", "accounts"),
    [
        (RESTRICTED, True, False),
        ("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination", True, True),
        ("permit_sasl_authenticated, reject", False, True),
        ("reject_unauth_destination", False, False),
    ],
)
def test_who_may_relay_follows_the_restrictions(restrictions: str, networks: bool, accounts: bool) -> None:
    draft = postfix({"mynetworks": "10.0.0.0/8", "smtpd_relay_restrictions": restrictions})
    assert (may_relay(draft, "10.1.1.1"), loaded(draft).relay.authenticated) == (networks, accounts)
    assert not may_relay(draft, "192.0.2.1")
    assert draft.complete


def test_the_limits_are_those_of_the_mta() -> None:
    of_postfix = loaded(postfix({"smtpd_recipient_limit": "1000", "message_size_limit": "10240000"})).limits
    assert (of_postfix.recipients_per_message, of_postfix.message_size) == (1000, 10240000)
    unlimited = loaded(sendmail()).limits
    assert (unlimited.recipients_per_message, unlimited.message_size) == (0, 0)
    mc = "define(`confMAX_RCPTS_PER_MESSAGE', `25')\ndefine(`confMAX_MESSAGE_SIZE',\n  `50000')\nFEATURE(use_cw_file)"
    of_sendmail = loaded(sendmail(mc=mc)).limits
    assert (of_sendmail.recipients_per_message, of_sendmail.message_size) == (25, 50000)


@pytest.mark.parametrize(
    ("address", "name", "to", "relays"),
    [
        ("192.168.20.1", "", "x@there.example", True),
        ("2001:db8:20::1", "", "x@there.example", True),
        ("192.0.2.1", "pc.branch.example", "x@there.example", True),
        ("192.0.2.1", "pc.xbranch.example", "x@there.example", False),
        ("192.0.2.1", "", "x@branch.example", True),
        ("192.0.2.1", "", "x@sub.partner.example", True),
        ("192.0.2.1", "", "x@there.example", False),
        ("192.168.21.9", "", "x@there.example", True),
        ("127.0.0.1", "", "x@there.example", True),
    ],
)
def test_who_may_relay_follows_sendmails_files(address: str, name: str, to: str, relays: bool) -> None:
    access = "Connect:192.168.20 RELAY\nIPv6:2001:db8:20 RELAY\nTo:partner.example RELAY\n"
    draft = sendmail(access=access, relay_domains="192.168.21 # the lab\nbranch.example\n")
    assert may_relay(draft, address, name, to) == relays
    assert draft.complete


def test_only_hosts_are_meant_where_sendmail_says_so() -> None:
    mc = "FEATURE(`relay_hosts_only')dnl\nFEATURE(`use_cw_file')dnl\nTRUST_AUTH_MECH(`PLAIN')dnl\n"
    draft = sendmail(mc=mc, relay_domains="branch.example\n")
    assert may_relay(draft, "192.0.2.1", "branch.example")
    assert not may_relay(draft, "192.0.2.1", "pc.branch.example")
    assert loaded(draft).relay.authenticated is True


def test_without_a_domain_the_relay_rule_is_off_and_reported() -> None:
    for draft in (postfix({"mydestination": ""}), sendmail(local_host_names="")):
        assert loaded(draft).relay.mode is Mode.OFF
        assert not draft.complete


OTHERS = {
    "restrictions": {
        "smtpd_recipient_restrictions": f"{RESTRICTED}, reject_rbl_client dnsbl.example, check_policy_service x"
    },
    "recipients": {"smtpd_recipient_restrictions": f"check_recipient_access hash:/a, hash:/b, {RESTRICTED}"},
    "braces": {"smtpd_client_restrictions": "{ check_client_access, hash:/missing }, reject_unknown_client_hostname"},
    "open": {"smtpd_relay_restrictions": "", "smtpd_recipient_restrictions": "permit_mynetworks"},
    "limits": {"smtpd_recipient_limit": "$other", "smtpd_client_message_rate_limit": "100"},
    "tables": {"mynetworks": "pcre:/x, /missing, nonsense..example", "smtpd_relay_restrictions": RESTRICTED},
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_postfix_has_beyond_our_rules_is_reported(case: str, golden: Golden) -> None:
    draft = postfix({"smtpd_relay_restrictions": RESTRICTED, **OTHERS[case]})
    golden("import", "\n".join(str(problem) for problem in draft.problems))
    assert not draft.complete
    loaded(draft)


ACTIONS = [
    "REJECT Go",
    "450 later",
    "DEFER",
    "FILTER x",
    "PREPEND X: y",
    "reject_unauth_destination",
    "",
    "450",
    "1234567",
]


def test_every_action_of_an_access_table_is_carried_over_or_reported(golden: Golden) -> None:
    table = "".join(f"192.0.2.{number} {action}\n" for number, action in enumerate(ACTIONS, 1))
    draft = postfix({"smtpd_client_restrictions": "check_client_access hash:/a"}, {"/a": table})
    shown = [*draft.entries("connect.deny"), *map(str, draft.problems)]
    golden("import", "\n".join(shown))


VALUES = [
    "REJECT",
    'ERROR:"550 no"',
    "ERROR:4.7.0:450 later",
    "SUBJECT",
    "DISCARD",
    "QUARANTINE:x",
    "RELAY",
    "554 5.7.1 x",
]


@pytest.mark.parametrize("tag", ["Connect:", "From:", "To:", "", "Spam:", "ClientRate:"])
def test_every_value_of_an_access_map_is_carried_over_or_reported(tag: str, golden: Golden) -> None:
    draft = sendmail(access="".join(f"{tag}h{number}.example {value}\n" for number, value in enumerate(VALUES, 1)))
    tables = ("connect.deny", "connect.allow", "relay.allow", "relay.always", "turf.tables")
    shown = [f"{table}: {' '.join(draft.entries(table))}" for table in tables]
    golden("import", "\n".join([*shown, *map(str, draft.problems)]))
    loaded(draft)


def test_a_setting_of_one_service_is_reported() -> None:
    service = MasterService(
        "submission", "inet", "smtpd", {"smtpd_recipient_restrictions": "reject", "syslog_name": "x"}
    )
    draft = postfix({"smtpd_relay_restrictions": RESTRICTED}, services=[service])
    assert ["submission" in str(problem) for problem in draft.problems] == [True]
