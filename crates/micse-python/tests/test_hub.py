"""Models from a small Hub on this machine: progress, Ctrl-C within a download, and what comes after it."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import micse

COMMIT = "0123456789" * 4
#: Bytes of a large file that are sent at a time, with a pause after each.
PIECE, PAUSE = 1 << 18, 0.05
#: Bytes that a download has received when it is stopped.
BEGUN = 1 << 20


class Hub(http.server.ThreadingHTTPServer):
    """Serves the files of a folder as the repository ``owner/name``."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.ranges = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if "/api/models/owner/name/revision/" in self.path:
            names = [{"rfilename": name} for name in self.server.files]
            return self.send(json.dumps({"sha": COMMIT, "siblings": names}).encode(), 200, {})
        name = self.path.split("/resolve/")[-1].partition("/")[2]
        if name not in self.server.files:
            return self.send(b"", 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        content = self.server.files[name]
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        asked = self.headers.get("Range")
        if asked is None:
            return self.send(content, 200, headers)
        self.server.ranges.append(asked)
        start = int(asked[len("bytes=") : -1])
        place = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return self.send(content[start:], 206, {**headers, **place})

    def send(self, content, status, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for start in range(0, len(content), PIECE):
                self.wfile.write(content[start : start + PIECE])
                if len(content) > PIECE:
                    time.sleep(PAUSE)
        except OSError:
            pass  # The client has gone.


@pytest.fixture()
def hub():
    folder = Path(micse.SentenceEncoder("demo").folder)
    with Hub(folder) as server:
        yield server
        server.shutdown()


def run(program, hub, cache):
    """Runs a program with this Hub and cache; returns the finished process."""
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    variables = {"HF_ENDPOINT": endpoint, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={**os.environ, **variables}
    )


def test_a_download_shows_its_progress(hub, tmp_path):
    done = run("import micse; print(micse.SentenceEncoder('owner/name').encode('A dog runs.').shape)", hub, tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == "(256,)", done.stderr
    assert "model.safetensors" in done.stderr, done.stderr
    assert "config.json" not in done.stderr, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("call", ["micse.SentenceEncoder('owner/name')", "micse.train('owner/name', ['a', 'b'] * 50, 'run')"])
def test_ctrl_c_ends_a_download_that_goes_on_later(hub, tmp_path, call):
    cache = tmp_path / "cache"
    # Only the weights are larger than BEGUN, and most of them are still to come then.
    program = f"""
import os, pathlib, signal, threading, time, micse
os.chdir({str(tmp_path)!r})
def begun(part):
    try:
        return part.stat().st_size > {BEGUN}
    except FileNotFoundError:
        return False  # It was complete and was renamed.
def stop():
    cache = pathlib.Path({str(cache)!r})
    while not any(begun(part) for part in cache.rglob("*.incomplete")):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop, daemon=True).start()
try:
    {call}
except KeyboardInterrupt:
    print("stopped")
print(micse.SentenceEncoder("owner/name").encode("A dog runs.").shape)
"""
    done = run(program, hub, cache)
    assert done.stdout.split("\n")[:2] == ["stopped", "(256,)"], done.stdout + done.stderr
    # The second download asks for the rest alone.
    assert len(hub.ranges) == 1 and hub.ranges[0] != "bytes=0-", hub.ranges
