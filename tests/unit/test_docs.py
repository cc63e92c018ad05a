"""The documentation: its links lead somewhere, and what it shows is what the program takes and says."""

from __future__ import annotations

import json as stdlib
import pkgutil
import re
import tomllib
from configparser import ConfigParser
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast, get_type_hints

import click
import pytest

from generate.configuration import every_reply
from rig.rules import StoppedClock
from turfmilter import rules
from turfmilter.cli.commands import COMMANDS, command
from turfmilter.cli.turfctl import main as turfctl
from turfmilter.cli.turfmilter import main
from turfmilter.config.loader import ConfigError, configure
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys
from turfmilter.core.address.mailbox import fold_domain, parse_address
from turfmilter.core.address.readings import read, read_sender
from turfmilter.core.escape import unescape
from turfmilter.core.removal import deletable
from turfmilter.core.report import Record
from turfmilter.core.rule import Rule
from turfmilter.core.session import ClientNames, Connection, Known
from turfmilter.core.table.pattern import parse_host, parse_sender
from turfmilter.importers.postfix import read_postfix
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.words import Of
from turfmilter.mta.nat import NatAlarm
from turfmilter.policies import build_policy
from turfmilter.telemetry.line import text

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*(ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")), *(ROOT / "docs").rglob("*.md")]
)
TODAY = date(2027, 1, 1)

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```\n+((?:>[^\n]*\n)*)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"(?m)^ *def (test_\w+)\(")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what it holds, and the sentences quoted right below it."""

    page: Path
    language: str
    content: str
    quoted: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.name}: {self.content[:30]!r}"


def blocks(page: Path) -> list[Block]:
    return [
        Block(page, language, content, tuple(line.removeprefix("> ").strip() for line in quote.splitlines()))
        for language, content, quote in _FENCE.findall(page.read_text() + "\n")
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]


def in_language(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text() + "\n")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: Path, *header: str) -> list[list[str]]:
    """The rows of all Markdown tables with these column names."""
    found: list[list[str]] = []
    lines = iter(prose(page).splitlines())
    for line in lines:
        if cells(line) == list(header):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                found.append(cells(row))
    return found


def every_row(page: Path, first: str) -> list[str]:
    """The rows of all tables whose first column has this name, each as it is written."""
    tables = re.findall(rf"(?m)^\| {re.escape(first)} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", prose(page))
    return [row for table in tables for row in table.splitlines()]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")] if row.startswith("|") else []


def spans(cell: str) -> list[str]:
    return _SPAN.findall(cell)


def said(folder: Path, table: dict[str, object]) -> tuple[Config | None, list[str]]:
    """What the loader makes of a configuration, and everything that it says about it."""
    try:
        config = configure(table, folder)
    except ConfigError as error:
        return None, list(error.problems)
    return config, list(config.warnings)


# The language of a block is the kind of file that it shows; where such a file is named in the configuration.
FILES = {
    "table": ("turf", "tables", "file:turf.table"),
    "hosts": ("relay", "allow", "file:relay.allow"),
    "postfix": ("relay", "allow", "postfix:mynetworks"),
    "sendmail": ("relay", "allow", "sendmail:relay-domains"),
}


def of_entries(folder: Path, language: str, content: str) -> tuple[Config, list[str]]:
    """The same for a file of entries."""
    section, key, source = FILES[language]
    (folder / source.partition(":")[2]).write_text(content)
    table: dict[str, object] = {"domains": ["example.org"], section: {key: [source]}}
    if section == "turf":
        table["turf"] = {key: [source], "directory": "/quarantine"}
    config, sentences = said(folder, table)
    return config or Config(), sentences


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        links = (page.parent / link.partition("#")[0] for link in _LINK.findall(prose(page)) if "://" not in link)
        todo += (link.resolve() for link in links if link.suffix == ".md" and link.resolve() not in reached)
    assert reached >= set(PAGES)


@pytest.mark.parametrize("block", in_language("toml"), ids=str)
def test_every_configuration_says_what_stands_below_it_and_nothing_else(block: Block, tmp_path: Path) -> None:
    """A page shows only the lines that it is about: domains and files are added, users are those of any machine."""
    content = block.content.replace("sendmail:/etc/mail/", "sendmail:")  # this machine has no Sendmail
    table = tomllib.loads(content)
    table.setdefault("domains", ["example.org"])
    if table.get("user") == "turfmilter":
        table["user"] = "nobody"
    if table.get("socket_group") == "postfix":
        table["socket_group"] = "root"
    for name in re.findall(r'"(?:file|postfix|sendmail):([^"/]+)"', content):
        (tmp_path / name).write_text("own.test\n" if name == "local-host-names" else "")
    _, sentences = said(tmp_path, table)
    assert sentences == list(block.quoted)


@pytest.mark.parametrize(
    ("block", "after"),
    [
        pytest.param(block, after, id=str(block))
        for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True)
        if block.language in FILES
    ],
)
def test_every_table_says_what_stands_below_it_and_nothing_else(
    block: Block, after: Block | None, tmp_path: Path
) -> None:
    expected = after.content.splitlines() if after and after.page == block.page and after.language == "says" else []
    assert of_entries(tmp_path, block.language, block.content)[1] == expected


@pytest.mark.parametrize("row", rows(ROOT / "docs/reference/tables.md", "entry", "matches", "does not match"), ids=str)
def test_every_entry_matches_what_the_page_says(row: list[str], tmp_path: Path) -> None:
    [entry], matching, others = (spans(cell) for cell in row)
    language = "table" if "@" in entry or entry in ("<>", ".") else "hosts"
    config, _ = of_entries(tmp_path, language, f"{entry}\n")
    assert matching and others
    assert [one for one in matching if decides(config, language, one) != entry] == []
    assert [one for one in others if decides(config, language, one) is not None] == []


LISTS = {
    "in a list of domains": (parse_host, Of.DOMAINS),
    "in a list of clients": (parse_host, Of.CLIENTS),
    "in a list of mail addresses": (parse_sender, Of.SENDERS),
}


@pytest.mark.parametrize("row", rows(ROOT / "docs/reference/tables.md", "in a file of", "entry", *LISTS), ids=str)
def test_an_entry_of_the_mta_means_what_the_page_says(row: list[str]) -> None:
    mta, *name = row[0].split(", ")
    reader = {"Postfix": read_postfix, "Sendmail": read_sendmail}[mta]
    source = spans(name[0])[0] if name and spans(name[0]) else "another"
    for (parse, of), meant in zip(LISTS.values(), row[2:], strict=True):
        entries, problems = reader([spans(row[1])[0]], f"/etc/{source}", parse, of)
        assert [entry.pattern for entry in entries] == [parse(span) for span in spans(meant)]
        assert meant or problems


def test_the_most_specific_entry_decides_as_the_page_says(tmp_path: Path) -> None:
    page = ROOT / "docs/reference/tables.md"
    example = next(block for block in blocks(page) if "!newsletter@" in block.content)
    config, _ = of_entries(tmp_path, "table", example.content)
    shown = {spans(who)[0]: next(iter(spans(entry)), None) for who, entry in rows(page, "looked up", "decides")}
    assert len(shown) > 5
    assert {who: decides(config, "table", who) for who in shown} == shown


def decides(config: Config, language: str, looked_up: str) -> str | None:
    """The text of the entry that decides about an address or a name."""
    if language == "table":
        entry = config.turf.tables.match(read_sender(looked_up), TODAY)
    else:
        entry = config.relay.allow.find(client(looked_up), TODAY).entry
    return None if entry is None else entry.text


def client(looked_up: str) -> Connection:
    """One with this address, or with this confirmed name."""
    name = fold_domain(looked_up)
    return Connection(client=parse_address(looked_up), names=Known(ClientNames((name,), (name,))))


@pytest.mark.parametrize("row", rows(ROOT / "docs/reference/rule-relay.md", "recipient", "read as", "why"), ids=str)
def test_every_recipient_is_read_as_the_page_says(row: list[str]) -> None:
    readings = read(spans(row[0])[0])
    assert [str(mailbox) for mailbox in readings.mailboxes] == ([] if row[1] == "unreadable" else spans(row[1]))
    assert readings.plain is row[2].startswith("plain") or "case is folded" in row[2]


@pytest.mark.parametrize("row", rows(ROOT / "docs/reference/rule-turf.md", "recipient as sent", "removed as"), ids=str)
def test_every_recipient_is_taken_off_as_the_page_says(row: list[str]) -> None:
    assert deletable(spans(row[0])[0])[:1] == (() if row[1] == "451" else tuple(spans(row[1])))


REPLIES = {name: reply for name, reply, _ in every_reply()}

# A page of the reference says in a comment which rules it is about.
_RULES = re.compile(r"(?m)^<!-- rules: (.+) -->$")
RULE_PAGES = {
    page.name: names[1].split()
    for page in PAGES
    if page.parent.name == "reference" and (names := _RULES.search(page.read_text(encoding="utf-8")))
}
# The pages about sections and keys that have one besides that about the configuration.
KEY_PAGES = {
    "connect": "rule-connect.md",
    "reverse_name": "rule-reverse-name.md",
    "authserv_id": "rule-reverse-name.md",
    "listener.NAME": "listeners.md",
    "relay": "rule-relay.md",
    "domains": "rule-relay.md",
    "limits": "rule-limits.md",
    "cap[N]": "rule-limits.md",
    "turf": "rule-turf.md",
    "dns": "names.md",
}


def names_of_rules() -> set[str]:
    """Of all that there are in the code."""
    modules = [import_module(f"{rules.__name__}.{module.name}") for module in pkgutil.iter_modules(rules.__path__)]
    classes = [thing for module in modules for thing in vars(module).values() if isinstance(thing, type)]
    return {one.name for one in classes if issubclass(one, Rule) and hasattr(one, "name")}


def test_every_rule_has_a_page_in_the_reference() -> None:
    assert sorted(rule for about in RULE_PAGES.values() for rule in about) == sorted(names_of_rules())
    assert {page.name for page in PAGES if page.name.startswith("rule-")} <= RULE_PAGES.keys()


@pytest.mark.parametrize("page", RULE_PAGES)
def test_a_page_about_rules_has_their_replies_and_all_that_belongs_there(page: str) -> None:
    text = (ROOT / "docs/reference" / page).read_text()
    replies = [REPLIES[key] for rule in RULE_PAGES[page] for key in (rule, f"{rule}-unavailable") if key in REPLIES]
    assert [reply for reply in replies if f"`{reply}`" not in text] == []
    topics = ["evaluated at", "RFC", "## Keys", "ocal submissions", "trial", "## In the log", "```log"]
    assert [topic for topic in topics if topic not in text] == []


