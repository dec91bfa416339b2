"""Our authority, the labels and the passwords: what holds without a broker."""

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from care.accounts import new_password
from care.device_label import Broker, content, picture
from care.refusal import Refusal
from care.registrar import new_device_password
from pingan import authority
from pingan.authority import AUTHORITY_DAYS, DEVICE_DAYS, Authority, AuthorityError, Revoked
from pingan.local.mosquitto import SERVICE_USERS
from pingan.local.refusals import REASONS, Refusals, reason

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("authority"), NOW)


def read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_devices_certificate_is_its_own_and_a_servers_is_none(ours: Authority) -> None:
    issued = ours.device("H001-button", NOW)
    certificate = read(issued.certificate)
    certificate.verify_directly_issued_by(ours.certificate)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "H001-button"
    assert usages(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=DEVICE_DAYS) == issued.expires_at
    assert certificate.not_valid_before_utc < NOW, "a device's clock may be behind ours"
    assert ours.device("H001-button", NOW).key != issued.key
    server = read(ours.server(["alarm.example.org", "192.0.2.7"], NOW).certificate)
    assert usages(server) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert authority.alternative_names(server) == {"alarm.example.org", "192.0.2.7"}


def test_nothing_outlives_its_authority(ours: Authority) -> None:
    late = NOW + timedelta(days=AUTHORITY_DAYS - 10)
    assert ours.device("H001-button", late).expires_at == ours.expires_at


@pytest.mark.parametrize("name", [*SERVICE_USERS, "ingest-alarm-gateways", "dispatch-devices"])
def test_no_device_is_issued_the_name_of_a_service(ours: Authority, name: str) -> None:
    with pytest.raises(AuthorityError):
        ours.device(name, NOW)


def test_a_server_may_have_a_long_name(ours: Authority) -> None:
    name = f"{'a' * 60}.region.example.org"
    assert authority.alternative_names(read(ours.server([name], NOW).certificate)) == {name}


def test_an_authority_is_made_once_and_both_halves_belong_together(tmp_path: Path) -> None:
    first = authority.make(tmp_path / "a", NOW)
    assert (tmp_path / "a" / authority.KEY).stat().st_mode & 0o777 == 0o600
    assert authority.opened(tmp_path / "a").fingerprint == first.fingerprint
    with pytest.raises(AuthorityError, match="already"):
        authority.make(tmp_path / "a", NOW)
    with pytest.raises(AuthorityError, match="cannot be read"):
        authority.opened(tmp_path / "nowhere")
    other = authority.make(tmp_path / "b", NOW)
    assert other.certificate.subject != first.certificate.subject
    (tmp_path / "a" / authority.KEY).write_bytes((tmp_path / "b" / authority.KEY).read_bytes())
    with pytest.raises(AuthorityError, match="is not the key"):
        authority.opened(tmp_path / "a")
    (tmp_path / "a" / authority.KEY).write_text("torn")
    with pytest.raises(AuthorityError, match="no authority that can be used"):
        authority.opened(tmp_path / "a")


@given(steps=st.lists(st.integers(-3 * 86_400, 3 * 86_400), min_size=1, max_size=6))
def test_each_list_is_signed_later_than_the_one_before_whatever_the_clock_did(
    ours: Authority, steps: list[int]
) -> None:
    """OpenSSL goes by the later of two lists; of two of one second it might take either. But one whose time has not
    come, since the clock was ahead when it was signed, refuses everybody: the next one is of our own time.
    """
    now, before = NOW, None
    for number, step in enumerate(steps):
        now += timedelta(seconds=step)
        text, said = ours.revoke({f"{number + 1:x}"}, now, before)
        found = ours.revoked(text)
        assert isinstance(found, Revoked)
        assert found == said
        assert found.serials == {f"{number + 1:x}"}
        assert before is None or before.signed_at >= now or found.signed_at > before.signed_at
        assert found.signed_at <= now
        assert found.expires_at > now + timedelta(days=30)
        before = found


