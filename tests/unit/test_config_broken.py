"""Broken configurations, each with the exact sentences that it must produce, in their order."""

# ruff: noqa: E501 - one sentence a line, as the administrator sees it

from __future__ import annotations

from pathlib import Path

import pytest

from turfmilter.config.loader import ConfigError, load

FOLDER = Path(__file__).parent / "broken"

SENTENCES: dict[str, list[str]] = {
    "choices": [
        'mode: "enforced" is none of "off", "trial", "enforce"; "enforce" was probably meant',
        'log.to: "sysloog" is none of "syslog", "stderr"; "syslog" was probably meant',
        'log.format: true is none of "text", "json"',
        'relay.mode: "permit" is none of "off", "trial", "enforce"',
        'relay.default: "denied" is none of "deny", "allow"; "deny" was probably meant',
        'turf.answer: "Accept" is none of "accept", "reject"; "accept" was probably meant',
        'turf.match[0]: "from" is none of "sender", "author"',
        'turf.match[1]: "autor" is none of "sender", "author"; "author" was probably meant',
        'turf.match[2]: 3 is none of "sender", "author"',
        'turf.unreadable_author: false is none of "off", "trial", "enforce"',
    ],
    "controls": [
        'domains[0]: "example.org\\x1b[2J": "example.org\\x1b[2J" is not a name',
        'relay."al\\x0alow": unknown key; "allow" was probably meant',
    ],
    "entries_in_a_file": [
        'wrong.table:3: "*.ads.example": the "@" is missing; @ads.example (and every subdomain) or =@ads.example',
        'wrong.table:4: "@news.example": "2027-02-30" is not a day; a day is written as 2027-01-31',
    ],
    "entries_of_hosts": [
        'domains[1]: "user@example.net": a mail address in a list of hosts; probably meant example.net',
        'relay.allow[0]: "192.0.2.17/24": host bits are set in the network; probably meant 192.0.2.0/24 or 192.0.2.17',
        'relay.allow[1]: "!": nothing stands after the "!"',
        "relay.allow[2]: 25 is not an entry; an entry is text",
        'relay.allow[3]: "192.0.2": "192.0.2" is not an address; probably meant 192.0.2.0/24',
        'relay.allow[4]: "office.example": "soon" is not a day; a day is written as 2027-01-31',
    ],
    "entries_of_senders": [
        'turf.tables[0]: "spam.example": the "@" is missing; @spam.example (and every subdomain) or =@spam.example',
        'turf.tables[1]: "@spam.example": REJECT stands behind the entry; only expires=, why= and by= or a comment ("# ...") may follow',
        'turf.exempt[0]: "postmaster": the "@" is missing; postmaster@ matches it at every domain',
    ],
    "everything_at_once": [
        'socket: "inet:99999": port 99999 is out of range; ports are 1 to 65535',
        'mode: "trail" is none of "off", "trial", "enforce"; "trial" was probably meant',
        'domians: unknown key; "domains" was probably meant',
        'realy: unknown section; "relay" was probably meant',
        'turf.tables[0]: "spam.example": the "@" is missing; @spam.example (and every subdomain) or =@spam.example',
        'turf.answer: 1 is none of "accept", "reject"',
        'turf.match: empty, so no message would ever match; write ["sender", "author"], or mode = "off"',
    ],
    "file_is_a_folder": [
        "domains[1]: FOLDER: not a file",
    ],
    "file_missing": [
        "turf.tables[0]: FOLDER/tables/turf.table: cannot be read: No such file or directory",
    ],
    "file_not_utf8": [
        "relay.deny[0]: FOLDER/not_utf8.toml:3: not UTF-8; save the file in that encoding",
    ],
    "file_without_word": [
        'turf.tables[0]: "wrong.table": a file, taken for an entry; probably meant "file:wrong.table"',
    ],
    "key_above_its_section": [
        "allow: unknown key at the top level, before the first [section]; allow stands in [relay]",
    ],
    "key_below_a_section": [
        "log.domains: unknown key in [log]; domains stands at the top level, before the first [section]",
    ],
    "key_misspelt_and_misplaced": [
        "turf.interface: unknown key in [turf]; interfaces stands in [relay]",
    ],
    "key_of_two_sections": [
        "reply: unknown key at the top level, before the first [section]; reply stands in [relay] or in [turf]",
    ],
    "key_with_a_dash": [
        'socket-mode: unknown key; "socket_mode" was probably meant',
    ],
    "nested_too_deeply": [
        "FOLDER/nested_too_deeply.toml: a number is far too long, or lists are nested far too deeply",
    ],
    "no_domains": [
        "domains: empty, so the relay rule would refuse every recipient; write the domains that this host receives mail for",
    ],
    "not_utf8": [
        "FOLDER/not_utf8.toml:3: not UTF-8; save the file in that encoding",
    ],
    "number_for_text": [
        "socket: 8895 is not text; text stands in quotes",
        "user: 1000 is not text; text stands in quotes",
        "socket_group: a list is not text; text stands in quotes",
        "turf.directory: 2027-01-31 is not text; text stands in quotes",
        "turf.reply: 550 is not text; text stands in quotes",
    ],
    "relay_accounts": [
        'relay.authenticated[1]: "" is not an account; write it as text: "alice"',
        'relay.authenticated[2]: 7 is not an account; write it as text: "alice"',
    ],
    "relay_interfaces_named": [
        'relay.interfaces[1]: "mx.example.org": a name where only addresses are compared; write the address of this host',
    ],
    "relay_on_error_continue": [
        'relay.on_error: "continue" would let everybody relay whenever DNS is away; write "tempfail"',
    ],
    "relay_tls_without_authentication": [
        "relay.authenticated_needs_tls: true, but relay.authenticated lets nobody relay; set relay.authenticated, or take this key out",
    ],
    "replies": [
        'relay.reply: "relaying prohibited": a reply is written "550 5.7.1 text": code, enhanced code and text',
        'turf.reply: "550 4.7.1 refused": 550 and 4.7.1 are of different classes (RFC 2034)',
    ],
    "reply_of_turf_temporary": [
        "turf.reply: a 4xx reply makes the sender try again, and every try would be held; write a 5xx reply",
    ],
    "reply_with_percent": [
        'relay.reply: "550 5.7.1 we are 100% closed": the text must not contain "%"',
    ],
    "section_as_list": [
        "relay: a section that stands once; write [relay] instead of [[relay]]",
    ],
    "section_as_value": [
        "relay: true is not a section; write [relay] and its keys on the lines below it",
    ],
    "socket_mode_as_number": [
        'socket_mode: 660 is a number; write the octal digits as text: "0660"',
    ],
    "socket_mode_in_letters": [
        'socket_mode: "rw-rw----" is no file mode; write three octal digits, such as "0660"',
    ],
    "socket_mode_in_toml_octal": [
        'socket_mode: 384 is a number; write the octal digits as text: "0600"',
    ],
    "socket_of_postfix": [
        'socket: "inet:127.0.0.1:8895": that is Postfix\'s spelling; here it is "inet:8895@127.0.0.1"',
    ],
    "socket_path_too_long": [
        'socket: "unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...": the path has 108 bytes, a unix socket\'s at most 107',
    ],
    "socket_port_too_high": [
        'socket: "inet:99999": port 99999 is out of range; ports are 1 to 65535',
    ],
    "socket_relative": [
        'socket: "unix:turfmilter/turfmilter.sock": the path is relative; write all of it, such as "unix:/run/turfmilter/turfmilter.sock"',
    ],
    "sources": [
        'domains[1]: "hash:/etc/postfix/relay_domains": hash: is no source; a file of entries is written "file:PATH"',
        'domains[2]: "!file:wrong.table": a file is no exception; write the "!" before the entries in it',
        'domains[3]: "file:": no file is named; write "file:PATH"',
        'domains[4]: "cdb:/etc/domains": cdb: is no source; a file of entries is written "file:PATH"',
    ],
    "text_for_a_list": [
        'domains: "example.org" is not a list; write ["example.org"]',
        'relay.allow: "192.0.2.0/24" is not a list; write ["192.0.2.0/24"]',
        'relay.deny: 5 is not a list; write ["...", "..."]',
        'relay.authenticated: "alice" is not a list; write ["alice"]',
        'turf.match: "sender" is not a list; write ["sender"]',
        'turf.tables: "@spam.example" is not a list; write ["@spam.example"]',
    ],
    "toml_ends_too_early": [
        'FOLDER/toml_ends_too_early.toml:2:5: no "=" after the key; write key = value, or [section], or "#" before a comment',
    ],
    "toml_key_twice": [
        "FOLDER/toml_key_twice.toml:3:17: this stands twice; take one of the two out",
    ],
    "toml_list_not_closed": [
        'FOLDER/toml_list_not_closed.toml:3:1: a list is not closed; a "]" or a comma is missing',
    ],
    "toml_postfix_style": [
        'FOLDER/toml_postfix_style.toml:1:8: no "=" after the key; write key = value, or [section], or "#" before a comment',
    ],
    "toml_section_twice": [
        "FOLDER/toml_section_twice.toml:6:7: this section stands twice; put its keys together",
    ],
    "toml_word_without_quotes": [
        "FOLDER/toml_word_without_quotes.toml:2:8: no value; text stands in quotes, true and false in lower case",
    ],
    "trial_checks_as_well": [
        'relay.on_error: "continue" would let everybody relay whenever DNS is away; write "tempfail"',
        "turf.directory: not set, although turf.tables has entries; name the directory, or write discard = true to lose their mail",
    ],
    "turf_directory_and_discard": [
        "turf.discard: true, although turf.directory is set; a message is held or lost, so take one of the two out",
    ],
    "turf_directory_relative": [
        'turf.directory: "quarantine" is no absolute path; write all of it, such as "/var/lib/turfmilter/quarantine"',
    ],
    "turf_matching_nothing": [
        'turf.match: empty, so no message would ever match; write ["sender", "author"], or mode = "off"',
    ],
    "turf_without_directory": [
        "turf.directory: not set, although turf.tables has entries; name the directory, or write discard = true to lose their mail",
    ],
    "unknown_key": [
        'domain: unknown key; "domains" was probably meant',
    ],
    "unknown_key_like_none": [
        "log.verbosity: unknown key; known are to, format",
    ],
    "unknown_section": [
        'realy: unknown section; "relay" was probably meant',
    ],
    "unknown_section_inside": [
        "relay.office: unknown section; [relay] has no sections",
    ],
    "unknown_section_like_none": [
        "greylisting: unknown section; known are log, relay, turf",
    ],
    "user_and_group_unknown": [
        'user: there is no user "turfmitler" on this machine; adduser --system --group makes one',
        'socket_group: there is no group "turfmitler" on this machine; the MTA\'s own is probably meant',
    ],
    "user_is_root": [
        'user: "root" is the superuser; name a user that owns nothing but the quarantine',
    ],
    "value_as_section": [
        'domains: a section is not a list; write ["...", "..."]',
    ],
    "yes_for_true": [
        'relay.routing: "yes" is neither true nor false; write true',
        "relay.authenticated_needs_tls: 0 is neither true nor false; write false",
        'relay.authenticated: "on" is neither true nor false; write true',
        'turf.spare_authenticated: "maybe" is neither true nor false',
        "turf.discard: 1.5 is neither true nor false",
    ],
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_broken_configuration_says_exactly_what_is_wrong(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FOLDER / f"{name}.toml")
    assert [said.replace(str(FOLDER), "FOLDER") for said in caught.value.problems] == SENTENCES[name]


def test_every_broken_configuration_is_in_the_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(SENTENCES)


def test_the_error_as_text_is_one_sentence_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load(FOLDER / "everything_at_once.toml")
    assert str(caught.value).splitlines() == SENTENCES["everything_at_once"]


def test_a_configuration_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "turfmilter.toml")
    assert caught.value.problems == (f"{tmp_path}/turfmilter.toml: cannot be read: No such file or directory",)


def test_a_number_that_cannot_be_printed_is_described(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f'domains = ["example.org"]\nsocket_mode = 0x{"f" * 6000}\nrelay.routing = 0x{"f" * 6000}\n')
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.problems == (
        "socket_mode: a huge number is not text; text stands in quotes",
        "relay.routing: a huge number is neither true nor false",
    )


def test_a_long_table_names_its_one_broken_line(tmp_path: Path) -> None:
    lines = [f"@host{number}.example" for number in range(100_000)]
    lines[76_542] = "spam.example"
    (tmp_path / "turf.table").write_text("\n".join(lines))
    (tmp_path / "turfmilter.toml").write_text(
        'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true'
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "turfmilter.toml")
    assert caught.value.problems == (
        'turf.table:76543: "spam.example": the "@" is missing; @spam.example (and every subdomain) or =@spam.example',
    )
