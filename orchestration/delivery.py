"""How an alert leaves the house: posted to a webhook, or sent by mail.

Secrets (the webhook's address, the mail account's password) are in no message and no exception that leaves
this module. What does NOT belong here: what an alert says (`orchestration.alerts`).
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from urllib.parse import urlsplit

from orchestration.alerts import Alert
from orchestration.settings import Settings

_TIMEOUT_SECONDS = 10.0
_SUBMISSION_PORT = 587
# What chat programs take for the beginning of a mention or a link.
_HARMLESS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Send = Callable[[Alert], None]


class DeliveryError(RuntimeError):
    """An alert could not be delivered; the message names the way and the reason, and no secret."""


def channels(settings: Settings) -> Mapping[str, Send]:
    """Return the ways that are set up, by name.

    Args:
        settings: Where alerts go.
    """
    found: dict[str, Send] = {}
    if settings.alert_webhook is not None:
        webhook = settings.alert_webhook
        found["webhook"] = lambda alert: post(webhook, alert)
    if settings.alert_smtp is not None:
        found["mail"] = lambda alert: mail(settings, alert)
    return found


def post(address: str, alert: Alert) -> None:
    """Post an alert as JSON with one key, `text`: what Slack and its like understand.

    Args:
        address: URL of the webhook.
        alert: What to say.

    Raises:
        DeliveryError: The server cannot be reached, or says no.
    """
    text = "".join(_HARMLESS.get(letter, letter) for letter in alert.text())
    request = urllib.request.Request(  # noqa: S310 - the settings take http and https only
        address,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with _opener().open(request, timeout=_TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        raise DeliveryError(f"The webhook answered with status {error.code}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DeliveryError(f"The webhook cannot be reached ({type(reason).__name__}).") from None


def mail(settings: Settings, alert: Alert) -> None:
    """Send an alert by mail.

    Args:
        settings: Server, account, sender and receivers.
        alert: What to say.

    Raises:
        DeliveryError: The server cannot be reached, says no, or would be told the password in the clear.
    """
    server = urlsplit(settings.alert_smtp or "")
    host = server.hostname or ""
    message = EmailMessage()
    message["Subject"] = alert.subject
    message["From"] = settings.alert_mail_from
    message["To"] = settings.alert_mail_to
    message.set_content(alert.text())
    try:
        with _connected(server.scheme, host, server.port) as client:
            is_private = server.scheme == "smtps"
            client.ehlo()
            if not is_private and client.has_extn("starttls"):
                client.starttls(context=ssl.create_default_context())
                client.ehlo()
                is_private = True
            if settings.alert_smtp_user is not None and settings.alert_smtp_password is not None:
                if not (is_private or _is_here(host)):
                    raise DeliveryError(f"The mail server {host} offers no encryption; no password was sent.")
                client.login(settings.alert_smtp_user, settings.alert_smtp_password)
            client.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        code = getattr(error, "smtp_code", None)
        said = type(error).__name__ if code is None else f"{type(error).__name__} {code}"
        raise DeliveryError(f"The mail server {host} did not take the alert ({said}).") from None


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(
            host, port or smtplib.SMTP_SSL_PORT, timeout=_TIMEOUT_SECONDS, context=context
        )
    return smtplib.SMTP(host, port or _SUBMISSION_PORT, timeout=_TIMEOUT_SECONDS)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An alert goes where it was told to, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