@pytest.mark.parametrize("path", [path for path, _ in keys(Config)])
def test_every_key_stands_on_the_page_that_it_belongs_to(path: str) -> None:
    section, _, key = path.rpartition(".")
    page = ROOT / "docs/reference" / KEY_PAGES.get(section or key, "configuration.md")
    assert {key, path} & set(spans(prose(page)))


EXCHANGE = ROOT / "docs/explanation/exchange.md"


@pytest.mark.parametrize("row", rows(EXCHANGE, "Exchange 5.5", "here", "matches"), ids=str)
def test_an_entry_of_the_turf_table_of_exchange_is_written_as_the_page_says(row: list[str], tmp_path: Path) -> None:
    there, here = spans(row[0]), spans(row[1])
    if row[1].startswith("an error"):
        [problem] = of_entries(tmp_path, "table", f"{there[0]}\n")[1]
        assert here[0] in problem
    else:
        for entry in here or there:  # the same
            assert of_entries(tmp_path, "table", f"{entry}\n")[1] == []


def test_every_key_that_stands_for_one_of_exchange_is_one() -> None:
    named = {span for path in ("Exchange 5.5", "dialog") for row in every_row(EXCHANGE, path) for span in spans(row)}
    words = {word.partition(" =")[0] for word in named if re.fullmatch(r"[a-z_]+(?: = .*)?", word)}
    ours = {path.rpartition(".")[2] for path, _ in keys(Config)}
    assert len(words) > 15
    assert words <= ours


