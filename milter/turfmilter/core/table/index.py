"""A hash table of entries by their pattern, and warnings about entries without effect.

README.md in this folder explains the layout of a slot.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from turfmilter.core.table.entries import Entries
from turfmilter.core.table.entry import Entry, Problem
from turfmilter.core.table.pattern import Domain, Name, Parts, Pattern, parts_of

# A slot is one place in two arrays, a tag and a row:
#   tag  16 bits ("H" of array): 0 while the slot is empty, otherwise _USED and 15 bits of the hash of the pattern,
#        so that few lines are parsed in vain.  They are upper bits because the lower bits already chose the slot.
#   row  32 bits ("I"): the row of the entry
# A search reads tags until one is 0.  They are an array of their own because most searches need no row.
_USED = 0x8000
_HASH_BITS = 0x7FFF
_TAG_SHIFT = 48  # bits: a hash has 64
_TAG_BYTES, _ROW_BYTES = 2, 4
# Slots for each pattern, at least; at most twice as many, because the number of slots is a power of two.  With half
# of the slots or more empty, a search ends after two or three of them on average.
_SLOTS_FOR_EACH = 2


class Keys:
    """The entries from which an index is built: their rows, and the hashes of their patterns' parts."""

    def __init__(self) -> None:
        self.rows, self.hashes = array("I"), array("q")
        # What allows lookups to be skipped: the label counts of domains that match subdomains,
        # and the other kinds of pattern that occur.
        self.depths: set[int] = set()
        self.kinds: set[type[Pattern]] = set()

    def add_all(self, read: Iterable[tuple[int, Parts]]) -> None:
        """Add the entries in these rows, with these parts."""
        # Bound once: this loop and the lookups of `useless` entries are most of the time that loading takes.
        add_row, add_hash, add_depth, add_kind = self.rows.append, self.hashes.append, self.depths.add, self.kinds.add
        for row, parts in read:
            add_row(row)
            add_hash(hash(parts))
            if parts[-1] is False:  # not `exact`: a Domain or a Name that matches subdomains
                add_depth(parts[1].count(".") + 1)
            else:
                add_kind(parts[0])


