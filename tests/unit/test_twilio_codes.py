"""What the provider's codes mean: nobody's good number is called wrong, and no code means two things."""

from itertools import combinations

import pytest

from dispatch.channels.twilio_codes import (
    ACCOUNT,
    BAD_NUMBER,
    BUSY,
    LANDLINE,
    SETTING,
    Meaning,
    bad_number,
    meaning,
    of_a_message,
)


def test_no_code_means_two_things() -> None:
    lists = (BAD_NUMBER, LANDLINE, ACCOUNT, SETTING, BUSY)
    assert not [one & another for one, another in combinations(lists, 2) if one & another]


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("30003", "other"), ("30008", "other"), ("30410", "other"), ("30500", "other"), ("", "other"), ("x", "other"),
        ("30006", "other"), ("30004", "number"), ("30005", "number"), ("30007", "setting"), ("30002", "account"),
        ("30001", "busy"),
    ],
)  # fmt: skip
def test_a_message_that_did_not_arrive_says_of_the_number_only_what_it_knows(code: str, means: Meaning) -> None:
    assert of_a_message(code) == means


@pytest.mark.parametrize(
    ("code", "status", "means"),
    [
        (21211, 400, "number"), (21610, 400, "number"), (21614, 400, "other"), (21635, 400, "other"),
        (21612, 400, "setting"), (21216, 400, "setting"), (21601, 400, "account"), (10005, 403, "account"),
        (20003, 401, "account"), (None, 401, "account"), (None, 429, "busy"), (20429, 429, "busy"),
        (None, 400, "other"),
    ],
)  # fmt: skip
def test_what_a_request_is_refused_with(code: int | None, status: int, means: Meaning) -> None:
    assert meaning(code, status) == means


@pytest.mark.parametrize(
    ("code", "sip", "wrong"),
    [("", "", True), ("", "404", True), ("", "503", False), ("13224", "", True), ("10004", "404", False)],
)
def test_a_call_that_failed_is_most_likely_nobodys_number(code: str, sip: str, wrong: bool) -> None:
    assert bad_number(code, sip) == wrong
