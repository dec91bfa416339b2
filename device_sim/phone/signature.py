"""`X-Twilio-Signature`, by Twilio's published algorithm. Pure.

Source: https://www.twilio.com/docs/usage/security#validating-requests: the full URL, then every POST parameter's name
and value in the order of the names, HMAC-SHA1 with the auth token, base64.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def sign(auth_token: str, url: str, parameters: Iterable[tuple[str, str]] = ()) -> str:
    """The signature of a webhook to `url`; `parameters` are those of a POST's form, none for a GET."""
    signed = url + "".join(name + value for name, value in sorted(set(parameters)))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