def test_anothers_list_or_a_torn_one_is_none(ours: Authority, tmp_path: Path) -> None:
    text, _ = authority.make(tmp_path, NOW).revoke({"1"}, NOW, None)
    assert ours.revoked(text) is None
    assert ours.revoked(text[:100]) is None


def test_ten_thousand_passwords_are_ten_thousand() -> None:
    made = [new_device_password() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert min(map(len, made)) >= 32
    assert len({new_password() for _ in range(10_000)}) == 10_000


BROKER = Broker("alarm.example.org", 8883, tls=True, ca="A" * 43)
HEADLINE = {"zh": "紧急呼叫设备", "en": "Emergency call device"}


def test_a_label_says_where_to_connect_and_no_secret() -> None:
    said = content("H001-button", BROKER)
    form, _, query = said.partition("?")
    assert form == "pingan:1"
    assert parse_qs(query) == {
        "id": ["H001-button"], "host": ["alarm.example.org"], "port": ["8883"], "tls": ["1"],
        "ca": ["sha256-" + "A" * 43],
    }  # fmt: skip
    setup = parse_qs(content("H001-button", BROKER, "s3&cret=").partition("?")[2])
    assert setup["password"] == ["s3&cret="]


@pytest.mark.parametrize("device", ["b", "H001-button", "x" * 64])
def test_a_label_is_a_picture_in_both_languages(device: str) -> None:
    root = ElementTree.fromstring(picture("svg", content(device, BROKER), device, "button", HEADLINE))
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {device, *HEADLINE.values()} <= set(texts)
    assert picture("png", content(device, BROKER), device, "button", HEADLINE).startswith(b"\x89PNG")
    with pytest.raises(Refusal):
        picture("pdf", "", device, "button", HEADLINE)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Client <unknown> disconnected, not authorised.", "credential"),
        ("OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed", "certificate"),
        ("OpenSSL Error[0]: error:0A0000C7:SSL routines::peer did not return a certificate", "no_certificate"),
        ("OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading", "cut_off"),
        ("Client <unknown> has exceeded timeout, disconnecting.", "cut_off"),
        ("Client H001-button has exceeded timeout, disconnecting.", None),
        ("Client connection from 127.0.0.1 failed: error:0A000102:SSL routines::unsupported protocol.", "tls"),
        ("OpenSSL Error[0]: error:0A00010B:SSL routines::wrong version number", "tls"),
        ("Client <unknown> disconnected due to protocol error.", "protocol"),
        ("Client H001-button disconnected due to oversize packet.", "protocol"),
        # Said of the same connection once more, or of nobody who was refused.
        ("Client <unknown> disconnected: Protocol error.", None),
        ("OpenSSL Error[1]: error:10080002:BIO routines::system lib", None),
        ("OpenSSL Error[0]: error:80000002:system library::No such file or directory", None),
        ("New client connected from 127.0.0.1:4 as a, not authorised (p2, c1, k60, u'b').", None),
        ("Client H001-button disconnected.", None),
    ],
)
def test_the_brokers_words_become_reasons(line: str, why: str | None) -> None:
    assert reason(f"2026-03-01T08:00:00+0000: {line}\n") == why
    assert why is None or why in REASONS


def test_a_log_is_counted_from_now_on_through_its_emptying(tmp_path: Path) -> None:
    path = tmp_path / "mosquitto.log"
    refused = b"2026-03-01T08:00:00+0000: Client <unknown> disconnected, not authorised.\n"
    path.write_bytes(refused * 3)
    counted = Refusals(path)
    counted.look()
    assert counted.counts["credential"] == 0, "before our time"
    with path.open("ab") as log:
        log.write(refused + refused[:20])
    counted.look()
    assert counted.counts["credential"] == 1
    with path.open("ab") as log:
        log.write(refused[20:])
    counted.look()
    assert counted.counts["credential"] == 2
    path.write_bytes(refused)
    counted.look()
    assert counted.counts["credential"] == 3
    assert set(counted.counts) == set(REASONS)


def test_the_page_of_metrics_names_the_reasons() -> None:
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `pingan_broker_refused_total`.*$", page, re.MULTILINE)
    assert all(f"`{one}`" in row for one in REASONS)