def test_the_lines_for_main_cf_are_the_same_everywhere() -> None:
    attached = {line for line in (ROOT / "contrib/postfix/main.cf").read_text().splitlines() if line[:1] not in "# "}
    lines = [line for block in in_language("ini") for line in block.content.splitlines()]
    shown = [line for line in lines if re.match(r"(non_)?smtpd_milters\b", line)]
    assert len(attached) == 2
    assert set(shown) == attached
    assert len(shown) >= 4


@pytest.mark.parametrize("page", ["docs/howto/let-clients-relay.md", "docs/reference/log.md"])
def test_the_alarm_about_nat_is_shown_as_it_goes_off(page: str) -> None:
    alarm, bridge = NatAlarm(), ip_address("172.17.0.1")
    for number in range(6):
        alarm.seen(ip_address(f"192.0.2.{number}"), lambda: False)
    said = next(filter(None, (alarm.seen(bridge, lambda: True) for _ in range(1000))))
    assert f"warning: {said}" in (line for b in blocks(ROOT / page) for line in b.content.splitlines())


_PAIR = re.compile(r'([a-z]+)=((?:"(?:[^"\\]|\\.)*"|[^ ",]+)(?:,(?:"(?:[^"\\]|\\.)*"|[^ ",]+))*)(?: |\Z)')
_ITEM = re.compile(r'"(?:[^"\\]|\\.)*"|[^",]+')
_KINDS = get_type_hints(Record)


