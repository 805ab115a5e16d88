"""What is signed: the token in every form, and the cookie of who signed in."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer

#: How long a form may lie open, and a sign-in lasts.
_FORM_SECONDS = 24 * 3600
SIGN_IN_SECONDS = 12 * 3600


class Tokens:
    """Signs and checks with one secret. The API's token is what a person signs in with."""

    def __init__(self, secret: bytes, api_token: str) -> None:
        self._forms = URLSafeTimedSerializer(secret, salt="rebento form")
        self._sign_ins = URLSafeTimedSerializer(secret, salt="rebento sign-in")
        self._api_token = api_token

    @property
    def needs_sign_in(self) -> bool:
        return bool(self._api_token)

    def new_visit(self) -> str:
        """A random name for one browser, for its cookie."""
        return secrets.token_urlsafe(18)

    def form_token(self, visit: str) -> str:
        """What a form of this browser carries. It differs from one second to the next: a page that is
        compressed gives nothing away by its length."""
        return str(self._forms.dumps(_digest(visit)))

    def is_form_of(self, visit: str, token: str) -> bool:
        try:
            return hmac.compare_digest(str(self._forms.loads(token, max_age=_FORM_SECONDS)), _digest(visit))
        except BadSignature:
            return False

    def sign_in(self, offered: str) -> str | None:
        """The cookie of who offers the right token; None for a wrong one."""
        if not hmac.compare_digest(offered.strip().encode(), self._api_token.encode()):
            return None
        return str(self._sign_ins.dumps(self._fingerprint()))

    def is_signed_in(self, cookie: str) -> bool:
        """Whether this cookie was given for the token in force. True where none is needed."""
        if not self._api_token:
            return True
        try:
            told = str(self._sign_ins.loads(cookie, max_age=SIGN_IN_SECONDS))
        except BadSignature:
            return False
        return hmac.compare_digest(told, self._fingerprint())

    def _fingerprint(self) -> str:
        return _digest(self._api_token)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
