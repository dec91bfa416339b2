"""TwiML read into verbs, and what of it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.phone.twiml import Gather, Hangup, Pause, Play, Redirect, Say, TwimlError, parse

ASK = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather input="dtmf" numDigits="1" finishOnKey="" timeout="8" action="/a?step=1&amp;x=2" method="post">
    <Say language="zh-CN">接受请按一</Say><Pause length="2"/><Play>http://x/a.mp3</Play>
  </Gather>
  <Redirect>/again</Redirect>
</Response>"""


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
        "<Response><Dial>110</Dial></Response>",
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
