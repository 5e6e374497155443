"""URLs, as Go's net/url reads them."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from webhook.expression.library.row import Opaque, RefusedError, can, row


def _url(text: str) -> Opaque:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = None
    relative = text.startswith("/") and not text.startswith("//")
    if parts is None or any(c <= " " for c in text) or not (relative or parts.scheme):
        what = "a text is no absolute URL or path"
        raise RefusedError(what)
    return {"url": text}


def _escaped_path(url: Opaque) -> str:
    return quote(urlsplit(url["url"]).path, safe="/%:@!$&'()*+,;=-._~")


def _host(url: Opaque) -> str:
    return urlsplit(url["url"]).netloc.rpartition("@")[2]


def _hostname(url: Opaque) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1 : host.find("]")]
    return host.partition(":")[0]


def _port(url: Opaque) -> str:
    port = urlsplit(url["url"]).port
    return "" if port is None else str(port)


def _query(url: Opaque) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url["url"]).query, keep_blank_values=True, max_num_fields=1000)


FUNCTIONS = (
    row("isURL", "(string) -> bool", can(_url)),
    row("url", "(string) -> url", _url),
    row("getScheme", "url.() -> string", lambda a: urlsplit(a["url"]).scheme),
    row("getHost", "url.() -> string", _host),
    row("getHostname", "url.() -> string", _hostname),
    row("getPort", "url.() -> string", _port),
    row("getEscapedPath", "url.() -> string", _escaped_path),
    row("getQuery", "url.() -> map", _query),
)