class PatternIndex:
    """Finds entries by pattern: at most one plain entry and one exception for each.

    It is a hash table with open addressing and linear probing.  The entry itself is compared; the hash only says
    where to look.  On a tie the exception wins if `exception_wins`.  Of duplicates, the one that lasts longest is kept.
    `duplicates` are warnings about the others, and `left_out` are their rows.
    `tied` are the rows of entries with the same pattern but opposite signs.
    """

    def __init__(self, entries: Entries, keys: Keys, *, exception_wins: bool) -> None:
        self._entries, self._exception_wins = entries, exception_wins
        self._depths = sorted(keys.depths, reverse=True)
        self._mask = (_SLOTS_FOR_EACH << len(keys.rows).bit_length()) - 1
        self._tags = array("H", bytes(_TAG_BYTES * (self._mask + 1)))
        self._rows = array("I", bytes(_ROW_BYTES * (self._mask + 1)))
        self.left_out: set[int] = set()
        self.tied: set[int] = set()
        self.duplicates: list[Problem] = []
        self._fill(keys)
        self._len = len(keys.rows) - len(self.duplicates)

    def at(self, parts: Parts) -> Sequence[Entry]:
        """Return the entries with exactly this pattern, the winner first."""
        return self.each((parts,))

    def each(self, wanted: Iterable[Parts]) -> list[Entry]:
        """Return the entries with one of the patterns `wanted`, in the order of those."""
        tags, mask = self._tags, self._mask
        found: list[Entry] = []
        for parts in wanted:
            key = hash(parts)
            place = key & mask
            if there := tags[place]:
                tag = key >> _TAG_SHIFT & _HASH_BITS | _USED
                while there and there != tag:  # ends, because there are always empty slots
                    place = place + 1 & mask
                    there = tags[place]
                if there:  # rarely: this saves the call for most patterns
                    found += self._from(place, parts)
        return found

    def around(self, kind: type[Domain | Name], domain: str) -> list[Parts]:
        """Return the patterns that would match `domain` as a subdomain or as itself, the deepest first.

        Patterns with a number of labels that no entry has are left out.
        """
        if not self._depths:
            return []
        labels = domain.rsplit(".", self._depths[0])
        most = len(labels)
        found: list[Parts] = []
        for depth in self._depths:
            if depth < most:
                found.append((kind, ".".join(labels[-depth:]), False))
            elif depth == most:
                found.append((kind, domain, False))
        return found

    def useless(self, row: int, parts: Parts, wider: Sequence[Entry]) -> Iterator[Problem]:
        """Yield a warning if the entry in `row`, which has these parts, can never decide or changes nothing.

        `wider` are the less specific entries that match everything that it matches, the most specific first.
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
        tags, rows, mask = self._tags, self._rows, self._mask
        for row, key in zip(keys.rows, keys.hashes, strict=True):
            place = key & mask
            tag = key >> _TAG_SHIFT & _HASH_BITS | _USED
            while there := tags[place]:
                if there == tag and self._is_duplicate(row, rows[place]):
                    if row not in self.left_out:
                        rows[place] = row
                    break
                place = place + 1 & mask
            else:
                tags[place], rows[place] = tag, row

    def _from(self, place: int, parts: Parts) -> list[Entry]:
        """Return the entries with this pattern, the winner first; `place` is the first one with its tag."""
        tags, rows, mask = self._tags, self._rows, self._mask
        tag, found = tags[place], []
        while there := tags[place]:
            if there == tag:
                entry = self._entries[rows[place]]
                if parts_of(entry.pattern) == parts:
                    found.append(entry)
            place = place + 1 & mask
        return sorted(found, key=self._loses) if len(found) > 1 else found

    def _is_duplicate(self, row: int, before: int) -> bool:
        """Return True if both rows say the same, and leave one of them out; record entries that tie."""
        entry, first = self._entries[row], self._entries[before]
        if entry.pattern != first.pattern:
            return False
        if entry.exception != first.exception:
            self.tied |= {row, before}
            return False
        self.duplicates.append(duplicate(entry, first))
        left, kept = (row, before) if outlasts(first, entry) else (before, row)
        self.left_out.add(left)
        if left in self.tied:
            self.tied.add(kept)
        return True

    def _loses(self, entry: Entry) -> bool:
        return entry.exception is not self._exception_wins


def outlasts(one: Entry, other: Entry) -> bool:
    """Return True if `one` lasts at least as long as `other`."""
    return one.expires is None or (other.expires is not None and one.expires >= other.expires)


def covers(after: Entry, entry: Entry) -> bool:
    """Return True if `entry` could be removed, because `after`, the next to decide, has its sign and outlasts it."""
    return after.exception == entry.exception and outlasts(after, entry)


def duplicate(entry: Entry, first: Entry) -> Problem:
    """Return the warning that `entry` only repeats `first`."""
    meant = "" if entry.expires == first.expires else "the one that lasts longer applies"
    return Problem(entry.where, entry.text, f'a duplicate of "{first.text}" ({first.where})', meant, warning=True)


def hidden(entry: Entry, by: Entry) -> Problem:
    """Return the warning that `entry` never decides."""
    if by.pattern == entry.pattern:
        wrong = f'never decides: "{by.text}" ({by.where}) wins the tie'
    else:
        wrong = f'never decides: more specific entries such as "{by.text}" ({by.where}) cover it'
    return Problem(entry.where, entry.text, wrong, warning=True)


def idle(entry: Entry, after: Entry) -> Problem:
    """Return the warning that `entry` makes no difference."""
    wrong = f'changes nothing: "{after.text}" ({after.where}) gives the same answer'
    return Problem(entry.where, entry.text, wrong, warning=True)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems ordered by file and line."""
    return tuple(sorted(problems, key=lambda problem: (problem.where.source, problem.where.line)))
