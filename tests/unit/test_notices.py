"""Where a notice may go: the register takes no address of which the outbox would find out in the night."""

import pytest

from care import cells
from care.refusal import Refusal
from care.words import WORDS
from pingan.notices import PLAIN, SECURE


@pytest.mark.parametrize("service", sorted(SECURE | PLAIN))
def test_an_address_of_a_service_that_is_spoken_to_is_taken(service: str) -> None:
    assert cells.address.read(f" {service.upper()}://Key@host/To ") == f"{service}://Key@host/To"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("mailto://name:s3cret@mail.example", "unknown_service"),  # without TLS: it was refused only when it was sent
        ("wecom://s3cret-key", "unknown_service"),
        ("tgram://s3cret/token", "unknown_service"),
        ("https://host/s3cret", "unknown_service"),
        ("file:///etc/s3cret", "unknown_service"),
        ("s3cret without a service", "no_address"),
        ("wecombot://s3cret key", "no_address"),
        ("wecombot://", "no_address"),
    ],
)
def test_what_nothing_could_be_sent_to_is_refused_by_name_and_its_secret_is_not_repeated(
    given: str, reason: str
) -> None:
    with pytest.raises(Refusal) as refused:
        cells.address.read(given)
    assert refused.value.reason == reason
    assert "s3cret" not in str(refused.value)
    for text in WORDS[reason]:
        assert text.format(**refused.value.values)
