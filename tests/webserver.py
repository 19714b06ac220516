"""A file server on the loopback interface that can serve parts of files, for tests."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving(folder: Path, unavailable: int = 0) -> Iterator[str]:
    """Serve a folder; yield the address, which ends with a slash.

    Args:
        folder: what is served.
        unavailable: requests that are answered with 503 before one is served.
    """
    refusals = iter(range(unavailable))

    class Files(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            file = folder / self.path.partition("?")[0].lstrip("/")
            busy = next(refusals, None) is not None
            if busy or not file.is_file():
                self.send_response(503 if busy else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body, size = file.read_bytes(), file.stat().st_size
            wanted = self.headers.get("Range")
            self.send_response(206 if wanted else 200)
            if wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start = int(first) if first else max(0, size - int(last))
                body = body[start : int(last) + 1 if first and last else None]
                end = start + len(body) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass  # nothing on stderr

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
