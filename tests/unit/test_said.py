"""Words that people write back: what is a plain answer, and what is left to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.channels.twilio_sms.said import EMERGENCY, MINUTES_MAX, WORDS, Said, understood

ANSWERS = [
    ("1", Said("one", number=1)), ("１", Said("one", number=1)), (" 1。", Said("one", number=1)),
    ("1!", Said("one", number=1)),
    ("去", Said("going")), ("我去", Said("going")), ("我去！", Said("going")), ("我 去", Said("going")),
    ("Going", Said("going")), ("I'm going.", Said("going")), ("I’m on my way", Said("going")),
    ("ON MY WAY!!", Said("going")),
    ("2", Said("cannot", number=2)), ("不能去", Said("cannot")), ("去不了。", Said("cannot")),
    ("can't", Said("cannot")),
    ("Can’t", Said("cannot")), ("CANNOT", Said("cannot")), ("ｎｏ", Said("cannot")),
    ("到了", Said("there")), ("到了～", Said("there")), ("There", Said("there")), ("i'm here", Said("there")),
    ("安全", Said("safe")), ("safe", Said("safe")), ("Safe.", Said("safe")), ("没事了", Said("safe")),
    ("没事", Said("fine")),
    ("3", Said("desk", number=3)), ("请回电", Said("desk")), ("Call me", Said("desk")),
    ("请回电？", Said("desk")), ("我去，120分钟", Said("going", 120)),
    ("好的", Said("yes")), ("OK", Said("yes")), ("收到", Said("heard")), ("got it", Said("heard")),
    ("going 15", Said("going", 15)), ("Going in 15 minutes", Said("going", 15)), ("1 15", Said("going", 15)),
    ("1，15分钟", Said("going", 15)), ("我去，15分钟", Said("going", 15)),
    ("我去，大约十五分钟到", Said("going", 15)),
    ("我去２０分钟", Said("going", 20)), ("马上到，半小时", Said("going", 30)),
    ("on my way, 10 min", Said("going", 10)),
    ("going 500", Said("going")), ("我去 0分钟", Said("going")),
    ("15分钟", Said("minutes", 15)), ("15 min", Said("minutes", 15)), ("十分钟", Said("minutes", 10)),
    ("二十五分钟内到", Said("minutes", 25)), ("1小时", Said("minutes", 60)), ("半小时", Said("minutes", 30)),
    ("半个小时", Said("minutes", 30)), ("2 hours", Said("minutes", 120)),
    ("15", Said("number", 15, 15)), ("4", Said("number", 4, 4)),
]  # fmt: skip

LEFT_TO_A_PERSON = [
    "", "   ", "！！！", "救命", "我摔倒了", "help", "我去不了，她在流血", "不安全", "not safe", "她没有安全",
    "going nowhere", "120", "119", "110",
    "我去了她不开门", "没事吗", "are you there", "there is a fire", "can't breathe", "no pulse", "到了，没人开门",
    "0", "999", "半", "半分钟", "没事了？", "到了?", "1？", "safe?", "15?",
    "我去，120", "1 120", "going 911", "马上到 119",
    "十十分钟", "五", "going going 15 and then some more words that nobody foresaw",
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_a_plain_answer_is_understood(text: str, said: Said) -> None:
    assert understood(text) == said


@pytest.mark.parametrize("text", LEFT_TO_A_PERSON)
def test_anything_else_is_left_to_a_person(text: str) -> None:
    assert understood(text) is None


def test_no_word_means_two_things() -> None:
    words = [word for words in WORDS.values() for word in words]
    assert len(words) == len(set(words))
    for kind, some in WORDS.items():
        assert {understood(word).kind for word in some} == {kind}  # type: ignore[union-attr]


@given(st.text(max_size=60))
def test_whatever_is_written_has_an_answer_within_bounds(text: str) -> None:
    said = understood(text)
    if said is not None:
        assert said.minutes is None or 0 < said.minutes <= MINUTES_MAX
        assert said.kind != "number" or said.number not in EMERGENCY


@given(st.sampled_from([text for text, _ in ANSWERS]), st.text(alphabet=" 。，！!.,…～\n", max_size=5))
def test_what_stands_around_it_does_not_matter(text: str, around: str) -> None:
    assert understood(around + text + around) == understood(text)
    assert understood(text.upper()) == understood(text)
