"""What is printed for a device: a label that anybody may read, and a set-up code that nobody may but who installs it.

Both are QR codes of one line, `pingan:1?…`, which docs/devices.md describes. The label says who the device is and where
it connects. It is stuck to the device for years, so it holds no secret, no home and nobody's name.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

import segno

from care.records import DEVICE_KINDS
from care.refusal import Refusal

FORM = "pingan:1"
PNG_SCALE = 8
QUIET_MODULES = 4
"""White around the code, as its standard asks for."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a device connects. `ca`: fingerprint of the authority behind the server's certificate, if that is ours."""

    host: str
    port: int
    tls: bool
    ca: str | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def content(device: str, broker: Broker, password: str | None = None) -> str:
    """What the code says. With a password it is a set-up code."""
    said = {"id": device, "host": broker.host, "port": str(broker.port), "tls": str(int(broker.tls))}
    if broker.ca is not None:
        said["ca"] = f"sha256-{broker.ca}"
    if password is not None:
        said["password"] = password
    return f"{FORM}?{urlencode(said, quote_via=quote)}"


def picture(form: str, text: str, device: str, kind: str, headline: Mapping[str, str]) -> bytes:
    """A file of the form `svg` (the code with words beside it) or `png` (the code alone). Refusal: any other form."""
    # A quarter of it may be scratched off: it hangs in kitchens and bathrooms.
    code = segno.make_qr(text, error="q", boost_error=False)
    if form == "png":
        out = io.BytesIO()
        code.save(out, kind="png", scale=PNG_SCALE, border=QUIET_MODULES)
        return out.getvalue()
    if form != "svg":
        raise Refusal("label_form", form=form)
    return _svg(code, device, kind, headline).encode()


def _svg(code: segno.QRCode, device: str, kind: str, headline: Mapping[str, str]) -> str:
    """60 by 30 mm, which is a usual size of labels."""
    drawn = io.BytesIO()
    code.save(drawn, kind="svg", border=QUIET_MODULES, xmldecl=False, svgns=True, unit=None, omitsize=True)
    image = drawn.getvalue().decode().replace("<svg ", '<svg x="1" y="1" width="28" height="28" ', 1)
    size = min(4.5, 46 / len(device))
    lines = [
        (2.9, 7, "平安通 Ping An Tong"),
        (3, 12, headline["zh"]),
        (2.4, 15.5, headline["en"]),
        (size, 22, device),
        (3, 26.5, f"{DEVICE_KINDS[kind]} {kind}"),
    ]
    words = "\n".join(
        f'<text x="30" y="{y}" font-size="{height:.2f}">{escape(line)}</text>' for height, y, line in lines
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="60mm" height="30mm" viewBox="0 0 60 30">
<rect width="60" height="30" fill="#fff"/>
{image}
<g font-family="Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif" fill="#000">
{words}
</g>
</svg>
"""
