"""Access maps and lists of any content: what is made from them loads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rig.drafts import loaded
from turfmilter.core.table.entry import Where
from turfmilter.importers.draft import Draft, Unreadable
from turfmilter.importers.maincf import Received
from turfmilter.importers.postfixpolicy import PostfixPolicy
from turfmilter.importers.sendmailpolicy import SendmailPolicy

parts = st.sampled_from(
    [
        "a.example",
        "/list",
        "b",
        "@",
        ".",
        "192.0.2.1",
        "192.0.2",
        "/24",
        "[",
        "]",
        "::1",
        "2001:db8",
        "!",
        "*",
        '"',
        "=",
        "<>",
        ";",
        "#",
    ]
)
printable = st.characters(exclude_characters="\n\r", exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"])
keys = st.one_of(st.lists(parts, min_size=1, max_size=4).map("".join), st.text(printable, min_size=1, max_size=10))
tags = st.sampled_from(["", "Connect:", "From:", "To:", "IPv6:", "Spam:"])
results = st.sampled_from(["REJECT", "OK", "RELAY", "DUNNO", "SKIP", "DISCARD", "HOLD", "550 no", "450 later", "", "x"])
lines = st.lists(st.builds("{}{} {}".format, tags, keys, results), max_size=6)


def postfix(texts: dict[str, str], **parameters: str) -> Draft:
    def read(path: str) -> list[str]:
        if path not in texts:
            raise Unreadable(f"{path}: missing")
        return texts[path].split("\n")

    given = {"parent_domain_matches_subdomains": "smtpd_access_maps", **parameters}
    places = {name: Where("main.cf", number) for number, name in enumerate(given, 1)}
    policy = PostfixPolicy(given, places, Received(()), (), read, "/quarantine")
    return policy.draft("main.cf", ["ours.example"])


@given(lines, st.sampled_from(["hash", "cidr"]))
def test_whatever_a_postfix_has_in_its_tables_the_configuration_loads(table: list[str], kind: str) -> None:
    restrictions = {
        "smtpd_client_restrictions": f"check_client_access {kind}:/a",
        "smtpd_sender_restrictions": f"check_sender_access {kind}:/a",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "mynetworks": f"/list, {kind}:/a",
    }
    draft = postfix({"/a": "\n".join(table), "/list": "\n".join(line.split()[0] for line in table)}, **restrictions)
    loaded(draft)


@given(lines, st.lists(keys, max_size=4))
def test_whatever_a_sendmail_has_in_its_files_the_configuration_loads(access: list[str], words: list[str]) -> None:
    texts = {"access": "\n".join(access), "relay-domains": "\n".join(words), "local-host-names": " ".join(words)}
    draft = SendmailPolicy(texts, "/quarantine").draft("/etc/mail", ["ours.example"])
    loaded(draft)
