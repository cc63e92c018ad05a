"""HTML as text: the words of a held message, and where its links lead.  Nothing is rendered or fetched.

Python's html.parser takes quadratic time for tags that are never closed ("<a <a <a …": 67 s for 64 KiB), so that this
module has a scanner of its own, in which every step is bounded.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

_MAX_TAG = 2048  # characters; what is longer is shown as text
# An attribute's value may contain ">".  The possessive quantifiers never try another way to match.
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:[^"'<>]++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
# int() refuses numbers of more than 4300 digits.  Eight, after leading zeros, tell whether this is a character.
_DECIMAL = re.compile("&#0*([0-9]{1,8})[0-9]*")
_UNSEEN = frozenset({"script", "style", "title", "template"})  # their content is not text of the page
_BREAKS = re.compile(  # tags that begin a line
    "address|article|aside|blockquote|br|d[dlt]|div|fieldset|figure|footer|form|h[1-6r]|header|li|main|nav|[ou]l|p|pre"
    "|section|table|tr"
)
_SPACED = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote"}
)  # an empty line before
_LINKS = {"a": "href", "form": "action", "iframe": "src"}


def text_of(source: str) -> str:
    """Return the text of an HTML document or the beginning of one, with links as "text <https://…>".

    The time that it takes grows with the length of `source` alone, whatever that contains.
    """
    page = _Page()
    at = 0
    while at < len(source):
        tag = source.find("<", at)
        page.add(source[at : tag if tag >= 0 else len(source)])
        if tag < 0:
            break
        at = _take(page, source, tag)
    page.leave_link()
    return page.text()


def _take(page: _Page, source: str, at: int) -> int:
    """Read what begins with "<" at `at`, and return where it ends."""
    if source.startswith("<!--", at):
        return _behind(source, "-->", at)
    if source.startswith(("<!", "<?"), at):
        return _behind(source, ">", at)
    found = _TAG.match(source, at, at + _MAX_TAG)
    if found is None:
        page.add("<")
        return at + 1
    closes, name = bool(found[1]), found[2].lower()
    if name in _UNSEEN and not closes:
        return _behind(source, ">", _behind(source, f"</{name}", found.end()))
    page.tag(name, found[3], closes=closes)
    return found.end()


def _behind(source: str, mark: str, at: int) -> int:
    """Return where `mark` ends, in any case; without it, everything up to the end is left out, as browsers do."""
    found = re.compile(re.escape(mark), re.IGNORECASE).search(source, at)
    return found.end() if found else len(source)


def _unescaped(text: str) -> str:
    """Return `text` with its character references resolved; a number without a character becomes U+FFFD."""
    return html.unescape(_DECIMAL.sub(r"&#\1", text))


@dataclass
class _Page:
    """The text so far."""

    lines: list[str] = field(default_factory=lambda: [""])
    link: str = ""  # where the text that follows leads to
    linked: int = 0  # the number of its first line
    preformatted: bool = False

    def add(self, source: str) -> None:
        """Add text between tags."""
        if self.preformatted:
            first, *more = _unescaped(source).split("\n")
            self.lines[-1] += first
            self.lines += more
            return
        words = " ".join(_unescaped(source).split())
        gap = " " if source[:1].isspace() and self.lines[-1] and not self.lines[-1].endswith(" ") else ""
        end = " " if words and source[-1:].isspace() else ""
        self.lines[-1] += f"{gap}{words}{end}"

    def tag(self, name: str, attributes: str, *, closes: bool) -> None:
        """Add what the tag `name` means."""
        if _BREAKS.fullmatch(name):
            self._break(empty=name in _SPACED)
        if name == "pre":
            self.preformatted = not closes
        if name in ("td", "th") and self.lines[-1]:
            self.lines[-1] += "  "
        if name == "li" and not closes:
            self.lines[-1] += "- "
        if name == "a":
            self.leave_link()
        if closes or name not in (*_LINKS, "img"):
            return
        known = {
            found[1].lower(): _unescaped(found[2] or found[3] or found[4] or "")
            for found in _ATTRIBUTE.finditer(attributes)
        }
        if name == "img":
            self.lines[-1] += f"[{known['alt']}]" if known.get("alt") else ""
        elif name == "a":
            self.link, self.linked = " ".join(known.get("href", "").split()), len(self.lines)
        elif target := known.get(_LINKS[name]):
            self.lines[-1] += f"<{target}>"

    def leave_link(self) -> None:
        """Spell out where the link that ends here leads to, unless its text is just that."""
        if self.link and self.link not in (self.lines[-1].strip().rpartition(" ")[2], ""):
            self.lines[-1] = f"{self.lines[-1].rstrip()} <{self.link}> ".lstrip()
        self.link = ""

    def _break(self, *, empty: bool) -> None:
        if self.lines[-1].strip():
            self.lines.append("")
        if empty and len(self.lines) > 1 and self.lines[-2].strip():
            self.lines.append("")

    def text(self) -> str:
        """Return all lines, without blanks at their ends."""
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")
