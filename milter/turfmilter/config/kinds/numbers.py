"""The kinds of values that are numbers: counts, sizes, spans of time and percentages."""

from __future__ import annotations

import re
from datetime import timedelta

from turfmilter.config.given import Given, Wrong, described, quoted
from turfmilter.config.hints import SHARES, UNLIMITED, recognised
from turfmilter.config.setting import Kind
from turfmilter.core.measure import MAX_NUMBER_BITS, MeasureError, parse_size, parse_span

_SHARE = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,3})?) ?%", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(?:[,.' _][0-9]{3})+")  # as people write thousands
_SECONDS_IN_WORDS = re.compile(r"(?P<number>\d{1,4}(?:\.\d{1,3})?) ?(?:s|secs?|seconds?)?", re.IGNORECASE | re.ASCII)
_SPAN_IN_WORDS = re.compile(
    r"(?P<number>\d{1,4})\s*(?P<unit>min(?:ute)?s?|h(?:ou)?rs?|days?|weeks?|mo(?:n|nth)?s?|y(?:ea)?rs?|y)",
    re.IGNORECASE | re.ASCII,
)
_DAYS = {"mo": 30, "ye": 365, "yr": 365, "y": 365}  # in units that have no letter here, by their first two letters
_MAX_PERCENT = 90
_MAX_PROCESSES = 512
_MIN_SPAN = timedelta(hours=1)


class Count(Kind[int]):
    """A whole number; 0 means no limit."""

    zero = "no limit"
    words = f"a number; `0` means {zero}"

    def read(self, given: Given) -> int:
        return _whole(given)


class Processes(Kind[int]):
    """The number of processes; 0 means one for each core."""

    zero = "one for each core"
    words = f"a number, at most {_MAX_PROCESSES}; `0` means {zero}"

    def read(self, given: Given) -> int:
        number = _whole(given, zero=self.zero)
        if number > _MAX_PROCESSES:
            raise Wrong(f"{described(number)} is more than {_MAX_PROCESSES}; 0 means {self.zero}, which is enough")
        return number


class Size(Kind[int]):
    """A size in bytes; 0 means no limit."""

    zero = "no limit"
    words = (
        "a number of bytes, or a number with KiB, MiB, GiB, KB, MB or GB (K, M and G mean KiB, MiB and GiB), such as"
        f' `"10 MiB"`; `0` means {zero}'
    )

    def read(self, given: Given) -> int:
        if not isinstance(given.value, str):
            return _whole(given)
        try:
            return parse_size(given.value)
        except MeasureError as error:
            raise Wrong(f"{quoted(given.value)} {_unlimited(given.value) or error}") from None


class Seconds(Kind[float]):
    """A time in seconds, more than 0 and at most `most`."""

    def __init__(self, most: float) -> None:
        self._most = most
        self.words = f"seconds, more than 0 and at most {most:g}"

    def read(self, given: Given) -> float:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            found = _SECONDS_IN_WORDS.fullmatch(value) if isinstance(value, str) else None
            such_as = found["number"] if found else "it without quotes and units, such as 2.5"
            raise Wrong(f"{described(value)} is not a number of seconds; write {such_as}")
        if not 0 < value <= self._most:  # also true for nan, with which every comparison is false
            raise Wrong(f"{described(value)} is out of range; write more than 0 and at most {self._most:g} seconds")
        return float(value)


class Span(Kind[timedelta]):
    """A span of time of at least an hour."""

    words = 'a number with m (minutes), h, d or w, such as `"30d"`; at least `"1h"`'

    def read(self, given: Given) -> timedelta:
        if re.fullmatch("[1-9][0-9]{0,4}", number := described(given.value).strip('"')):
            raise Wrong(f'{described(given.value)} has no unit; write days as "{number}d"')
        try:
            span = parse_span(given.text)
        except MeasureError as error:
            raise Wrong(f"{quoted(given.text)} {_span_meant(given.text) or error}") from None
        if span < _MIN_SPAN:  # "6m" was probably meant as six months
            raise Wrong(f'{quoted(given.text)} is less than an hour; m is minutes, and a month is "30d"')
        return span


class Share(Kind[float]):
    """A percentage, as a fraction from 0 to 1."""

    words = 'a percentage, such as `"5%"`'

    def read(self, given: Given) -> float:
        if not isinstance(given.value, str) or recognised(given.value, SHARES):
            raise Wrong(f"{described(given.value)} {_share_meant(given.value)}")
        share = _SHARE.fullmatch(given.text)
        if share is None or float(share["number"]) > _MAX_PERCENT:
            raise Wrong(
                f'{quoted(given.text)} is not a percentage from 0% to {_MAX_PERCENT}%; write a value such as "5%"'
            )
        return float(share["number"]) / 100


def _share_meant(value: object) -> str:
    """Return why `value` is not a percentage, and what was probably meant."""
    if isinstance(value, str):
        return recognised(value, SHARES)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_PERCENT:
        percent = value * 100 if isinstance(value, float) and value < 1 else value
        return f'is not a percentage; write "{percent:g}%"'
    return 'is not a percentage, such as "5%"; max_size limits bytes'


def _span_meant(text: str) -> str:
    """Return what was probably meant by a text that is not a span of time; "" if it is not recognised."""
    if text.lower() in UNLIMITED:
        return 'is not a span of time; write a long one, such as "3650d"'
    found = _SPAN_IN_WORDS.fullmatch(text)
    if found is None:
        return ""
    number, days = int(found["number"]), _DAYS.get(found["unit"][:2].lower())
    meant = f"{number * days}d" if days else f"{number}{found['unit'][0].lower()}"
    return f'is not a span of time; write "{meant}"'


def _unlimited(text: str) -> str:
    return "is not a number; 0 means no limit" if text.lower() in UNLIMITED else ""


def _whole(given: Given, zero: str = "no limit") -> int:
    value = given.value
    if isinstance(value, str) and value.isdecimal():
        raise Wrong(f"{quoted(value)} is text; write numbers without quotes")
    if isinstance(value, str) and _GROUPED.fullmatch(value):
        raise Wrong(f"{quoted(value)} is text; write {re.sub('[^0-9]', '', value)}")
    if isinstance(value, str) and _unlimited(value):
        raise Wrong(f"{quoted(value)} is not a number; 0 means {zero}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong(f"{described(value)} is not a whole number")
    if value < 0:
        raise Wrong(f"{described(value)} is less than 0; 0 means {zero}")
    if value.bit_length() > MAX_NUMBER_BITS:
        raise Wrong(f"{described(value)} is too large; 0 means {zero}")
    return value
