"""Links without an account: each leads to one thing, and none that we have not made leads anywhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.links import MAC_BYTES, NUMBER_MAX, Links

SECRET = "a secret of the tests, 32 characters"
LINKS = Links(SECRET, "https://help.example.org/")
NUMBERS = st.integers(0, NUMBER_MAX)


def test_a_link_is_short_enough_for_a_text_message() -> None:
    assert re.fullmatch(r"https://help\.example\.org/h/[0-9a-z]+\.[\w-]{16}", LINKS.for_send(123_456))
    assert MAC_BYTES * 8 >= 96
    assert LINKS.for_packet(1).startswith("https://help.example.org/m/1.")


@given(NUMBERS)
def test_what_we_made_we_read(number: int) -> None:
    assert LINKS.number("h", LINKS.token("h", number)) == number


@given(NUMBERS, st.integers(0, 40), st.characters())
def test_one_other_character_and_it_is_none_of_ours(number: int, place: int, character: str) -> None:
    token = LINKS.token("h", number)
    other = token[:place] + character + token[place + 1 :]
    assert LINKS.number("h", other) == (number if other == token else None)


@pytest.mark.parametrize("token", ["", ".", "1", "1.", "a.b", "1.é", "É.x", "-1.x", "1 .x", "+1.x", "1_0.x", "z" * 999])
def test_nonsense_is_none_of_ours(token: str) -> None:
    assert LINKS.number("h", token) is None


@given(NUMBERS)
def test_a_link_of_one_kind_or_of_another_secret_opens_nothing(number: int) -> None:
    assert LINKS.number("m", LINKS.token("h", number)) is None
    assert LINKS.number("h", Links(SECRET + "!", "https://help.example.org").token("h", number)) is None


@given(NUMBERS)
def test_there_is_one_link_a_thing(number: int) -> None:
    digits, _, mac = LINKS.token("h", number).partition(".")
    assert LINKS.number("h", f"0{digits}.{mac}") is None
    assert LINKS.number("h", f"{digits}.{mac}=") is None
    if digits.upper() != digits:
        assert LINKS.number("h", f"{digits.upper()}.{mac}") is None


def test_a_seal_tells_what_has_changed_and_nothing_else() -> None:
    assert LINKS.seal("medication", "aspirin") == LINKS.seal("medication", "aspirin")
    assert LINKS.seal("medication", "aspirin") != LINKS.seal("medication", "warfarin")
    assert LINKS.seal("a", "bc") != LINKS.seal("ab", "c")
    assert Links("another", "").seal("medication", "aspirin") != LINKS.seal("medication", "aspirin")
