"""Entries found by their pattern, and what makes an entry useless."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from turfmilter.core.table.entries import Entries
from turfmilter.core.table.entry import Entry, Problem
from turfmilter.core.table.pattern import Domain, Name, Parts, Pattern, parts_of

_ROW, _HIGH = 0xFFFF_FFFF, 0xFFFF_FFFF_0000_0000


class Keys:
    """What an index is made of: rows, and the hashes of their patterns' parts."""

    def __init__(self) -> None:
        self.rows, self.hashes = array("I"), array("q")
        # What else need not be looked up: how many labels have the domains that match below, and the other kinds.
        self.depths: set[int] = set()
        self.kinds: set[type[Pattern]] = set()

    def add(self, row: int, parts: Parts) -> None:
        """Add the entry in `row`."""
        self.rows.append(row)
        self.hashes.append(hash(parts))
        if parts[-1] is False:
            self.depths.add(parts[1].count(".") + 1)
        else:
            self.kinds.add(parts[0])


class PatternIndex:
    """At most one plain entry and one exception for a pattern; of duplicates the one that lasts longest.

    A hash table with open addressing: a slot is 0, or one half of the hash and the row.  Whether that entry
    has the pattern it says itself.  On a tie the exception comes first if `exception_wins`.
    `duplicates` are warnings about the others, `left_out` their rows,
    `tied` those of entries that stand against an exception with the same pattern.
    """

    def __init__(self, entries: Entries, keys: Keys, *, exception_wins: bool) -> None:
        self._entries, self._exception_wins = entries, exception_wins
        self._depths = sorted(keys.depths, reverse=True)
        self._shallowest = min(keys.depths, default=1 << 16)
        self._mask = (4 << len(keys.rows).bit_length()) - 1  # mostly empty: a miss ends at once
        self._slots = array("Q", bytes(8 * (self._mask + 1)))
        self.left_out: set[int] = set()
        self.tied: set[int] = set()
        self.duplicates: list[Problem] = []
        self._fill(keys)
        self._len = len(keys.rows) - len(self.duplicates)

    def at(self, parts: Parts) -> Sequence[Entry]:
        """The entries with exactly this pattern, the winner first."""
        key = hash(parts)
        slots, mask = self._slots, self._mask
        place = key & mask
        slot = slots[place]
        if not slot:
            return ()
        found, high = [], key & _HIGH
        while slot:
            if slot & _HIGH == high:
                entry = self._entries[slot & _ROW]
                if parts_of(entry.pattern) == parts:
                    found.append(entry)
            place = place + 1 & mask
            slot = slots[place]
        return sorted(found, key=self._loses) if len(found) > 1 else found

    def each(self, wanted: Iterable[Parts]) -> list[Entry]:
        """The entries with one of the patterns `wanted`, in the order of these."""
        slots, mask = self._slots, self._mask
        found: list[Entry] = []
        for parts in wanted:
            if slots[hash(parts) & mask]:  # nearly always there is nothing
                found += self.at(parts)
        return found

    def around(self, kind: type[Domain | Name], domain: str) -> list[Parts]:
        """The patterns of entries that match `domain` because it lies in theirs, the deepest first."""
        if domain.count(".") + 1 < self._shallowest:
            return []
        labels = domain.rsplit(".", self._depths[0])
        most = len(labels)
        return [(kind, ".".join(labels[-depth:]), False) for depth in self._depths if depth <= most]

    def useless(self, row: int, parts: Parts, wider: Sequence[Entry]) -> Iterator[Problem]:
        """A warning if the entry in `row`, which has these parts, can never decide or changes nothing.

        `wider` are the less specific entries that match all that it matches, the most specific first.
        """
        if row in self.left_out:
            return
        entry = self._entries[row]
        if row in self.tied:
            first, second = self.at(parts)
            if first.exception == entry.exception:
                wider = [second]
            elif outlasts(first, entry):
                yield hidden(entry, first)
                return
        if wider and covers(wider[0], entry):
            yield idle(entry, wider[0])

    def __len__(self) -> int:
        return self._len

    def _fill(self, keys: Keys) -> None:
        slots, mask = self._slots, self._mask
        for row, key in zip(keys.rows, keys.hashes, strict=True):
            place, high = key & mask, key & _HIGH
            while slot := slots[place]:
                if slot & _HIGH == high and self._is_duplicate(row, slot & _ROW):
                    if row not in self.left_out:
                        slots[place] = high | row
                    break
                place = place + 1 & mask
            else:
                slots[place] = high | row

    def _is_duplicate(self, row: int, before: int) -> bool:
        """True when both rows say the same, of which one is then left out; notes also what ties."""
        entry, first = self._entries[row], self._entries[before]
        if entry.pattern != first.pattern:
            return False
        if entry.exception != first.exception:
            self.tied |= {row, before}
            return False
        self.duplicates.append(duplicate(entry, first))
        left, stays = (row, before) if outlasts(first, entry) else (before, row)
        self.left_out.add(left)
        if left in self.tied:
            self.tied.add(stays)
        return True

    def _loses(self, entry: Entry) -> bool:
        return entry.exception is not self._exception_wins


def outlasts(one: Entry, other: Entry) -> bool:
    """True when `one` stands at least as long as `other`."""
    return one.expires is None or (other.expires is not None and one.expires >= other.expires)


def covers(after: Entry, entry: Entry) -> bool:
    """True when `entry` could go, because `after`, the next to decide, says the same for as long."""
    return after.exception == entry.exception and outlasts(after, entry)


def duplicate(entry: Entry, first: Entry) -> Problem:
    """The warning that `first` said so already."""
    meant = "" if entry.expires == first.expires else "the one that lasts longer holds"
    return Problem(entry.where, entry.text, f'a duplicate of "{first.text}" ({first.where})', meant, warning=True)


def hidden(entry: Entry, by: Entry) -> Problem:
    """The warning that `entry` never decides."""
    if by.pattern == entry.pattern:
        wrong = f'never decides: "{by.text}" ({by.where}) wins the tie'
    else:
        wrong = f'never decides: more specific entries such as "{by.text}" ({by.where}) cover it'
    return Problem(entry.where, entry.text, wrong, warning=True)


def idle(entry: Entry, after: Entry) -> Problem:
    """The warning that `entry` makes no difference."""
    wrong = f'changes nothing: "{after.text}" ({after.where}) gives the same answer'
    return Problem(entry.where, entry.text, wrong, warning=True)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems by file and line."""
    return tuple(sorted(problems, key=lambda problem: (problem.where.source, problem.where.line)))
