"""The kinds of values that are numbers: counts, sizes and seconds."""

from __future__ import annotations

import re
from datetime import timedelta

from turfmilter.config.given import Given, Wrong, described, quoted
from turfmilter.config.setting import Kind
from turfmilter.core.measure import MAX_NUMBER_BITS, MeasureError, parse_size, parse_span

_SHARE = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,3})?) ?%", re.ASCII)
_MOST_PERCENT = 90
_MOST_PROCESSES = 512
_LEAST_SPAN = timedelta(hours=1)


class Count(Kind[int]):
    """A whole number, 0 for no limit."""

    words = "a number; `0` is no limit"

    def read(self, given: Given) -> int:
        return _whole(given)


class Processes(Kind[int]):
    """How many processes, 0 for one a core."""

    words = f"a number, at most {_MOST_PROCESSES}; `0` is one for each core"

    def read(self, given: Given) -> int:
        number = _whole(given, zero="one for each core")
        if number > _MOST_PROCESSES:
            raise Wrong(f"{described(number)} is more than {_MOST_PROCESSES}; one for each core, which is 0, is enough")
        return number


class Size(Kind[int]):
    """A size in bytes, 0 for no limit."""

    words = (
        "a number of bytes, or a number with KiB, MiB, GiB, KB, MB or GB (K, M and G are KiB, MiB and GiB), such as"
        ' `"10 MiB"`; `0` is no limit'
    )

    def read(self, given: Given) -> int:
        if not isinstance(given.value, str):
            return _whole(given)
        try:
            return parse_size(given.value)
        except MeasureError as error:
            raise Wrong(f"{quoted(given.value)} {error}") from None


class Seconds(Kind[float]):
    """A time that is not endless."""

    def __init__(self, most: float) -> None:
        self._most = most
        self.words = f"seconds, more than 0 and at most {most:g}"

    def read(self, given: Given) -> float:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(
                f"{described(value)} is not a number of seconds; write it without quotes and units, such as 2.5"
            )
        if not 0 < value <= self._most:  # this also refuses nan
            raise Wrong(f"{described(value)} is out of range; write more than 0 and at most {self._most:g} seconds")
        return float(value)


class Span(Kind[timedelta]):
    """A span of time that is at least an hour."""

    words = 'a number with m (minutes), h, d or w, such as `"30d"`; at least `"1h"`'

    def read(self, given: Given) -> timedelta:
        try:
            span = parse_span(given.text)
        except MeasureError as error:
            raise Wrong(f"{quoted(given.text)} {error}") from None
        if span < _LEAST_SPAN:  # "6m" is hardly six minutes
            raise Wrong(f'{quoted(given.text)} is less than an hour; m is minutes, and a month is "30d"')
        return span


class Share(Kind[float]):
    """A part of a whole, from 0 to 1."""

    words = 'a percentage, such as `"5%"`'

    def read(self, given: Given) -> float:
        share = _SHARE.fullmatch(given.text)
        if share is None or float(share["number"]) > _MOST_PERCENT:
            raise Wrong(f'{quoted(given.text)} is not a percentage from 0% to {_MOST_PERCENT}%; write such as "5%"')
        return float(share["number"]) / 100


def _whole(given: Given, zero: str = "no limit") -> int:
    value = given.value
    if isinstance(value, str) and value.isdecimal():
        raise Wrong(f"{quoted(value)} is text; numbers stand without quotes")
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong(f"{described(value)} is not a whole number")
    if value < 0:
        raise Wrong(f"{described(value)} is less than 0; 0 is {zero}")
    if value.bit_length() > MAX_NUMBER_BITS:
        raise Wrong(f"{described(value)} is far too much; 0 is {zero}")
    return value
