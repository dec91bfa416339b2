"""What the provider tells of a call or a message, read: almost anything is heard, and two calls are never one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.channels.twilio_in.heard import TEXT_MAX, Heard, Misread, plain, read
from dispatch.channels.words import LANGUAGES, words

CALL, OTHER, MESSAGE = "CA" + "0" * 32, "CA" + "1" * 32, "SM" + "0" * 32


def call(**form: str) -> Heard:
    return read("telephone", {"CallSid": CALL, **form})


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("+8613800000149", "+8613800000149"),
        ("+867503123456", "+867503123456"),
        (" +8613800000149 ", "+8613800000149"),
        ("+266696687", None),
        ("+7378742833", None),
        ("+86282452253", None),
        ("anonymous", None),
        ("Restricted", None),
        ("sip:nurse@example.org", None),
        ("+8613800", None),
        ("+86138000000000000", None),
        ("8613800000149", None),
        ("+١٣٨٠٠٠٠٠١٤٩", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_number_is_one_or_is_withheld(given: str, number: str | None) -> None:
    heard = call(From=given)
    assert heard.number == number
    assert heard.stranger == f"tel:{number or CALL}"
    assert ("from" in heard.more) == (number is None and given != ""), "what could not be read is kept"


def test_a_call_told_twice_is_one_and_another_is_another() -> None:
    assert call(From="+8613800000149").alarm == call(From="+8613800000149", CallStatus="in-progress").alarm
    assert call().alarm != read("telephone", {"CallSid": OTHER}).alarm
    withheld = {read("telephone", {"CallSid": sid, "From": "anonymous"}).stranger for sid in (CALL, OTHER)}
    assert len(withheld) == 2, "two who show no number are two people"


@pytest.mark.parametrize("sid", [None, "", "CA1", MESSAGE, "CA" + "g" * 32, CALL + "0", CALL + "\n"])
def test_without_the_providers_own_id_it_is_refused_by_name(sid: str | None) -> None:
    with pytest.raises(Misread) as refused:
        read("telephone", {} if sid is None else {"CallSid": sid})
    assert refused.value.name == "no_call_id"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("救命", "救命"),
        ("line one\r\nline two", "line one\nline two"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\0b", "a\ufffdb"),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("safe \u202eevil", "safe \ufffdevil"),
        ("👨‍👩‍👧 ok", "👨‍👩‍👧 ok"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_message_is_text_and_nothing_else(body: str, text: str) -> None:
    assert read("sms", {"MessageSid": MESSAGE, "Body": body}).text == text


def test_a_message_is_bounded_and_says_that_it_was() -> None:
    heard = read("sms", {"MessageSid": MESSAGE, "Body": "救" * 5000, "NumMedia": "2"})
    assert (heard.text, heard.more["cut_from"], heard.more["media"]) == ("救" * TEXT_MAX, 5000, 2)


@given(st.dictionaries(st.sampled_from(["From", "Body", "NumMedia", "To", "CallStatus"]), st.text(max_size=2000)))
def test_whatever_stands_in_its_other_fields_somebody_is_heard(form: dict[str, str]) -> None:
    for source, field, sid in (("telephone", "CallSid", CALL), ("sms", "MessageSid", MESSAGE)):
        heard = read(source, {**form, field: sid})  # type: ignore[arg-type]
        kept: dict[str, Any] = {"text": heard.text, **heard.more}
        assert "\\u0000" not in json.dumps(kept), "the database holds no NUL"
        json.dumps(kept, ensure_ascii=False).encode()
        assert len(heard.text or "") <= TEXT_MAX


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    once = plain(text)
    assert plain(once) == once


def test_everything_that_is_said_has_its_words() -> None:
    for language in LANGUAGES:
        for key in ("connecting", "heard", "desk_missed", "text_heard"):
            assert words("twilio_in", language)(key)
