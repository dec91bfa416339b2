"""Phone numbers as people in China write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.phones import normalise
from care.refusal import Refusal


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800000101", "+8613800000101"),
        ("138 0000 0101", "+8613800000101"),
        ("138-0000-0101", "+8613800000101"),
        ("１３８００００１０１０", "+8613800001010"),
        ("+86 138 0000 0101", "+8613800000101"),
        ("8613800000101", "+8613800000101"),
        ("0086 13800000101", "+8613800000101"),
        ("0750-3123456", "+867503123456"),
        ("(0750) 3123456", "+867503123456"),
        ("（0750）312 3456", "+867503123456"),
        ("+86 0750 3123456", "+867503123456"),
        ("010-12345678", "+861012345678"),
        ("020 12345678", "+862012345678"),
        ("0755-26123456", "+8675526123456"),
        ("400-800-1234", "+864008001234"),
        ("+852 2345 6789", "+85223456789"),
        ("+44 20 7946 0000", "+442079460000"),
        ("0044 20 7946 0000", "+442079460000"),
    ],
)
def test_is_taken(written: str, number: str) -> None:
    assert normalise(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("110", "phone_short"),
        ("120", "phone_short"),
        ("12345", "phone_short"),
        ("3123456", "phone_area_code"),
        ("31234567", "phone_area_code"),
        ("1380000010", "phone_length"),
        ("138000001011", "phone_length"),
        ("12800000101", "phone_length"),
        ("0750-312345", "phone_length"),
        ("010-1234567", "phone_length"),
        ("+86 110", "phone_length"),
        ("+0 123 456 789", "phone_length"),
        ("+1234567890123456", "phone_length"),
        ("1.38E+10", "phone_rounded"),
        ("8.61380E+12", "phone_rounded"),
        ("13800000101/13800000102", "phone_several"),
        ("13800000101、0750-3123456", "phone_several"),
        ("0750-3123456转801", "phone_extension"),
        ("0750-3123456 ext. 801", "phone_extension"),
        ("女儿 13800000101", "phone_characters"),
        ("١٣٨٠٠٠٠٠١٠١", "phone_characters"),
        ("+", "phone_characters"),
        ("无", "phone_characters"),
    ],
)
def test_is_refused_by_name(written: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        normalise(written)
    assert refused.value.reason == reason


@given(st.text())
def test_anything_else_is_a_number_or_a_refusal(written: str) -> None:
    try:
        number = normalise(written)
    except Refusal:
        return
    assert number.startswith("+")
    assert number[1:].isascii()
    assert number[1:].isdigit()
    assert normalise(number) == number
