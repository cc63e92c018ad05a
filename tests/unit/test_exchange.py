"""The registry of Exchange 5.5 becomes a configuration: what is carried over, and what is reported."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from itertools import product

import pytest

from rig.drafts import loaded
from rig.golden import Golden
from rig.registry import KEY, Data, export
from rig.rules import TODAY
from turfmilter.config.kinds.words import Default
from turfmilter.core.address.readings import read_sender
from turfmilter.core.policy import Mode
from turfmilter.core.table.entry import listed
from turfmilter.importers.draft import Draft
from turfmilter.importers.exchange import read_exchange
from turfmilter.importers.regfile import NotARegFile, read_reg

LISTS: Mapping[str, Data] = {
    "RelayFlags": 15,
    "RelayDenyList": ["192.0.2.66"],
    "RelayAllowList": ["192.0.2.0;255.255.255.0"],
}


def imported(content: bytes) -> Draft:
    return read_exchange(read_reg(content, "x.reg"), "x.reg", ["ours.example"], "/quarantine")


def drafted(**values: Data) -> Draft:
    return imported(export({"RelayFlags": 2, **values}))


def said(draft: Draft) -> list[str]:
    return [str(problem) for problem in draft.problems]


@pytest.mark.parametrize(("version", "ansi"), [*product([4, 5], [True, False])])
def test_both_versions_are_read_in_both_encodings(version: int, ansi: bool) -> None:
    draft = imported(export(LISTS, version=version, ansi=ansi))
    assert draft.entries("relay.deny") == ("192.0.2.66",)
    assert draft.entries("relay.allow") == ("192.0.2.0/24",)
    assert said(draft) == []


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF8, b""])
def test_other_encodings_are_recognised(mark: bytes) -> None:
    text = export(LISTS, version=5, ansi=True).decode()
    encoding = {codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: "utf-8", b"": "utf-16-le"}[mark]
    assert imported(mark + text.encode(encoding)).entries("relay.deny") == ("192.0.2.66",)


@pytest.mark.parametrize("flags", range(16))
def test_the_default_is_open_only_for_0_and_1_and_with_a_warning(flags: int) -> None:
    draft = imported(export({"RelayFlags": flags}))
    config = loaded(draft)
    assert (config.relay.default is Default.ALLOW) == (flags in (0, 1))
    assert any("OPEN RELAY" in one for one in said(draft)) == (flags in (0, 1))
    assert (config.mode, config.relay.authenticated) == (Mode.TRIAL, flags >= 8)
    assert draft.complete


def test_absent_flags_are_0() -> None:
    draft = imported(export({"RelayAllowList": ["192.0.2.1"]}))
    assert loaded(draft).relay.default is Default.ALLOW


@pytest.mark.parametrize(
    ("entry", "ours"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        (" 192.0.2.1 ", ("192.0.2.1",)),
        ("192.0.2.1;255.255.255.255", ("192.0.2.1",)),
        ("192.0.2.0; 255.255.255.0", ("192.0.2.0/24",)),
        ("192.000.002.000;255.255.255.000", ("192.0.2.0/24",)),
        ("0.0.0.0;0.0.0.0", ("0.0.0.0/0",)),
        ("10.0.2.0;255.254.255.0", ("10.0.2.0/24", "10.1.2.0/24")),
    ],
)
def test_an_entry_with_a_mask_becomes_networks(entry: str, ours: tuple[str, ...]) -> None:
    draft = drafted(RelayAllowList=[entry])
    assert draft.entries("relay.allow") == ours
    assert said(draft) == []


TURF = {
    "spam@dom.example": "spam@dom.example",
    "@dom.example": "@dom.example",
    "#@dom.example": "=@dom.example",
    "#dom.example": "=@dom.example",
    "spammer": "spammer@",
    "user@[192.0.2.1]": "user@[192.0.2.1]",
    "@[192.0.2.1]": "@[192.0.2.1]",
    ".": "<>",
    "!bang@dom.example": '"!bang"@dom.example',
    "a*b@dom.example": '"a*b"@dom.example',
}


@pytest.mark.parametrize(("there", "here"), TURF.items())
def test_an_entry_of_the_turf_table_is_written_as_ours(there: str, here: str) -> None:
    draft = drafted(TurfTable=[there], TurfDir="C:\\turf")
    assert draft.entries("turf.tables") == (here,)
    assert said(draft) == []


@pytest.mark.parametrize(
    ("sender", "held"),
    [
        ("spam@dom.example", True),
        ("SPAM@sub.dom.example", True),
        ("x@adom.example", False),
        ("x@only.example", True),
        ("x@sub.only.example", False),
        ("spammer@anywhere.example", True),
        ("aXb@lit.example", False),
        ("a*b@lit.example", True),
        ("", True),
    ],
)
def test_the_turf_table_matches_whom_exchange_matched(sender: str, held: bool) -> None:
    entries = ["@dom.example", "#@only.example", "spammer", ".", "a*b@lit.example"]
    table = loaded(drafted(TurfTable=entries, TurfDir="C:\\turf")).turf.tables
    assert listed(table.match(read_sender(f"<{sender}>"), TODAY)) == held


def test_without_a_directory_messages_are_discarded_as_exchange_did() -> None:
    draft = drafted(TurfTable=["@dom.example"])
    assert loaded(draft).turf.discard
    assert ["discard = true" in one for one in said(draft)] == [True]


CASES: dict[str, Mapping[str, Data]] = {
    "open": {"RelayFlags": 0},
    "deny only": {"RelayFlags": 1, "RelayDenyList": ["192.0.2.66"]},
    "unused": {"RelayFlags": 8, "RelayAllowList": ["192.0.2.1"]},
    "unknown bits": {"RelayFlags": 18},
    "text": {"RelayFlags": "2"},
    "lists": {
        "RelayFlags": 2,
        "RelayAllowList": ["192.168.1.17;255.255.255.0", "mail.dom.example", "0.0.0.1;0.0.0.1", "10.0.0.0;255.0.0"],
    },
    "number": {"RelayFlags": 2, "RelayAllowList": 7},
    "turf": {
        "RelayFlags": 2,
        "TurfTable": ["dom.example", "*@dom.example", "user@", "#user@dom.example", "two words", "@dom..example", "@"],
        "TurfDir": "C:\\turf",
    },
    "others": {"RelayFlags": 2, "MaxMsgSize": 4096},
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_carried_over_is_reported(case: str, golden: Golden) -> None:
    draft = imported(export(CASES[case]))
    golden("import", "\n".join([*said(draft), f"complete: {draft.complete}"]))
    loaded(draft)


BROKEN = {
    "empty": b"",
    "another format": b"[Version]\r\nSignature=$CHICAGO$\r\n",
    "another program": export({"Path": "C:\\"}, key=r"HKEY_LOCAL_MACHINE\SOFTWARE\Other"),
    "another key": export(LISTS, key=r"HKEY_LOCAL_MACHINE\SOFTWARE\Other"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_of_another_program_is_refused(case: str, golden: Golden) -> None:
    with pytest.raises(NotARegFile) as refused:
        imported(BROKEN[case])
    golden("import", str(refused.value))


def test_lines_that_are_not_understood_are_reported() -> None:
    text = export(LISTS, ansi=True).decode().replace('"RelayDenyList"=hex(7)', '"RelayDenyList"=hex(7')
    draft = imported(text.encode())
    assert draft.entries("relay.allow") == ("192.0.2.0/24",)
    assert not draft.complete


def test_the_control_set_in_use_decides() -> None:
    old = export({"RelayFlags": 0}, key=KEY.replace("CurrentControlSet", "ControlSet001"), ansi=True)
    used = export({"RelayFlags": 2}, ansi=True).partition(b"\r\n")[2]
    draft = imported(old + used)
    assert loaded(draft).relay.default is Default.DENY
    assert not draft.complete


def test_a_file_cut_anywhere_opens_nothing_and_is_reported() -> None:
    """Only at the end of a value can a cut go unseen; then what follows is missing, never half there."""
    whole = export(LISTS, ansi=True)
    for length in range(len(whole) - 4):
        try:
            draft = imported(whole[:length])
        except NotARegFile:
            continue
        assert {*draft.entries("relay.allow")} <= {"192.0.2.0/24"}
        assert {*draft.entries("relay.deny")} <= {"192.0.2.66"}
        assert loaded(draft).relay.default is Default.DENY
        assert not draft.complete or whole[:length].endswith(b"\n")
