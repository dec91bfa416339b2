"""Twilio's error answers, with its own codes (https://www.twilio.com/docs/api/errors). Pure."""

from typing import Any


class TwilioError(Exception):
    """An error answer: HTTP status, Twilio's code, its words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def unauthenticated() -> TwilioError:
    return TwilioError(401, 20003, "Authenticate")


def not_found(path: str) -> TwilioError:
    return TwilioError(404, 20404, f"The requested resource {path} was not found")


def too_many_requests() -> TwilioError:
    return TwilioError(429, 20429, "Too Many Requests")


def internal() -> TwilioError:
    return TwilioError(500, 20500, "An internal server error has occurred")


def bad_request(code: int = 20001) -> TwilioError:
    return TwilioError(400, code, "Bad Request")


def no_to() -> TwilioError:
    return TwilioError(400, 21201, "No 'To' number is specified")


def invalid_to(number: str) -> TwilioError:
    return TwilioError(400, 21211, f"The 'To' number {number} is not a valid phone number.")


def no_from() -> TwilioError:
    return TwilioError(400, 21213, "No 'From' number is specified")


def foreign_from(number: str) -> TwilioError:
    return TwilioError(
        400,
        21210,
        f"The source phone number provided, {number}, is not yet verified for your account. "
        "You may only make calls from phone numbers that you've verified or purchased from Twilio.",
    )


def no_url() -> TwilioError:
    return TwilioError(400, 21205, "Url parameter is required.")


def twiml_too_long() -> TwilioError:
    return TwilioError(400, 32018, "Twiml size exceeded maximum allowed value of 4000 characters")


def invalid_url(url: str) -> TwilioError:
    return TwilioError(400, 21205, f"Url is not a valid URL: {url}")


def invalid_callback_event(event: str) -> TwilioError:
    return TwilioError(400, 21626, f"Invalid StatusCallbackEvent: {event}")


def invalid_parameter(name: str, value: str) -> TwilioError:
    return TwilioError(400, 20001, f"Invalid {name}: {value}")


def call_not_in_progress() -> TwilioError:
    return TwilioError(400, 21220, "Call is not in-progress. Cannot redirect.")


def no_message_to() -> TwilioError:
    return TwilioError(400, 21604, "A 'To' phone number is required.")


def no_message_from() -> TwilioError:
    return TwilioError(400, 21603, "A 'From' phone number is required.")


def no_message_body() -> TwilioError:
    return TwilioError(400, 21602, "Message body is required.")


def message_too_long() -> TwilioError:
    return TwilioError(400, 21617, "The concatenated message body exceeds the 1600 character limit.")


def foreign_message_from(number: str) -> TwilioError:
    return TwilioError(
        400,
        21606,
        f"The 'From' phone number provided ({number}) is not a valid message-capable Twilio phone number for this "
        "destination/account.",
    )
