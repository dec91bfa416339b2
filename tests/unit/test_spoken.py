"""What a call is placed with: whatever the register and the desk have written, it is a call that the provider takes."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.phone.twiml import Gather, Say, parse
from dispatch.channels import Send
from dispatch.channels.twilio import Twilio, TwilioSettings
from dispatch.channels.twilio_voice.spoken import DOCUMENT_MAX, Spoken

TWILIO = Twilio(
    TwilioSettings(
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token="a-token",
        twilio_from="+867500000000",
        public_url="https://desk.example",
    )
)
AT = datetime(2026, 1, 5, tzinfo=UTC)
LONG = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "S")), max_size=4_000)


def placed(language: str, purpose: str, body: dict[str, str]) -> list[str]:
    """What is said at each time that it is asked."""
    send = Send(2**63 - 1, 1, purpose, "C1", "李梅", "+8613800000101", language, body, AT, AT)
    document = Spoken(TWILIO, language).call(send)
    assert len(document) <= DOCUMENT_MAX
    asked = [verb for verb in parse(document) if isinstance(verb, Gather)]
    for gather in asked:
        assert all(isinstance(prompt, Say) and len(quote(prompt.text)) <= 4_500 for prompt in gather.prompts)
    return ["".join(prompt.text for prompt in gather.prompts if isinstance(prompt, Say)) for gather in asked]


@pytest.mark.parametrize("language", ["zh", "en"])
@given(long=LONG, times=st.integers(1, 4))
def test_a_call_is_never_too_long_to_be_placed(language: str, long: str, times: int) -> None:
    long = (long * times)[:4_000]
    body = {
        "person": "陈秀英",
        "cause": "sos",
        "address": "幸福路1号101",
        "way_in": long,
        "way_in_proven_on": "2026-01-05",
    }
    for said in placed(language, "help", body):
        assert "陈秀英" in said
        assert "幸福路1号101" in said
        assert ("能去请按1" if language == "zh" else "Press 1 if you can go") in said, "the keys are always said"
    for said in placed(language, "change", {"person": "陈秀英", "change": "note", "text": long}):
        assert ("听明白请按1" if language == "zh" else "Press 1 if you have heard it") in said


def test_what_is_too_long_to_be_said_twice_is_said_once_and_only_then_cut() -> None:
    def way_in(length: int) -> list[str]:
        return placed("zh", "help", {"person": "陈秀英", "cause": "sos", "address": "x", "way_in": "甲" * length})

    assert [said.count("甲") for said in way_in(1_000)] == [1_000] * 2
    assert [said.count("甲") for said in way_in(2_500)] == [2_500]
    (cut,) = way_in(4_000)
    assert 3_000 < cut.count("甲") < 4_000
    assert "…能去请按1" in cut


def test_what_falls_into_more_parts_when_it_is_cut_is_cut_again() -> None:
    runs = (
        ("b", 500, ";"), ("a", 369, " "), ("a", 200, "。"), ("&", 40, "。"), ("甲", 369, " "), ("甲", 40, " "),
        ("甲", 360, "。"), ("a", 371, " "), ("甲", 371, "。"), ("a", 365, ""),
    )  # fmt: skip
    text = "".join(sign * times + mark for sign, times, mark in runs)
    assert placed("en", "change", {"person": "陈", "change": "note", "text": text})