def parsed(line: str) -> Record:
    """The record of which `line` was made."""
    queue_id, pairs = line.split(": ", 1)
    assert "".join(match[0] for match in _PAIR.finditer(pairs)) == pairs
    return Record(queue_id, **{key: _value(key, shown) for key, shown in _PAIR.findall(pairs)})


def _value(key: str, shown: str) -> Any:
    items = tuple(
        unescape(item[1:-1].replace('\\"', '"') if item.startswith('"') else item) for item in _ITEM.findall(shown)
    )
    if _KINDS[key] == tuple[str, ...]:
        return items
    if _KINDS[key] in (int, int | None):
        return int(items[0])
    return "" if shown == "<>" else items[0]


@pytest.mark.parametrize("line", [line for block in in_language("log") for line in block.content.splitlines()])
def test_every_log_line_is_one_that_the_program_writes(line: str) -> None:
    if line.startswith(("info: ", "warning: ", "error: ")):
        return
    record = parsed(line)
    assert text(record) == line
    assert not record.reply or record.reply in REPLIES.values()


@pytest.mark.parametrize("line", [line for block in in_language("json") for line in block.content.splitlines()])
def test_every_json_line_has_the_keys_in_their_order(line: str) -> None:
    keys = list(stdlib.loads(line))
    assert keys == [name for name in Record._fields if name in keys]


def test_the_page_of_the_log_has_every_key_in_its_order() -> None:
    shown = [spans(key)[0] for key, _ in rows(ROOT / "docs/reference/log.md", "key", "meaning")]
    assert shown == list(Record._fields[1:])


def test_the_page_of_the_program_has_every_flag() -> None:
    flags = [flag for row in rows(ROOT / "docs/reference/turfmilter.md", "flag", "") for flag in spans(row[0])]
    shown = {flag.split()[0] for flag in flags} - {"-h", "--help"}
    assert shown == {flag for param in main.params for flag in param.opts}


def test_the_page_of_turfctl_has_every_command_and_every_option() -> None:
    page = ROOT / "docs/reference/turfctl.md"
    known = {name: one for name in COMMANDS if (one := command(name))}
    plain = {name: one for name, one in known.items() if not isinstance(one, click.Group)}
    status = plain.pop("status")
    groups = [plain, *(cast(click.Group, known[name]).commands for name in ("turf", "import"))]
    assert [spans(name)[0] for name, _ in rows(page, "command", "")] == [name for group in groups for name in group]
    shown = {span.split()[0] for span in spans(prose(page)) if span.startswith("-")} - {"-h", "--help"}
    options = [param for one in (turfctl, status, *(c for g in groups for c in g.values())) for param in one.params]
    assert shown == {flag for option in options if isinstance(option, click.Option) for flag in option.opts}


@pytest.mark.parametrize("page", ["docs/howto/install-with-pip.md", "docs/tutorial/postfix.md"])
def test_what_is_installed_is_all_that_the_program_needs(page: str) -> None:
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    needed = re.findall(r"^[\w-]+", metadata["options"]["install_requires"], re.MULTILINE)
    assert "pymilter" in needed
    packages = re.search(
        r"^apt-get install -y (?:--no-install-recommends )?(python3-milter .*)$",
        (ROOT / page).read_text(),
        re.MULTILINE,
    )
    assert packages and {f"python3-{name.removeprefix('py')}" for name in needed} <= set(packages[1].split())


