"""The dispatch process: intake, alarm clock and outbox, and what devices are told, side by side.

Its loops share nothing but the database: each may be stopped anywhere and started again, and any number of
these processes may run.
"""

import logging
import sys
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from dispatch.anchoring import keep_anchoring
from dispatch.channels import Absent, Channel
from dispatch.channels.apprise.send import AppriseChannel, AppriseSettings
from dispatch.channels.device.send import DeviceChannel
from dispatch.channels.twilio import TwilioSettings, links
from dispatch.channels.twilio_sms.send import TwilioSms
from dispatch.channels.twilio_voice.send import TwilioVoice
from dispatch.configuring import Configuring
from dispatch.desk import Desk, StuckAlarm, StuckIncident
from dispatch.links import Links
from dispatch.measuring import keep_looking, keep_looking_at_devices
from dispatch.outbox import Outbox
from dispatch.providers import Providers
from dispatch.reaching import keep_reaching
from dispatch.self_test import keep_testing
from dispatch.sends import SendsTable
from pingan import metrics, process
from pingan.clock import Clock
from pingan.database import LOST, Bell
from pingan.settings import Mqtt, SettingsError, Text, centre, load

log = logging.getLogger(__name__)

NAP_SECONDS = 0.5
"""No loop sleeps longer: a lost notification, or a moved deadline, costs half a second at the most."""


