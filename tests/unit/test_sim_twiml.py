"""TwiML read into verbs, and what of it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.phone.twiml import Dial, Gather, Hangup, Pause, Play, Redirect, Say, TwimlError, messages, parse

ASK = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather input="dtmf" numDigits="1" finishOnKey="" timeout="8" action="/a?step=1&amp;x=2" method="post">
    <Say language="zh-CN">接受请按一</Say><Pause length="2"/><Play>http://x/a.mp3</Play>
  </Gather>
  <Redirect>/again</Redirect>
</Response>"""


def test_a_caller_is_put_through() -> None:
    plain = Dial("+867503000000", 30.0, None, None, "POST", None, ())
    assert parse("<Response><Dial>+867503000000</Dial></Response>") == [plain]
    noun = '<Number statusCallback="/s" statusCallbackEvent="answered completed">+867503000000</Number>'
    dial = f'<Response><Dial timeout="20" callerId="+867500000000" action="/over">{noun}</Dial></Response>'
    told = Dial("+867503000000", 20.0, "+867500000000", "/over", "POST", "/s", ("answered", "completed"))
    assert parse(dial) == [told]


def test_a_message_is_answered() -> None:
    assert messages("<Response><Message>收到</Message><Message><Body>马上</Body></Message></Response>") == [
        "收到",
        "马上",
    ]
    assert messages("<Response/>") == []
    with pytest.raises(TwimlError):
        messages("<Response><Say>收到</Say></Response>")


def test_a_question() -> None:
    gather = Gather(
        prompts=(Say("接受请按一", "zh-CN"), Pause(2.0), Play("http://x/a.mp3")),
        digits=1, finish_on_key="", timeout_seconds=8.0, action="/a?step=1&x=2", method="POST", action_on_empty=False,
    )  # fmt: skip
    assert parse(ASK) == [gather, Redirect("/again", "POST")]


@pytest.mark.parametrize(
    ("document", "verbs"),
    [
        ("<Response/>", []),
        ("<Response><Say>Hello</Say><Hangup/></Response>", [Say("Hello", "en-US"), Hangup()]),
        ("<Response><Pause/></Response>", [Pause(1.0)]),
        ("<Response><Gather/></Response>", [Gather((), None, "#", 5.0, None, "POST", False)]),
    ],
)
def test_defaults(document: str, verbs: list[object]) -> None:
    assert parse(document) == verbs


@pytest.mark.parametrize(
    "document",
    [
        "",
        "hello",
        "<Respnse/>",
        "<Response><Say></Response>",
        "<Response><Record/></Response>",
        "<Response><Dial><Sip>sip:desk@example.org</Sip></Dial></Response>",
        "<Response><Dial><Number>110</Number><Number>120</Number></Dial></Response>",
        "<Response><Gather input='speech'/></Response>",
        "<Response><Gather timeout='soon'/></Response>",
        "<Response><Gather numDigits='-1'/></Response>",
        "<Response><Gather><Hangup/></Gather></Response>",
    ],
)
def test_what_we_do_not_execute_is_refused(document: str) -> None:
    with pytest.raises(TwimlError):
        parse(document)


@given(st.text(max_size=100))
def test_nothing_else_comes_out_of_noise(document: str) -> None:
    try:
        parse(document)
    except TwimlError:
        return
