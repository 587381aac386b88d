"""What the API server answers, read over real connections."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from detour.kube.cluster import Cluster

BUNDLE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "authorities", "namespace": "shop"},
    "data": {"ca.crt": f"# F\u0151tan\u00fas\u00edtv\u00e1ny\n{BUNDLE}"},
    "binaryData": {
        "latin1.crt": base64.b64encode(f"# Gesch\u00e4ft\n{BUNDLE}".encode("latin-1")).decode(),
        "utf16.crt": base64.b64encode(f"# Gesch\u00e4ft\r\n{BUNDLE}".encode("utf-16")).decode(),
        "broken": "A",
    },
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[str]:
    """A server that has one ConfigMap, and the file that leads to it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(CONFIG_MAP).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "test", "user": {"token": "x"}}],
            }
        )
    )
    yield str(path)
    server.shutdown()
    server.server_close()


@pytest.mark.slow
async def test_a_config_map_gives_its_text_and_what_is_no_utf8_as_text_too(kubeconfig: str) -> None:
    cluster = Cluster(kubeconfig)
    try:
        found = await cluster.read_config_map("shop", "authorities")
    finally:
        cluster.close()
    assert found["ca.crt"] == CONFIG_MAP["data"]["ca.crt"]  # type: ignore[index]  # a literal above
    assert BUNDLE in found["latin1.crt"]
    assert BUNDLE in found["utf16.crt"]
    assert found["broken"] == ""


@pytest.mark.slow
def test_threads_that_connect_at_the_same_time_do_not_meet_in_the_import_of_the_library(tmp_path: Path) -> None:
    """Python breaks a circle of import locks by failing one of the threads; each begins with the library not loaded."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    program = """
import sys, threading
from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.model.objects import Kind

cluster, told = Cluster(sys.argv[1]), set()

def ask():
    try:
        cluster.list_now(Kind.DNS_ZONE)
    except Exception as error:
        told.add(str(error))

threads = [threading.Thread(target=ask) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(*sorted(told), sep="\\n")
"""
    command = [sys.executable, "-c", program, str(tmp_path / "config")]
    for _ in range(6):  # without the lock two of five runs fail
        ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert ended.stdout == "the API server cannot be reached (NewConnectionError)\n"