STUCK_SECONDS = 5.0
"""How long an incident that cannot be woken is passed over."""
ALARM_STUCK_SECONDS = 2.5
"""And an alarm that cannot be taken: somebody may wait behind it."""

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter. The provider's SDK works in threads, and with Python's own 5 ms a press
would wait for each of a dozen calls that are being placed."""


class DispatchSettings(Mqtt, frozen=True, kw_only=True):
    """Settings of `pingan dispatch`."""

    twilio_account_sid: Text | None = None
    """Where telephone calls are made: `TwilioSettings` says what else they need."""
    twilio_calls_per_second: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    """How many calls the provider begins in a second: 1 of a new account. Whoever is in danger goes first."""
    timezone: Text = "Asia/Shanghai"
    """The centre's: what a weekly reminder's hour is of."""
    telephone_tests: Annotated[str, msgspec.Meta(pattern="^(on|off)$")] = "on"
    """Whether people are tried by day; `off`: only when somebody at the desk asks for it."""


async def intake(desk: Desk, clock: Clock, bell: Bell) -> None:
    """Take alarms to their incidents, until cancelled.

    1. Take what waits, each home in its turn; repeat while there is something.
    2. One that cannot be taken is passed over for a while, whoever rings meanwhile, so that it holds up nobody.
    3. Sleep until an alarm is raised.
    """
    stuck: dict[UUID, float] = {}
    served: set[str] = set()
    while True:
        try:
            stuck = {alarm: until for alarm, until in stuck.items() if until > clock.monotonic()}
            while homes := await desk.take_alarms(beside=stuck, served=served):
                if not served.isdisjoint(homes):  # everyone who waits has had a turn
                    served.clear()
                served.update(homes)
            served.clear()
            await bell.wait(NAP_SECONDS)
        except StuckAlarm as error:
            log.exception("%s; it is tried again", error)
            stuck[error.alarm] = clock.monotonic() + ALARM_STUCK_SECONDS
        except LOST as error:
            log.debug("intake waits for the database: %s", error)
            await bell.wait(NAP_SECONDS)


async def losses(desk: Desk, bell: Bell) -> None:
    """Group what fell silent, until cancelled. Beside intake, so that no press stands behind a power cut's rows.

    One row that cannot be grouped stops all, for they are looked at together: then each is taken for itself.
    """
    failed = False
    while True:
        try:
            if failed:
                await desk.give_up_grouping()
                failed = False
            while await desk.take_losses():
                pass
        except LOST as error:
            log.debug("grouping waits for the database: %s", error)
        except Exception:
            log.exception("what fell silent could not be grouped: what has waited goes to its own home's incident")
            failed = True
            await bell.wait(STUCK_SECONDS)
        await bell.wait(NAP_SECONDS)


async def alarm_clock(desk: Desk, clock: Clock, bell: Bell) -> None:
    """Wake incidents whose time has come, until cancelled.

    1. At the start, wake what was done "in the future": the wall clock was put back while nothing ran.
    2. Wake what is due, a few by one transaction; repeat while there is one.
    3. One that cannot be woken is passed over for a while, so that it holds up nobody.
    4. Sleep until the soonest deadline, or until an incident changes, but never long.
    """
    stuck: dict[int, float] = {}
    starting = True
    while True:
        try:
            stuck = {incident: until for incident, until in stuck.items() if until > clock.monotonic()}
            while starting and await desk.wake_due(beside=stuck, put_back=True):
                pass
            starting = False
            while await desk.wake_due(beside=stuck):
                pass
            soonest = await desk.soonest(beside=stuck)
            wait = NAP_SECONDS if soonest is None else (soonest - clock.now()).total_seconds()
            await bell.wait(min(NAP_SECONDS, max(0.002, wait)))
        except StuckIncident as error:
            log.exception("%s; it is tried again", error)
            stuck[error.incident] = clock.monotonic() + STUCK_SECONDS
        except LOST as error:
            log.debug("the alarm clock waits for the database: %s", error)
            await bell.wait(NAP_SECONDS)


def main(argv: list[str]) -> int:
    """`pingan dispatch`."""
    try:
        settings = load(DispatchSettings)
        telephony = load(TwilioSettings) if settings.twilio_account_sid else None
        notices = load(AppriseSettings)
        zone = centre(settings.timezone)
    except SettingsError as error:
        raise SystemExit(f"pingan dispatch: {error}") from error
    sys.setswitchinterval(SWITCH_SECONDS)
    process.main(_run(settings, telephony, notices, zone))
    return 0


def _telephones(settings: TwilioSettings | None) -> dict[str, Channel]:
    if settings is None:
        log.warning("no telephone provider is set: nobody can be called. Set PINGAN_TWILIO_ACCOUNT_SID and its fellows")
        absent = Absent("no telephone provider is set")
        return {"twilio_voice": absent, "twilio_sms": absent}
    return {"twilio_voice": TwilioVoice(settings), "twilio_sms": TwilioSms(settings, links(settings))}


async def _run(
    settings: DispatchSettings, telephony: TwilioSettings | None, notices: AppriseSettings, zone: ZoneInfo
) -> None:
    this = process.Process(settings, connections=8)
    device = DeviceChannel(settings, this.state)
    pages = Links(notices.link_secret, notices.public_url) if notices.link_secret and notices.public_url else None
    apprise = AppriseChannel(notices, pages)
    channels: dict[str, Channel] = {"device": device, **_telephones(telephony), "apprise": apprise}
    provided = {name: one for name, one in channels.items() if isinstance(one, TwilioVoice | TwilioSms)}
    providers = Providers(this.database, this.clock, provided, settings.name)
    desk = Desk(this.database, this.clock, zone)
    rates = {"twilio_voice": settings.twilio_calls_per_second}
    for channel, rate in rates.items():
        metrics.show(metrics.SENDS_PER_SECOND).labels(channel).set(rate)
    outbox = Outbox(SendsTable(this.database), this.clock, desk, channels, settings.name, rates)
    alarms = this.listener.bell("alarm", "clock")
    silences = this.listener.bell("alarm", "clock")
    changes = this.listener.bell("incident", "clock")
    sends = this.listener.bell("outbox", "clock")
    telling = this.listener.bell("device_config", "self_test", "clock")
    questions = this.listener.bell("asking", "clock")
    tests = this.listener.bell("clock")
    days = this.listener.bell("clock")
    telephones = this.listener.bell("clock")
    tested = telephony is not None and settings.telephone_tests == "on"
    configuring = Configuring(settings, this.database, this.clock, zone)
    await this.run(
        device.run,
        lambda: intake(desk, this.clock, alarms),
        lambda: losses(desk, silences),
        lambda: alarm_clock(desk, this.clock, changes),
        lambda: outbox.run(sends),
        providers.run,
        lambda: configuring.run(telling, questions),
        lambda: keep_anchoring(this.database, this.clock, days, zone),
        lambda: keep_testing(this.database, this.clock, tests, zone),
        lambda: keep_reaching(this.database, this.clock, telephones, zone, tests=tested),
        lambda: keep_looking(this.database, this.clock),
        lambda: keep_looking_at_devices(this.database),
    )
