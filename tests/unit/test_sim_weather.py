"""The weather is the seed's: always the same for the same frames, and as bad as its climate says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.weather import CLIMATES, FAIR, STORM, Climate, Weather

NOW = datetime(2025, 3, 1, tzinfo=UTC)


@given(st.integers(), st.sampled_from(sorted(CLIMATES)))
def test_the_same_seed_has_the_same_weather(seed: int, name: str) -> None:
    one, other = (Weather(seed, CLIMATES[name], 50.0) for _ in range(2))
    moments = [50.0 + n * 3 for n in range(200)]
    assert [one.fate(at) for at in moments] == [other.fate(at) for at in moments]
    assert one.clock(99.0, NOW) == other.clock(99.0, NOW)


@given(st.integers(), st.lists(st.floats(0, 1e6), max_size=50))
def test_fair_weather_does_nothing(seed: int, moments: list[float]) -> None:
    weather = Weather(seed, FAIR)
    assert all(weather.fate(at) == [0.0] for at in sorted(moments))
    assert weather.clock(1e6, NOW) == NOW


@given(st.integers())
def test_delays_are_bounded_and_outages_lose_everything(seed: int) -> None:
    weather = Weather(seed, STORM)
    for second in range(3000):
        out = weather.is_out(second)
        delays = weather.fate(second)
        assert not (out and delays)
        assert all(0 <= delay <= STORM.delay_max_seconds for delay in delays)


@pytest.mark.parametrize(("loss", "repeat"), [(0.2, 0.0), (0.0, 0.3)])
def test_loss_and_repeats_have_their_frequency(loss: float, repeat: float) -> None:
    weather = Weather("counted", Climate(loss=loss, repeat=repeat))
    fates = [weather.fate(n) for n in range(20_000)]
    assert sum(fate == [] for fate in fates) / len(fates) == pytest.approx(loss, abs=0.02)
    assert sum(len(fate) == 2 for fate in fates) / len(fates) == pytest.approx(repeat, abs=0.02)


@given(st.integers(), st.floats(0, 1e7))
def test_a_clock_drifts_no_faster_than_its_climate(seed: int, seconds: float) -> None:
    drift = Weather(seed, STORM).clock(seconds, NOW) - NOW
    assert abs(drift) <= timedelta(seconds=seconds * STORM.drift_ppm * 1e-6) + timedelta(microseconds=1)