def test_undo_removes_every_file_that_a_page_installs() -> None:
    pages = (ROOT / "README.md", ROOT / "docs/tutorial/postfix.md", ROOT / "docs/howto/attach-to-sendmail.md")
    undo = "".join(page.read_text().partition("\n## Undo")[2] for page in pages)
    removed = {path for line in re.findall(r"(?m)^rm (?:-r?f )?(.*)$", undo) for path in line.split()}
    commands = "".join(block.content for block in in_language("sh", "bash"))
    installed = {path for line in re.findall(r"(?m)^install .*", commands) for path in _destinations(line.split())}
    installed |= set(re.findall(r"`(/[^` ]*turf[^` ]*)`", prose(ROOT / "docs/howto/domains-from-a-database.md")))
    assert len(installed) > 15
    gone = {path for path in installed for one in removed if fnmatch(path, one) or path.startswith(f"{one}/")}
    assert installed - gone == set()


def _destinations(words: list[str]) -> list[str]:
    """The files and directories that an install command makes: the last word, or files below a directory."""
    folder = words[words.index("-t") + 1] if "-t" in words else words[-1].rstrip("/")
    if "-t" in words or words[-1].endswith("/"):
        sources = [path for word in words if word.startswith(("contrib/", "docs/")) for path in ROOT.glob(word)]
        return [f"{folder}/{path.name}" for path in sources]
    return [word for word in words[1:] if word.startswith("/") and "turf" in word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_reply_shown_is_one_that_the_program_or_the_mta_gives(page: Path) -> None:
    ours = set(REPLIES.values())
    mta = {"451 4.7.1 Service unavailable - try again later", "451 4.3.2 Please try again later"}
    own = {"550 5.7.1 text", "554 5.7.1 no relaying here", "554 5.7.1 refused"}  # examples in the configuration
    shown = {span for span in spans(prose(page)) if re.match(r"[45]\d\d [45]\.\d+\.\d+ ", span)}
    assert shown <= ours | mta | own


def without_a_test(shown: list[list[str]]) -> list[list[str]]:
    """The rows whose last cell does not name one test that there is."""
    there = {name for path in (ROOT / "tests").rglob("test_*.py") for name in _TEST.findall(path.read_text())}
    return [row for row in shown if len(spans(row[-1])) != 1 or spans(row[-1])[0] not in there]


def test_every_way_to_fail_names_a_test_that_there_is() -> None:
    shown = rows(ROOT / "docs/explanation/failure-modes.md", "what fails", "result", "test")
    assert len(shown) > 30
    assert without_a_test(shown) == []


# A section of an RFC as the code names it; several may follow one number.
_RFC = re.compile(r"RFC (\d+)((?: §[\d.]*\d)?(?:, §[\d.]*\d)*)")


def test_every_rfc_that_the_code_obeys_is_on_the_page_and_has_a_test() -> None:
    shown = rows(ROOT / "docs/reference/rfcs.md", "RFC", "what it says", "obeyed in", "test")
    package = ROOT / "milter/turfmilter"
    named = {path: _RFC.findall(path.read_text()) for path in package.rglob("*.py")}
    obeyed = {
        f"{number} {section}".strip()
        for found in named.values()
        for number, sections in found
        for section in sections.replace(",", "").split() or [""]
    }
    listed = {row[0] for row in shown}
    of_no_section = {one for one in obeyed if " " not in one}
    assert obeyed - of_no_section == {one for one in listed if " " in one}
    assert of_no_section <= {one.partition(" ")[0] for one in listed}
    assert [row for row in shown if row[0].partition(" ")[0] not in dict(named[package / spans(row[2])[0]])] == []
    assert without_a_test(shown) == []


def test_the_page_about_the_quarantine_alone_turns_everything_else_off(tmp_path: Path) -> None:
    page = ROOT / "docs/howto/quarantine-only.md"
    (block,) = (block for block in in_language("toml") if block.page == page)
    (tmp_path / "turf.table").write_text("@spam.example\n")
    config = configure(tomllib.loads(block.content), tmp_path)
    policy = build_policy(config, StoppedClock(date(2026, 6, 15)))
    assert {clause.rule.name for clause in policy.clauses} == {"turf", "unreadable_author"}
    assert config.warnings == ()


def test_every_path_that_root_touches_names_a_test_that_there_is() -> None:
    page = ROOT / "docs/explanation/security.md"
    of_root = rows(page, "path", "what root does", "who may write there", "planted there", "test")
    of_the_user = rows(page, "path", "what it does", "planted there", "test")
    assert (len(of_root) > 15, len(of_the_user) > 5) == (True, True)
    assert without_a_test([*of_root, *of_the_user]) == []
