"""MTAs with fewer features than current ones: the verdicts are the same, and the consequences are logged once."""

from __future__ import annotations

import pytest

from rig import wire
from rig.filter import Filter, Filters
from rig.golden import Golden
from rig.wire import Action, Protocol

RELAY = 'domains = ["rig.test"]\n[relay]\nallow = ["198.51.100.0/24"]\n'
HELD = RELAY + '[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'
DISCARDED = RELAY + '[turf]\ntables = ["@turf.test"]\ndiscard = true\n'
REFUSED = "550 5.7.1 relaying prohibited"
NO_ANSWERS = Protocol.NR_CONN | Protocol.NR_HELO | Protocol.NR_MAIL | Protocol.NR_HDR
UNSENT = Protocol.NOHDRS | Protocol.NOEOH | Protocol.NOBODY | Protocol.NOUNKNOWN
# Bits that we never ask for; to libmilter none at all would mean those of protocol version 1.
LEAST_ACTIONS, LEAST_PROTOCOL = Action.QUARANTINE, Protocol.NOCONNECT
# Each lacks one thing; the last offers what Sendmail 8.13 did.
LESSER = [
    (wire.ALL_ACTIONS & ~Action.DELRCPT, wire.ALL_PROTOCOL),
    (wire.ALL_ACTIONS & ~Action.SETSYMLIST, wire.ALL_PROTOCOL),
    (wire.ALL_ACTIONS, wire.ALL_PROTOCOL & ~Protocol.HDR_LEADSPC),
    (wire.ALL_ACTIONS, wire.ALL_PROTOCOL & ~Protocol.SKIP),
    (wire.ALL_ACTIONS, wire.ALL_PROTOCOL & ~NO_ANSWERS),
    (wire.ALL_ACTIONS, wire.ALL_PROTOCOL & ~UNSENT),
    (wire.ALL_ACTIONS, LEAST_PROTOCOL),
    (LEAST_ACTIONS, wire.ALL_PROTOCOL),
    (Action(0x3F), Protocol(0x7F)),
]


@pytest.mark.parametrize(("actions", "protocol"), LESSER)
@pytest.mark.parametrize("settings", [RELAY, HELD, DISCARDED])
def test_every_mta_gets_the_same_verdicts(filters: Filters, settings: str, actions: Action, protocol: Protocol) -> None:
    turf = filters(settings)
    with turf.session("[192.0.2.9]", actions=actions, protocol=protocol) as client:
        good = client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>"], body=b"x" * 100_000)
        spam = client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * 100_000)
        again = client.message("<a@out.test>", ["<b@rig.test>"])
    assert [str(answer) for answer in good.rcpts] == ["continue", REFUSED]
    held = "accept" if settings == RELAY else "discard"
    assert [str(told.end) for told in (good, spam, again)] == ["accept", held, "accept"]
    assert [len(one.message) for one in turf.held()] == ([100_017] if settings == HELD else [])


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (wire.ALL_PROTOCOL, b"A:x\r\nB: y\r\nC:  z\r\nD:\tt\r\n\te\r\nE:\r\n\r\n"),
        # One blank is put back where the MTA has dropped what stood behind the colon.
        (wire.ALL_PROTOCOL & ~Protocol.HDR_LEADSPC, b"A: x\r\nB: y\r\nC:  z\r\nD: \tt\r\n\te\r\nE: \r\n\r\n"),
    ],
)
def test_the_blanks_after_the_colon_are_kept_if_the_mta_sends_them(
    filters: Filters, protocol: Protocol, message: bytes
) -> None:
    turf = filters(HELD)
    headers = [("A", "x"), ("B", " y"), ("C", "  z"), ("D", "\tt\n\te"), ("E", "")]
    with turf.session(protocol=protocol) as client:
        client.message("<spam@turf.test>", ["<b@rig.test>"], headers, b"")
    (held,) = turf.held()
    assert held.message == message


