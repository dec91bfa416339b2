"""Our own certificate authority: who a device is, shown by a key that never leaves it. X.509, elliptic curve P-256.

It lies in one folder: `authority.pem`, which everybody may see, and `authority_key.pem`, which signs. Whoever holds the
key can pretend to be any device and, to devices that know this authority, the server.
"""

import base64
import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pingan.local.mosquitto import NO_DEVICES
from pingan.local.places import write_private

CERTIFICATE, KEY = "authority.pem", "authority_key.pem"

AUTHORITY_DAYS = 7300
"""Twenty years: it is put into devices that stay for ten, and must outlive the last that it was put into."""
DEVICE_DAYS = 3650
"""Ten years, longer than a battery device is used. What is lost or stolen is revoked; a certificate that simply runs
out in somebody's home is a button that calls nobody."""
SERVER_DAYS = 397
"""As browsers want it; ours is renewed by itself, so a short one costs nothing."""
REVOKED_DAYS = 365
"""OpenSSL refuses everybody once the list has run out. It is signed anew each day and at each start, so this is for how
long nobody may have looked after the broker."""
RENEW_BEFORE = timedelta(days=30)
COMMON_NAME_CHARACTERS = 64
"""The longest that X.509 allows."""
BACKDATED = timedelta(hours=1)
"""A device's or a broker's clock may be behind ours."""


class AuthorityError(Exception):
    """There is no authority where it should be, or it cannot be used. The text says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with its certificate, as PEM. The key is kept nowhere else."""

    key: str
    certificate: str
    serial: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """A list of revoked certificates, as it was signed."""

    serials: frozenset[str]
    signed_at: datetime
    expires_at: datetime


class Authority:
    """An authority with its key. Times are arguments."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate, self._key = certificate, key

    @property
    def pem(self) -> str:
        return _pem(self.certificate)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate)

    @property
    def expires_at(self) -> datetime:
        return self.certificate.not_valid_after_utc

    def device(self, device: str, now: datetime) -> Issued:
        """A device's own certificate: the broker takes its common name for its user name."""
        if device in NO_DEVICES:
            raise AuthorityError(f"{device} is a name of the platform's own")
        return self._issue(device, None, ExtendedKeyUsageOID.CLIENT_AUTH, now, DEVICE_DAYS)

    def server(self, names: Iterable[str], now: datetime) -> Issued:
        """The broker's certificate for these host names and addresses."""
        names = list(names)
        alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
        # Whom it is for stands in the alternative names, which may be longer than a common name.
        return self._issue(
            names[0][:COMMON_NAME_CHARACTERS], alternative, ExtendedKeyUsageOID.SERVER_AUTH, now, SERVER_DAYS
        )

    def _issue(
        self,
        common_name: str,
        names: x509.SubjectAlternativeName | None,
        usage: x509.ObjectIdentifier,
        now: datetime,
        days: int,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        # What outlived its authority would be refused all the same.
        until = min(now + timedelta(days=days), self.expires_at)
        builder = _builder(common_name, self.certificate.subject, key.public_key(), now, until)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            # A server's certificate lets nobody in as a device, nor the other way round.
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(_key_pem(key), _pem(certificate), serial(certificate), certificate.not_valid_after_utc)

    def revoke(
        self, serials: Collection[str], now: datetime, before: Revoked | None, days: int = REVOKED_DAYS
    ) -> tuple[str, Revoked]:
        """The list of these serials, as PEM, and what it says. `before`: the list that it replaces.

        OpenSSL holds both until the broker starts afresh and goes by the one that was signed later, to the second.
        Unless that has not come yet, because the clock was ahead when it was signed: such a list refuses everybody.
        """
        signed_at = (now - BACKDATED).replace(microsecond=0)
        if before is not None and before.signed_at < now:
            signed_at = max(signed_at, before.signed_at + timedelta(seconds=1))
        until = now + timedelta(days=days)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(signed_at)
            .next_update(until)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(int(signed_at.timestamp())), critical=False)
        )
        for one in sorted(serials):
            revoked = x509.RevokedCertificateBuilder().serial_number(int(one, 16)).revocation_date(signed_at)
            builder = builder.add_revoked_certificate(revoked.build())
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode(), _read_list(signed)

    def revoked(self, text: str) -> Revoked | None:
        """What a list says that `revoke` made. None: it is torn, or another authority's."""
        try:
            found = x509.load_pem_x509_crl(text.encode())
        except ValueError:
            return None
        public = self._key.public_key()
        return _read_list(found) if found.is_signature_valid(public) else None

    def signed(self, text: str) -> x509.Certificate | None:
        """The first certificate of a PEM, if it is one of ours."""
        try:
            certificate = x509.load_pem_x509_certificate(text.encode())
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return None
        return certificate


def make(folder: Path, now: datetime) -> Authority:
    """A new authority in `folder`. AuthorityError when there is one: what it signed would be worthless."""
    if (folder / KEY).exists() or (folder / CERTIFICATE).exists():
        raise AuthorityError(f"{folder} holds an authority already")
    key = ec.generate_private_key(ec.SECP256R1())
    # Each has a name of its own: of two with one name, OpenSSL may ask the wrong one.
    name = f"Ping An Tong {now:%Y-%m-%d} {x509.random_serial_number() & 0xFFFF:04x}"
    builder = _builder(name, _name(name), key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The key last: whoever finds it finds the whole.
        write_private(folder / CERTIFICATE, _pem(certificate), durable=True)
        write_private(folder / KEY, _key_pem(key), durable=True)
    except OSError as error:
        raise AuthorityError(f"{error.filename} cannot be written: {error.strerror}") from error
    return Authority(certificate, key)


def opened(folder: Path) -> Authority:
    """The authority in `folder`. AuthorityError when there is none, or its two halves do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
    except OSError as error:
        raise AuthorityError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise AuthorityError(f"{folder} holds no authority that can be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise AuthorityError(f"{folder}: {KEY} is not the key of {CERTIFICATE}")
    return Authority(certificate, key)


def exists(folder: Path) -> bool:
    return (folder / KEY).exists()


def opened_or_made(folder: Path, now: datetime) -> Authority:
    return opened(folder) if exists(folder) else make(folder, now)


def is_key_of(key: str, certificate: x509.Certificate) -> bool:
    """Whether a PEM holds the key of `certificate`. False also when it is torn."""
    try:
        return serialization.load_pem_private_key(key.encode(), None).public_key() == certificate.public_key()
    except (ValueError, TypeError):
        return False


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate, in base64url without padding: 43 characters, short enough for a label."""
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode().rstrip("=")


def serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


def expires_at(pem: str) -> datetime:
    """When the first certificate of a PEM runs out. ValueError when there is none in it."""
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc


def alternative_names(certificate: x509.Certificate) -> set[str]:
    """The host names and addresses that a server's certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(one.value) for one in found}


def _builder(
    common_name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _read_list(found: x509.CertificateRevocationList) -> Revoked:
    serials = frozenset(f"{one.serial_number:x}" for one in found)
    until = found.next_update_utc or found.last_update_utc
    return Revoked(serials, found.last_update_utc, until)
