"""Broken configurations, each with the exact sentences that it must produce, in their order."""

# ruff: noqa: E501 - one sentence a line, as the administrator sees it

from __future__ import annotations

from pathlib import Path

import pytest

from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys, sections

FOLDER = Path(__file__).parent / "broken"
# Another section needs no other sentences here.
WITH_A_REPLY = " or in ".join(f"[{path.removesuffix('.reply')}]" for path, _ in keys(Config) if path.endswith(".reply"))

SENTENCES: dict[str, list[str]] = {
    "authserv_id_of_two_words": [
        'authserv_id: "mx example.org" is no token (RFC 8601 §2.2); write a host name, such as "mx.example.org"',
    ],
    "cap_as_one_section": [
        "cap: a section that may stand several times; write [[cap]] instead of [cap]",
    ],
    "cap_as_value": [
        "cap: a list is not a section; write [[cap]] and its keys on the lines below it",
    ],
    "cap_client_named": [
        'cap[0].client[1]: "lists.example.org": a name where only addresses are compared; write its address',
    ],
    "cap_for_nobody": [
        "cap[0].authenticated: nobody, so the cap would never hold; write true or some accounts, or take the key out",
        "cap[1].authenticated: nobody, so the cap would never hold; write true or some accounts, or take the key out",
        "cap[2].listener: empty, so the cap would never hold; name a listener, or take the key out",
    ],
    "cap_key_of_another_section": [
        "cap[0].port: unknown key in [[cap]]; port stands in [release] or in [listener.NAME]",
        'cap[0].clients: unknown key; "client" was probably meant',
    ],
    "cap_of_broken_listener": [
        "listener.submission: 587 is not a section; write [listener.submission] and its keys on the lines below it",
    ],
    "cap_of_unknown_listener": [
        'cap[0].listener: there is no [listener.submision]; "submission" was probably meant',
        "cap[1].listener: there is no [listener.office]; known are submission",
    ],
    "cap_of_unknown_listener_without_any": [
        "cap[0].listener: there is no [listener.submission]; write that section too",
    ],
    "cap_session_below_message": [
        "cap[0].session_size: less than message_size, so one message could be more than a whole session; write at least as much",
        "cap[1].session_size: less than message_size, so one message could be more than a whole session; write at least as much",
        "cap[2].session_size: set, but message_size is no limit, so one message could be more than a whole session; write message_size as well, at most as much",
    ],
    "cap_session_below_message_of_its_listener": [
        "cap[0].session_size: less than message_size, so one message could be more than a whole session; write at least as much",
    ],
    "cap_without_condition": [
        "cap[0]: no condition, so it would be for everybody; write one of authenticated, client, sender, listener, or use [limits]",
    ],
    "cap_without_number": [
        "cap[0]: no number, so it would change nothing; write one of recipients_per_message, recipients_per_bounce, message_size, session_size, messages_per_session",
        "cap[1]: no condition, so it would be for everybody; write one of authenticated, client, sender, listener, or use [limits]",
        "cap[1]: no number, so it would change nothing; write one of recipients_per_message, recipients_per_bounce, message_size, session_size, messages_per_session",
    ],
    "choices": [
        'mode: "enforced" is none of "off", "trial", "enforce"; "enforce" was probably meant',
        'log.to: "sysloog" is none of "syslog", "stderr"; "syslog" was probably meant',
        'log.format: true is none of "text", "json"',
        'relay.mode: "permit" is none of "off", "trial", "enforce"',
        'relay.default: "denied" is none of "deny", "allow"; "deny" was probably meant',
        'turf.answer: "Accept" is none of "accept", "reject"; "accept" was probably meant',
        'turf.match[0]: "from" is none of "sender", "author", "originator"',
        'turf.match[1]: "autor" is none of "sender", "author", "originator"; "author" was probably meant',
        'turf.match[2]: 3 is none of "sender", "author", "originator"',
        'turf.unreadable_author: false is none of "off", "trial", "enforce"',
    ],
    "connect_denies_everybody": [
        'connect.default: "deny", but connect.allow is empty, so nobody could connect; name the clients in allow, or write "allow" here',
    ],
    "connect_on_error_opens": [
        'connect.on_error: "continue" together with connect.default = "deny" would let everybody connect whenever DNS is away; write "tempfail"',
    ],
    "connect_ranges": [
        'connect.allow[0]: "192.0.2.20-192.0.2.10": the range runs backwards; probably meant 192.0.2.10-192.0.2.20',
        'connect.allow[1]: "192.0.2.1-2001:db8::1": an IPv4 and an IPv6 address in one range; both ends must be of one family',
        'connect.deny[0]: "198.51.100.1-9": "9" is not an address; probably meant 198.51.100.1-198.51.100.9',
    ],
    "connect_words": [
        'connect.default: "reject" is none of "deny", "allow"',
        'connect.reply_at: "helo" is none of "rcpt", "connect"',
        'connect.on_error: "temp-fail" is none of "auto", "tempfail", "continue"; "tempfail" was probably meant',
        'connect.reply: "250 2.0.0 welcome": a reply is written "550 5.7.1 text": code, enhanced code and text',
    ],
    "controls": [
        'domains[0]: "example.org\\x1b[2J": "example.org\\x1b[2J" is not a name',
        'relay."al\\x0alow": unknown key; "allow" was probably meant',
    ],
    "dns_nameserver_named": [
        'dns.nameservers[1]: "dns.example.org" is not an address; write it as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353"',
        'dns.nameservers[2]: "192.0.2.54:dns" is not an address; write it as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353"',
        'dns.nameservers[3]: "" is not an address; write it as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353"',
    ],
    "dns_nameserver_of_two_ports": [
        "dns.nameservers: 127.0.0.1 stands there with two ports; only one of them can be asked",
    ],
    "dns_nameserver_port_too_high": [
        "dns.nameservers[0]: port 65536 is out of range; ports are 1 to 65535",
        "dns.nameservers[1]: port 0 is out of range; ports are 1 to 65535",
    ],
    "dns_timeout_as_text": [
        'dns.timeout: "4s" is not a number of seconds; write it without quotes and units, such as 2.5',
    ],
    "dns_timeout_too_long": [
        "dns.timeout: 30 is out of range; write more than 0 and at most 5 seconds",
    ],
    "dns_timeout_zero": [
        "dns.timeout: 0.0 is out of range; write more than 0 and at most 5 seconds",
    ],
    "entries_in_a_file": [
        'wrong.table:3: "*.ads.example": the "@" is missing; @ads.example (and every subdomain) or =@ads.example',
        'wrong.table:4: "@news.example": "2027-02-30" is not a day; a day is written as 2027-01-31',
    ],
    "entries_of_hosts": [
        'domains[1]: "user@example.net": a mail address in a list of hosts; probably meant example.net',
        'relay.allow[0]: "192.0.2.17/24": host bits are set in the network; probably meant 192.0.2.0/24 or 192.0.2.17',
        'relay.allow[1]: "!": nothing follows the "!"',
        "relay.allow[2]: 25 is not an entry; an entry is text",
        'relay.allow[3]: "192.0.2": "192.0.2" is not an address; probably meant 192.0.2.0/24',
        'relay.allow[4]: "office.example": "soon" is not a day; a day is written as 2027-01-31',
    ],
    "entries_of_senders": [
        'turf.tables[0]: "spam.example": the "@" is missing; @spam.example (and every subdomain) or =@spam.example',
        'turf.tables[1]: "@spam.example": REJECT follows the entry; only expires=, why= and by= or a comment ("# ...") may follow',
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
        "allow: unknown key at the top level, before the first [section]; allow stands in [connect] or in [relay]",
    ],
    "key_below_a_section": [
        "log.domains: unknown key in [log]; domains stands at the top level, before the first [section]",
    ],
    "key_misspelt_and_misplaced": [
        "turf.interface: unknown key in [turf]; interfaces stands in [relay]",
    ],
    "key_of_two_sections": [
        f"reply: unknown key at the top level, before the first [section]; reply stands in {WITH_A_REPLY}",
    ],
    "key_with_a_dash": [
        'socket-mode: unknown key; "socket_mode" was probably meant',
    ],
    "limits_below_zero": [
        "limits.recipients_per_message: -1 is less than 0; 0 is no limit",
        "limits.message_size: -1 is less than 0; 0 is no limit",
    ],
    "limits_of_the_wrong_kind": [
        'limits.recipients_per_message: "100" is text; numbers stand without quotes',
        "limits.recipients_per_bounce: true is not a whole number",
        "limits.message_size: true is not a whole number",
        "limits.session_size: 1.5 is not a whole number",
        "limits.messages_per_session: a list is not a whole number",
    ],
    "limits_reply": [
        f"limits.reply: unknown key in [limits]; reply stands in {WITH_A_REPLY}",
    ],
    "limits_session_below_message": [
        "limits.session_size: less than message_size, so one message could be more than a whole session; write at least as much",
    ],
    "limits_session_without_message": [
        "limits.session_size: set, but message_size is no limit, so one message could be more than a whole session; write message_size as well, at most as much",
    ],
    "limits_sizes": [
        'limits.message_size: "10 meg" is not a size; write bytes as a number, or text such as "10 MiB"',
        'limits.session_size: "ten MiB" is not a size; write bytes as a number, or text such as "10 MiB"',
        'cap[0].message_size: "1.5 GiB" is not a size; write bytes as a number, or text such as "10 MiB"',
    ],
    "listener_address": [
        'listener.office.address[0]: "0.0.0.0" stands for all addresses; take it out, or write one that clients connect to',
        'listener.office.address[1]: "mail.example.org" is not an address; write one that clients connect to',
        "listener.office.address[2]: 25 is not text; text stands in quotes",
    ],
    "listener_as_list": [
        "listener: every section of this kind has a name; write [listener.NAME] and its keys on the lines below it",
    ],
    "listener_conditions_empty": [
        'listener.office.daemon: " " is no name',
        "listener.home: no condition, so nothing would tell its connections apart; write port, address or daemon",
    ],
    "listener_connect_denies_everybody": [
        'listener.office.connect.default: "deny", but connect.allow is empty, so nobody could connect; name the clients in allow, or write "allow" here',
    ],
    "listener_key_of_its_section": [
        "listener.submission.recipients_per_message: unknown key in [listener.submission]; recipients_per_message stands in [listener.submission.limits]",
        "listener.submission.allow: unknown key in [listener.submission]; allow stands in [listener.submission.connect] or in [listener.submission.relay]",
        "listener.submission.mode: unknown key in [listener.submission]; mode stands in [listener.submission.connect] or in [listener.submission.reverse_name] or in [listener.submission.relay] or in [listener.submission.limits] or in [listener.submission.turf]",
        "listener.submission.authserv_id: unknown key in [listener.submission]; authserv_id stands at the top level, before the first [section]",
    ],
    "listener_names": [
        'listener."my office": a name is made of letters, digits, "-" and "_"',
        'listener."x\\x1b": a name is made of letters, digits, "-" and "_"',
    ],
    "listener_port": [
        'listener.office.port: "submission" is not a port number; write it without quotes, such as 587',
        "listener.home.port[1]: port 65536 is out of range; ports are 1 to 65535",
        "listener.home.port[2]: port 0 is out of range; ports are 1 to 65535",
        "listener.home.port[3]: true is not a port number; write it without quotes, such as 587",
    ],
    "listener_relay_on_error_continue": [
        'listener.office.relay.on_error: "continue" would let everybody relay whenever DNS is away; write "tempfail"',
    ],
    "listener_section_as_value": [
        "listener.submission: 587 is not a section; write [listener.submission] and its keys on the lines below it",
    ],
    "listener_section_unknown": [
        'listener.submission.limit: unknown section; "limits" was probably meant',
        "listener.submission.log: unknown section; known are connect, reverse_name, relay, limits, turf",
        "listener.submission.limits.cap: unknown section; [listener.submission.limits] has no sections",
    ],
    "listener_tie": [
        "listener.office: takes connections that [listener.submission] takes too, and has as many conditions; let them differ, or give one of the two another condition",
    ],
    "listener_tie_of_different_conditions": [
        "listener.office: takes connections that [listener.submission] takes too, and has as many conditions; let them differ, or give one of the two another condition",
    ],
    "listener_turf_without_directory": [
        "listener.office.turf.directory: not set, although turf.tables has entries; name the directory, or write discard = true to lose their mail",
    ],
    "listener_without_a_condition_that_was_meant": [
        'listener.office.address: "mail.example.org" is not an address; write one that clients connect to',
    ],
    "listener_without_condition": [
        "listener.submission: no condition, so nothing would tell its connections apart; write port, address or daemon",
    ],
    "listener_without_name": [
        "listener.port: the name is missing; write [listener.NAME] above this key",
        "listener.require_auth: the name is missing; write [listener.NAME] above this key",
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
        'relay.interfaces[1]: "mx.example.org": a name where only addresses are compared; write its address',
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
    "reverse_name_words": [
        'reverse_name.check: "match_sender" is none of "off", "stamp", "require", "match-sender"; "match-sender" was probably meant',
        'reverse_name.on_error: "auto" is none of "tempfail", "continue"',
        'reverse_name.remove_forged: "yes" is neither true nor false; write true',
    ],
    "saved_with_byte_order_mark": [
        'domain: unknown key; "domains" was probably meant',
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
        'domains[1]: "hash:/etc/postfix/relay_domains": hash: is no source; for the source of a table of Postfix write "postfix:/etc/postfix/relay_domains"',
        'domains[2]: "!file:wrong.table": a file is no exception; write the "!" before the entries in it',
        'domains[3]: "file:": no file is named; write "file:PATH"',
        'domains[4]: "cdb:/etc/domains": cdb: is no source; for the source of a table of Postfix write "postfix:/etc/domains"',
        'domains[5]: "ldap:/etc/domains.cf": ldap: is no source; sources are "file:PATH", "postfix:PATH" and "sendmail:PATH"',
        'domains[6]: "postfix:": no file is named; write "postfix:PATH"',
        'domains[7]: "!sendmail:relay-domains": a file is no exception; write the "!" before the entries in it',
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
    "toml_quote_not_closed": [
        "FOLDER/toml_quote_not_closed.toml:1:25: the text does not end on this line; a quotation mark is missing",
    ],
    "toml_section_twice": [
        "FOLDER/toml_section_twice.toml:6:7: this section stands twice; put its keys together",
    ],
    "toml_semicolon": [
        'FOLDER/toml_semicolon.toml:1:1: neither key = value nor [section]; a comment begins with "#"',
    ],
    "toml_size_without_quotes": [
        'FOLDER/toml_size_without_quotes.toml:3:19: the line goes on behind the value; sizes, modes and addresses stand in quotes, such as "10 MiB"',
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
    "turf_spare_clients": [
        'turf.match[0]: "orginator" is none of "sender", "author", "originator"; "originator" was probably meant',
        'turf.match[1]: "resent-from" is none of "sender", "author", "originator"',
        'turf.spare_clients[0]: "192.0.2.1/24": host bits are set in the network; probably meant 192.0.2.0/24 or 192.0.2.1',
        'turf.spare_clients[1]: "printer@example.org": a mail address in a list of hosts; probably meant example.org',
        'turf.spare_clients[2]: "$mynetworks": "$mynetworks" is not a name',
        "turf.spare_clients[3]: FOLDER/missing: cannot be read: No such file or directory",
        'turf_spare_clients.table:3: "192.0.2.300": "192.0.2.300" is not an address',
        'turf.spare_clients[5]: "10.0.0.1": REJECT follows the entry; only expires=, why= and by= or a comment ("# ...") may follow',
        "turf.spare_local: a list is neither true nor false",
        'listener.office.turf.spare_clients: "192.0.2.0/24" is not a list; write ["192.0.2.0/24"]',
        'listener.office.turf.spare_client: unknown key; "spare_clients" was probably meant',
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
    "quarantine_and_release": [
        'quarantine.keep: "a month" is not a span of time; write a number with m, h, d or w, such as "30d"',
        'quarantine.keep_reviewed: "6m" is less than an hour; m is minutes, and a month is "30d"',
        'quarantine.floor: "100%" is not a percentage from 0% to 90%; write such as "5%"',
        'quarantine.max_size: "20 gigs" is not a size; write bytes as a number, or text such as "10 MiB"',
        'release.host: "two words" is not a host; write a name such as "mx.example.org", or an address',
        "release.port: port 0 is out of range; ports are 1 to 65535",
        'release.helo: "" is not a host; write a name such as "mx.example.org", or an address',
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
        f"greylisting: unknown section; known are {', '.join(sections(Config))}",
    ],
    "user_and_group_unknown": [
        'user: there is no user "turfmitler" on this machine; systemd-sysusers contrib/systemd/sysusers.conf makes the user turfmilter',
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
        'turf.spare_local: "yes" is neither true nor false; write true',
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
    path.write_text(
        f'domains = ["example.org"]\nsocket_mode = 0x{"f" * 6000}\nrelay.routing = 0x{"f" * 6000}\n'
        f"limits.message_size = 0x{'f' * 6000}\nlimits.session_size = 0x8000000000000000\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.problems == (
        "socket_mode: a huge number is not text; text stands in quotes",
        "relay.routing: a huge number is neither true nor false",
        "limits.message_size: a huge number is far too much; 0 is no limit",
        "limits.session_size: 9223372036854775808 is far too much; 0 is no limit",
    )


def test_a_listener_is_not_blamed_for_the_general_section(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(
        'domains = ["example.org"]\n[relay]\non_error = "continue"\n[limits]\nsession_size = 5\n'
        '[listener.office]\nport = 26\n[listener.office.relay]\nmode = "trial"\n'
        '[listener.office.limits]\nmode = "trial"\n[[cap]]\nauthenticated = true\nsession_size = 6\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [said.partition(":")[0] for said in caught.value.problems] == ["relay.on_error", "limits.session_size"]


LONG = 1_000_000  # characters
DISCARD = 'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true\n'


@pytest.mark.parametrize(
    "line",
    [
        "x" * LONG,
        "@spam.example " + "x" * LONG,
        f"@spam.example {'x' * LONG}=1",
        f"@spam.example expires={'x' * LONG}",
        f"@spam.example why={'x' * LONG}",
        "@spam.example why=" + '"' * (LONG + 1),
        f"@{'x' * LONG}.example",
        f"{'x' * LONG}@spam.example {'x' * LONG}",
        "\0" * LONG,
    ],
    ids=lambda line: line[:20].replace("\0", "NUL"),
)
def test_a_long_line_in_a_table_is_said_in_a_short_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / "turf.table").write_text(f"{line}\nbad\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "turfmilter.toml")
    assert all(said.startswith("turf.table:") and len(said) < 5000 for said in caught.value.problems)
    assert caught.value.problems[-1].startswith('turf.table:2: "bad": the "@" is missing; ')


@pytest.mark.parametrize(
    "settings",
    [
        f"{'x' * LONG} = 1",
        f'mode = "{"x" * LONG}"',
        f'domains = ["file:{"x" * LONG}"]',
        f'domains = ["postfix:{"x" * LONG}"]',
        f'domains = ["{"x" * LONG}:y"]',
        f"[{'x' * LONG}]\n[{'x' * LONG}]",
        f"[listener.{'x' * LONG}]\nport = 0",
        f'[turf]\ntables = ["{"x" * LONG}"]',
    ],
    ids=lambda settings: settings[:20],
)
def test_a_long_value_is_said_in_a_short_sentence(tmp_path: Path, settings: str) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f"{settings}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert all(len(said) < 5000 for said in caught.value.problems)


def test_a_file_whose_name_is_too_long_is_said_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(DISCARD.replace("turf.table", "x" * 5000))
    with pytest.raises(ConfigError) as caught:
        load(path)
    (said,) = caught.value.problems
    assert said.startswith("turf.tables[0]: ") and said.endswith("xxx: cannot be read: File name too long")


def test_long_entries_are_warned_about_in_short_sentences(tmp_path: Path) -> None:
    local = "x" * LONG
    (tmp_path / "turf.table").write_text(f"{local}@spam.example\n{local}@spam.example\n@spam.example\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    warnings = load(tmp_path / "turfmilter.toml").warnings
    assert any("a duplicate of" in said for said in warnings)
    assert all(len(said) < 2000 for said in warnings)


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