def test_an_mta_that_cannot_skip_sends_the_rest_of_an_unwanted_body(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    (turf.quarantine / "full").touch()
    for protocol, answers in ((wire.ALL_PROTOCOL, ["skip"]), (wire.ALL_PROTOCOL & ~Protocol.SKIP, ["continue"] * 2)):
        with turf.session(protocol=protocol) as client:
            client.mail("<spam@turf.test>")
            client.rcpt("<b@rig.test>")
            client.data()
            client.eoh()
            assert [str(a) for _ in answers if (a := client.body(b"x")).sent] == answers
            assert str(client.eom()).startswith("452 4.3.1 ")


def test_without_a_list_of_macros_the_mtas_own_are_used(filters: Filters) -> None:
    with filters(RELAY).session(actions=wire.ALL_ACTIONS & ~Action.SETSYMLIST) as client:
        assert client.macros.requested == {}
        told = client.message("<a@out.test>", ["<b@rig.test>", "<x%elsewhere.test@rig.test>"])
    assert [str(answer) for answer in told.rcpts] == ["continue", REFUSED]


def test_connect_helo_mail_and_headers_are_answered_where_the_mta_waits(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.client(protocol=wire.ALL_PROTOCOL & ~NO_ANSWERS) as client:
        client.negotiate()
        answers = [client.connect(), client.helo(), client.mail("<a@out.test>")]
        client.rcpt("<b@rig.test>")
        client.data()
        answers.append(client.header("Subject", " x"))
        assert [(a.answered, str(a)) for a in answers] == [(True, "continue")] * 4
        assert str(client.eoh()) == "accept"
        client.quit()


@pytest.mark.parametrize(
    ("settings", "actions", "protocol", "said"),
    [
        (HELD, wire.ALL_ACTIONS, wire.ALL_PROTOCOL, []),
        (RELAY, wire.ALL_ACTIONS & ~Action.DELRCPT, wire.ALL_PROTOCOL & ~Protocol.HDR_LEADSPC, []),
        (HELD, wire.ALL_ACTIONS, wire.ALL_PROTOCOL & ~Protocol.HDR_LEADSPC, ["SMFIP_HDR_LEADSPC"]),
        (HELD, wire.ALL_ACTIONS & ~Action.DELRCPT, wire.ALL_PROTOCOL, ["SMFIF_DELRCPT"]),
        (RELAY, wire.ALL_ACTIONS & ~Action.SETSYMLIST, wire.ALL_PROTOCOL, ["SMFIF_SETSYMLIST"]),
        (HELD, LEAST_ACTIONS, LEAST_PROTOCOL, ["SMFIF_SETSYMLIST", "SMFIF_DELRCPT", "SMFIP_HDR_LEADSPC"]),
    ],
    ids=["none", "none_that_relay_needs", "blanks", "removal", "macros", "all"],
)
def test_a_feature_that_the_mta_lacks_and_we_need_is_reported_once(
    own_filter: Filters, settings: str, actions: Action, protocol: Protocol, said: list[str], golden: Golden
) -> None:
    turf = own_filter(settings, log="text")
    for _ in range(3):
        with turf.session(actions=actions, protocol=protocol):
            pass
    assert_warned(turf, said, golden)


BY_PORT = RELAY + "[listener.inner]\nport = 2525\n"
BY_ADDRESS = RELAY + '[listener.inner]\naddress = "192.0.2.1"\n'
BY_DAEMON = RELAY + '[listener.inner]\ndaemon = "inner"\n'
BY_NAME = 'domains = ["rig.test"]\n[connect]\ndeny = ["bad.test"]\non_error = "continue"\n'
ON_ALL_ADDRESSES = {"daemon_addr": "0.0.0.0"}


@pytest.mark.parametrize(
    ("settings", "address", "port", "macros", "said"),
    [
        (BY_PORT, "192.0.2.9", 40000, {}, []),
        (BY_PORT, "192.0.2.9", 40000, {"daemon_port": None}, ["{daemon_port}"]),
        (BY_ADDRESS, "192.0.2.9", 40000, {"daemon_port": None}, []),
        (BY_ADDRESS, "192.0.2.9", 40000, ON_ALL_ADDRESSES, ["{daemon_addr}"]),
        (BY_ADDRESS, "192.0.2.9", 40000, {**ON_ALL_ADDRESSES, "if_addr": "192.0.2.1"}, []),
        (BY_ADDRESS, "127.0.0.2", 40000, ON_ALL_ADDRESSES, []),
        (BY_DAEMON, "192.0.2.9", 40000, {"daemon_name": None}, ["{daemon_name}"]),
        (BY_NAME, "192.0.2.9", 40000, {"client_resolve": "FAIL"}, []),
        (BY_NAME, "192.0.2.9", 40000, {"client_resolve": None}, ["{client_resolve}"]),
        (RELAY, "192.0.2.9", 40000, {"client_resolve": None, "daemon_port": None, "daemon_name": None}, []),
        (BY_NAME, "127.0.0.1", 0, {"client_resolve": None}, []),
    ],
    ids=[
        "port",
        "no_port",
        "no_port_for_address",
        "no_address",
        "interface",
        "loopback",
        "no_daemon",
        "failed_name",
        "no_name",
        "nothing_needed",
        "local_program",
    ],
)
def test_a_macro_that_the_mta_does_not_send_and_we_need_is_reported_once(
    own_filter: Filters,
    settings: str,
    address: str,
    port: int,
    macros: dict[str, str | None],
    said: list[str],
    golden: Golden,
) -> None:
    turf = own_filter(settings, log="text")
    for _ in range(3):
        with turf.session("client.out.test", address, port, macros=macros):
            pass
    assert_warned(turf, said, golden)


def assert_warned(turf: Filter, said: list[str], golden: Golden) -> None:
    """Fail unless the log has one warning for each of `said`, in this order and in the expected words."""
    warnings = [line for line in turf.lines() if line.startswith("warning: ")]
    assert len(warnings) == len(said)
    assert all(word in line for word, line in zip(said, warnings, strict=True))
    if warnings:
        golden("log", "\n".join(warnings))


@pytest.mark.parametrize(
    ("protocol", "blank"), [(wire.ALL_PROTOCOL, " "), (wire.ALL_PROTOCOL & ~Protocol.HDR_LEADSPC, "")]
)
def test_a_header_field_that_we_add_has_one_blank_after_its_colon_with_any_mta(
    filters: Filters, protocol: Protocol, blank: str
) -> None:
    turf = filters(HELD + '[reverse_name]\ncheck = "stamp"\n')
    with turf.session(protocol=protocol) as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"])
    ((_, _, value),) = told.end.changes.insheader
    assert value.partition("mx.rig.test;")[0] == blank
