"""Files of the MTAs: our table matches what Postfix's list matches, or the file is refused, whatever it contains."""

from __future__ import annotations

import os
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rig.postfixlist import PostfixList
from turfmilter.config.loader import ConfigError, configure
from turfmilter.config.schema import Config
from turfmilter.core.session import ClientNames, Connection, Known
from turfmilter.core.table.entry import listed
from turfmilter.core.table.pattern import parse_host, parse_sender
from turfmilter.importers.postfix import read_postfix
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.words import Of

TODAY = date(2027, 1, 1)
NAMES = ["a.test", "b.a.test", "c.b.a.test", "d.test", "x.d.test", "da.test"]
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.3.1", "198.51.100.1", "2001:db8::1", "2001:db8:1::1", "::1"]
NETWORKS = [
    "192.0.2.1",
    "192.0.2.0/24",
    "192.0.2.0/31",
    "192.0.0.0/16",
    "[::1]",
    "[2001:db8::]/32",
    "[2001:db8::1]/128",
]

names = st.sampled_from(NAMES)
signs = st.sampled_from(["", "", "", "!"])
blanks = st.sampled_from([" ", "\t"])
results = st.sampled_from(["OK", "x", "anything at all", "OK\n  more.test", "# ours"])
domains = st.one_of(names, names, names, names.map("{0} .{0}".format))
gaps = st.sampled_from([", ", ",", " , ", "\n", "\n  ", "\n# a comment\n", "\n\n"])


@st.composite
def lists(draw: st.DrawFn, of: st.SearchStrategy[str]) -> str:
    """A list, some of whose entries are exceptions; "a.test .a.test" is the long form of an entry."""
    text = ""
    for entry in draw(st.lists(of, min_size=1, max_size=6)):
        sign = draw(signs)
        text += "".join(f"{sign}{word}{draw(gaps)}" for word in entry.split())
    return text.rstrip(", ") + "\n"


@st.composite
def tables(draw: st.DrawFn) -> str:
    keys = draw(st.lists(names, min_size=1, unique=True))
    keys += [f".{key}" for key in keys if draw(st.booleans())]
    return "".join(f"{key}{draw(blanks)}{draw(results)}\n" for key in draw(st.permutations(keys)))


def configured(folder: Path, section: dict[str, object]) -> Config | None:
    try:
        return configure({"domains": ["example.org"], **section}, folder)
    except ConfigError:
        return None


def our_domains(folder: Path, file: str) -> list[str] | None:
    """Which of NAMES are ours according to the file; None if it is refused."""
    config = configured(folder, {"domains": [f"postfix:{file}"]})
    return None if config is None else [name for name in NAMES if listed(config.domains.match_name(name, TODAY))]


@given(content=lists(domains), file=st.sampled_from(["relay_domains", "mydest"]))
@settings(deadline=None)
def test_a_list_of_domains_holds_what_postfix_says(content: str, file: str) -> None:
    with TemporaryDirectory() as place:
        path = Path(place, file)
        path.write_text(content)
        ours = our_domains(path.parent, file)
        assume(ours is not None)
        dotted = any(word.lstrip("!").startswith(".") for word in content.replace(",", " ").split())
        with PostfixList(str(path), parent=file == "relay_domains" and not dotted) as matching:
            assert ours == [name for name in NAMES if matching.holds(name)]


@given(content=tables(), file=st.sampled_from(["relay_domains", "virtual_domains"]))
@settings(deadline=None)
def test_the_source_of_a_table_holds_what_postfix_says(content: str, file: str) -> None:
    with TemporaryDirectory() as place:
        path = Path(place, file)
        path.write_text(content)
        os.utime(path, (0, 0))  # Postfix waits while a file may still be written to
        ours = our_domains(path.parent, file)
        parent = file == "relay_domains" and not content.startswith(".") and "\n." not in content
        with PostfixList(f"texthash:{path}", parent=parent) as matching:
            assert ours == [name for name in NAMES if matching.holds(name)]


@given(content=lists(st.one_of(names, st.sampled_from(NETWORKS), st.sampled_from(NETWORKS))))
@settings(deadline=None)
def test_a_list_of_clients_holds_whom_postfix_says(content: str) -> None:
    with TemporaryDirectory() as place:
        path = Path(place, "mynetworks")
        path.write_text(content)
        config = configured(path.parent, {"relay": {"allow": ["postfix:mynetworks"]}})
        assume(config is not None)
        assert config
        clients = [(name, address) for name in ["unknown", *NAMES] for address in ADDRESSES]
        with PostfixList(str(path), parent=True) as matching:
            theirs = [client for client in clients if matching.holds_client(*client)]
        assert [client for client in clients if listed(config.relay.allow.find(peer(*client), TODAY).entry)] == theirs


@given(text=st.text('aA.b:[]!#$/=@,"\\ \t\n01é-*<>', max_size=40), of=st.sampled_from(Of))
def test_no_text_is_too_strange(text: str, of: Of) -> None:
    lines = text.split("\n")
    for reader in (read_postfix, read_sendmail):
        entries, problems = reader(lines, "file", parse_sender if of is Of.SENDERS else parse_host, of)
        assert all(0 < one.where.line <= len(lines) for one in (*entries, *problems))


def peer(name: str, address: str) -> Connection:
    confirmed = () if name == "unknown" else (name,)
    return Connection(client=ip_address(address), names=Known(ClientNames(confirmed, confirmed)))
