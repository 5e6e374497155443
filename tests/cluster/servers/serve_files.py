"""A program: files of a folder over HTTP or HTTPS, its repositories over git's own HTTP.

    serve_files.py HOST PORT FOLDER [CERTIFICATE [HEADER]]

`FOLDER/git` holds bare repositories, `FOLDER/v2` what a registry answers. With HEADER, which is
`NAME: VALUE`, only who sends it is answered.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Handler(SimpleHTTPRequestHandler):
    """Answers one connection; `header` is what everybody must send."""

    def __init__(self, *arguments: object, header: str, **more: object) -> None:
        self.header = header
        super().__init__(*arguments, **more)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name, _, value = self.header.partition(": ")
        if value and self.headers.get(name) != value:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=test")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/git/"):
            self.git()
        elif "/manifests/" in self.path:
            self.manifest()
        else:
            self.file()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def file(self) -> None:
        if self.command == "HEAD":
            super().do_HEAD()
        else:
            super().do_GET()

    def manifest(self) -> None:
        body = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", MANIFEST)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def git(self) -> None:
        path, _, query = self.path.removeprefix("/git").partition("?")
        length = self.headers.get("Content-Length", "0")
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(int(length)),
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "GIT_PROJECT_ROOT": str(Path(self.directory) / "git"),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "PATH_INFO": unquote(path),
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": length,
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            check=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        said = {name: value for name, _, value in lines}
        self.send_response(int(said.pop("Status", "200").split()[0]))
        for name, value in {**said, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main(host: str, port: str, folder: str, certificate: str = "", header: str = "") -> None:
    handler = partial(Handler, directory=folder, header=header)
    server = ThreadingHTTPServer((host, int(port)), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
