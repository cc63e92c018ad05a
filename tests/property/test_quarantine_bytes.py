"""What goes into quarantine comes out of it: every byte of the message, every character of the envelope."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.address.addressed import Addressed
from turfmilter.core.escape import escape, unescape
from turfmilter.core.held.block import read_block, render
from turfmilter.core.report import Slip
from turfmilter.stores.maildir import Maildir

raw = st.binary(max_size=60).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
texts = st.text(max_size=40) | st.text(st.characters(exclude_categories=())) | raw
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
parties = st.builds(Addressed, texts, st.lists(texts, max_size=3).map(tuple))
slips = st.builds(Slip, parties, st.lists(parties, max_size=4).map(tuple), *[texts] * 6, times, texts, texts)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quarantine")
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir()
    return path


@given(pieces=st.lists(st.binary(max_size=200)), repeat=st.integers(1, 3000), slip=slips)
def test_bytes_in_are_bytes_out_however_they_are_cut(path: Path, pieces: list[bytes], repeat: int, slip: Slip) -> None:
    pieces = [piece * (repeat if number % 3 else 1) for number, piece in enumerate(pieces)]
    draft = Maildir(path, floor=0).open(slip)
    for piece in pieces:
        draft.write(piece)
    held = path / "new" / draft.commit()
    with held.open("rb") as file:
        block = read_block(file)
        file.seek(block.offset)
        assert file.read() == b"".join(pieces)
        assert (block.id, block.slip, block.sealed, block.intact(file)) == (held.name, slip, True, True)
    held.unlink()


@given(slip=slips)
def test_no_text_adds_a_line_to_the_block_or_is_lost(slip: Slip) -> None:
    held = render("000000-000000", slip, "0" * 64)
    lines = held.decode("utf-8").splitlines()  # splits at U+0085 and U+2028 as well
    assert len(lines) == 13 + len(slip.recipients)
    assert all(line.isprintable() for line in lines)
    assert read_block(io.BytesIO(held)).slip == slip


@given(slip=slips, id=st.text("0123456789abcdefghjkmnpqrstvwxyz-", min_size=13, max_size=13))
def test_the_length_of_the_block_does_not_depend_on_id_and_digest(slip: Slip, id: str) -> None:
    assert len(render(id, slip, "f" * 64)) == len(render("0" * 13, slip, "0" * 64))


@given(text=texts)
def test_escaped_text_is_one_visible_line_and_comes_back(text: str) -> None:
    assert escape(text).isprintable()
    assert unescape(escape(text)) == text


@given(held=st.binary() | st.builds(lambda slip, cut: render("0" * 13, slip, "")[:cut], slips, st.integers(0, 800)))
def test_a_broken_block_is_never_more_than_a_value_error(held: bytes) -> None:
    try:
        read_block(io.BytesIO(held))
    except ValueError as error:
        assert str(error)
