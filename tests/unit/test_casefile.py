"""Case files: what is read from them, and what is said of broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from caserunner.case import Do, Expected, Receive, Send, Submit
from caserunner.casefile import Broken, read_cases

HEAD = 'What it is about.\n\nfilter:\n    domains = ["rig.test"]\n\n== it works\n'
TALK = "> NOOP\n< 250\n"


def read(place: Path, text: str) -> object:
    path = place / "some.txt"
    path.write_text(text)
    return read_cases(path)


def test_all_of_a_case_is_read(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text(
        HEAD
        + "# why\nclient: 192.0.2.9\nlistener: submission\nnot on sendmail: it cannot\nholds without the rules: yes\n"
        "> RCPT TO:<a\\xe9>\n> DATA\n<fake 250 ok\n<postfix 550 5.7.1 no\n< closed\n! filter is killed\n"
        "$ sendmail -t x@y\ndelivered on postfix: a@b\nlog: verdict=accept\n"
    )
    file = read_cases(path)
    (case,) = file.cases
    assert (file.filter.strip(), case.title, case.line) == ('domains = ["rig.test"]', "it works", 6)
    assert (case.client, case.listener, case.harmless) == ("192.0.2.9", "submission", True)
    assert (case.mtas, case.missing) == (["fake", "postfix"], {"sendmail": "it cannot"})
    sent, received, closed, done, submitted = case.steps
    assert sent == Send((b"RCPT TO:<a\xe9>", b"DATA"))
    assert received == Receive(14, {"fake": "250 ok", "postfix": "550 5.7.1 no"})
    assert closed == Receive(16, dict.fromkeys(("fake", "postfix", "sendmail"), "closed"))
    assert (done, submitted) == (Do(17, "filter is killed"), Submit(18, ("-t", "x@y")))
    assert list(case.at_end("delivered", "postfix")) == [Expected(19, "delivered", "a@b", frozenset(["postfix"]))]
    assert list(case.at_end("delivered", "fake")) == []


@pytest.mark.parametrize(
    ("mta", "version", "reply"),
    [
        ("fake", (0, 0), "451"),
        ("postfix", (3, 7), "451"),
        ("postfix", (3, 10), "421"),
        ("postfix", (4, 0), "421"),
        ("sendmail", (8, 18), "451"),
    ],
)
def test_a_version_of_an_mta_can_have_a_reply_of_its_own(
    tmp_path: Path, mta: str, version: tuple[int, int], reply: str
) -> None:
    path = tmp_path / "some.txt"
    path.write_text(HEAD + "> NOOP\n< 451\n<postfix3.10 421\n")
    [case] = read_cases(path).cases
    _, received = case.steps
    assert isinstance(received, Receive)
    assert received.reply(mta, version) == reply


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "some.txt:0: no case: each begins with a line `== what it shows`"),
        ("== x\n" + TALK, "some.txt:0: no line `filter:`"),
        ("filter:\n    a = \n== x\n" + TALK, "some.txt:1: the filter's configuration is no TOML"),
        (HEAD, 'some.txt:6: nothing happens in "it works"'),
        (HEAD + TALK + "delivred: x\n", 'some.txt:9: "delivred: x": neither >, <, !, $, # nor a key; meant delivered?'),
        (HEAD + TALK + "hello\n", 'some.txt:9: "hello": neither >, <, !, $, # nor a key'),
        (HEAD + TALK + "held on exim: x\n", 'some.txt:9: "exim": no MTA; there are fake, postfix, sendmail'),
        (HEAD + "> NOOP\n< yes\n", 'some.txt:8: "< yes": not `< 250`'),
        (HEAD + "> NOOP\n<qmail 250\n", 'some.txt:8: "qmail": no MTA'),
        (HEAD + "> NOOP\n<fake,sendmail,postfix3.10 250\n", "some.txt:8: no reply is expected from postfix"),
        (HEAD + "> NOOP\n<fake,postfix 250\n", "some.txt:8: no reply is expected from sendmail"),
        (HEAD + "! filter dies\n", 'some.txt:7: "! filter dies": nothing that can happen; meant filter'),
        (
            HEAD + "listener: submision\n" + TALK,
            'some.txt:7: "submision": no listener of the mail host; meant submission?',
        ),
        (HEAD + "client: anna\n" + TALK, 'some.txt:7: "anna": neither an address nor one of pipe, unix socket'),
        (HEAD + "not on fake:\n" + TALK, 'some.txt:7: "not on fake:": nothing behind the colon'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Broken) as broken:
        read(tmp_path, text)
    assert str(broken.value).startswith(said)
