"""What is read by one parser only is as strictly read as by two."""

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.codecs import Reason
from ingest.codecs.strict import Refused, ask_again, is_plain, parse

anything = msgspec.json.Decoder()
names = st.sampled_from(["boot", "seq", "note", "", "x:", ",", "{", "\\u0073eq", "\\u0000", "灯"])
leaves = st.one_of(
    st.sampled_from(["1", "true", "null", "1e9", "-0.5", '"b"', '"seq"', '":"', '"["', '"\\u0000"', '"\\\\"', "{}"]),
    st.just("1" + "0" * 4_400),
    st.just("[" * 70 + "]" * 70),
)
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.lists(st.tuples(names, inner), max_size=5).map(
            lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
        ),
    ),
    max_leaves=8,
)


@given(documents)
def test_of_what_is_plain_the_second_parser_has_nothing_to_say(document: str) -> None:
    payload = document.encode()
    try:
        anything.decode(payload)
    except msgspec.DecodeError:
        assume(False)
    if is_plain(payload):
        ask_again(payload)


@given(documents, st.integers(0, 60), st.binary(max_size=2))
def test_whatever_bytes_are_parsed_or_refused_by_a_name(document: str, at: int, noise: bytes) -> None:
    payload = document.encode()
    payload = payload[:at] + noise + payload[at:]
    try:
        parsed = parse(anything, payload)
    except Refused as refused:
        reason = refused.reason
    else:
        assert parsed == json.loads(payload)
        return
    assert reason in Reason


PLAIN = '{"boot":"b1","seq":7,"at":"2026-09-21T14:13:19Z","kind":"door","value":{"a":[1,2]}}'


def test_an_ordinary_message_is_plain() -> None:
    assert is_plain(PLAIN.encode())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"kind"', '"seq"', Reason.DUPLICATE_FIELD),
        ('{"a":[1,2]}', '{"a":1,"a":2}', Reason.DUPLICATE_FIELD),
        ('"door"', '"\\u0000"', Reason.FORBIDDEN_CHARACTER),
        ("[1,2]", "1" + "0" * 5_000, Reason.OUT_OF_RANGE),
    ],
)
def test_what_the_second_parser_is_for_is_not(old: str, new: str, reason: Reason) -> None:
    payload = PLAIN.replace(old, new).encode()
    assert not is_plain(payload)
    with pytest.raises(Refused) as caught:
        parse(anything, payload)
    assert caught.value.reason is reason
