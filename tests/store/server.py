"""An S3 server on loopback, and a proxy before it that does what a bad day does.

The server is localbucket's. It does not check credentials, and deletes one object at a time only;
the proxy does the one and translates the other.
"""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

BUCKET = "results"

Fault = Callable[[str, str], int | None]
"""Method and path of a request -> the status that it is answered with; None: the server's."""


class Proxy(ThreadingHTTPServer):
    """fault: asked for each request; key: the only access key that is let in; slow: seconds."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.fault: Fault = lambda method, path: None
        self.key: str | None = None
        self.slow = 0.0
        self.requests: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass_on(self) -> None:
        body = self._body()
        self.server.requests.append((self.command, self.path))
        time.sleep(self.server.slow)
        key = self.server.key
        status = self.server.fault(self.command, self.path)
        if key is not None and f"Credential={key}/" not in self.headers.get("Authorization", ""):
            status = 403
        if status is not None:
            code = {403: "ExpiredToken", 503: "SlowDown"}.get(status, "InternalError")
            said = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
            self._answer(status, {"Content-Type": "application/xml"}, said)
            return
        if self.command == "POST" and self.path.endswith("?delete"):
            self._delete_each(body)
            return
        far = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        skipped = {"host", "transfer-encoding", "content-length", "connection"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in skipped}
        far.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
        answer = far.getresponse()
        content = answer.read()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in skipped}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length", "0")
        self._answer(answer.status, kept, content)

    def _delete_each(self, body: bytes) -> None:
        keys = [each.text for each in ET.fromstring(body).iter() if each.tag.endswith("Key")]
        for key in keys:
            far = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
            far.request("DELETE", f"{self.path.removesuffix('?delete')}/{quote(key or '')}")
            far.getresponse().read()
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        said = f"<DeleteResult>{gone}</DeleteResult>".encode()
        self._answer(200, {"Content-Type": "application/xml"}, said)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *_: object) -> None: ...


@contextmanager
def storage(folder: Path) -> Iterator[Proxy]:
    """A server with an empty bucket, and the proxy before it."""
    (folder / BUCKET).mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "localbucket", "--port", str(port), str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    proxy = Proxy(port)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        server.kill()
        server.wait()


def environment(proxy: Proxy, spool: Path, key: str = "right") -> dict[str, str]:
    """What makes this process, or another, find it."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_address[1]}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "secret-that-stands-nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "PTQ_VS_QAT_SPOOL": str(spool),
        "PATH": os.environ["PATH"],
    }
