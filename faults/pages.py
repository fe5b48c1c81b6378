"""The site without a script: pages fetched and a message posted over HTTP, as a browser's form does."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import Cookie, CookieJar

from django.conf import settings


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is the answer, not a way to another one."""

    def redirect_request(self, *_: object) -> None:
        return None


class Browser:
    """A signed-in person without JavaScript."""

    def __init__(self, session: str, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._cookies = CookieJar()
        self._cookies.set_cookie(_session_cookie(session))
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies), _Stay)

    def get(self, path: str = "/") -> tuple[int, str]:
        """Status and content; 0 if nobody answers."""
        return self._open(urllib.request.Request(self._base + path))

    def send(self, text: str) -> int:
        """The status that a message gets; 302 is the page of the conversation that it has begun."""
        status, page = self.get()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if not token:
            return status
        fields = {"csrfmiddlewaretoken": token[1], "text": text, "route": "generate"}
        headers = {"Origin": settings.ALLOWED_ORIGINS[0]}
        body = urllib.parse.urlencode(fields).encode()
        return self._open(urllib.request.Request(f"{self._base}/", body, headers))[0]

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            return 0, ""


def _session_cookie(session: str) -> Cookie:
    name, domain = settings.SESSION_COOKIE_NAME, "127.0.0.1"
    return Cookie(0, name, session, None, False, domain, True, False, "/", True, False, None, False, None, None, {})
