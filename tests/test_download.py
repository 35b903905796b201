"""Facts about stages/download.py and digits/fetch.py, from real servers on 127.0.0.1.

What they take, what they refuse, in what words.
"""

import gzip
import hashlib
import math
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from digits import datasets, fetch, idx, synthetic
from stages import download

ROOT = Path(__file__).parents[1]
RAW = Path("data/raw")
IMAGES = "train-images-idx3-ubyte"
WAYS_ON = ["set DATASET_MIRROR", "download.dataset=folder", "download.dataset=synthetic"]
LONGEST = fetch.ANSWER_SECONDS + sum(range(fetch.ROUNDS))  # seconds, with no mirror in reach
PUBLISHED = dict(datasets.PUBLISHED)
NEXT = "the next mirror is tried; else one line names it and says why"
NAMED = "one line names it and says why"
REFUSED = "one line names the file and what was found in it"
RIGHT = "the right files all the same"
INSIDE = "nothing is written or changed outside data/raw"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50


def idx_file(*shape: int) -> bytes:
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    return header + bytes(i % 10 for i in range(math.prod(shape)))


PLAIN = {
    "train-images-idx3-ubyte": idx_file(20, 5, 7),
    "train-labels-idx1-ubyte": idx_file(20),
    "t10k-images-idx3-ubyte": idx_file(12, 5, 7),
    "t10k-labels-idx1-ubyte": idx_file(12),
}
ZIPPED = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
SUMS = [hashlib.sha256(data).hexdigest() for data in ZIPPED.values()]

Handler = BaseHTTPRequestHandler
Answer = Callable[[Handler], None]
Serve = Callable[..., str]
Record = Callable[[str, object], None]


def fault(what: str, outcome: str) -> pytest.MarkDecorator:
    return pytest.mark.fault("download", what, outcome)


def many(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True)


EDITS = st.tuples(
    st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 4, 9999]), st.binary(max_size=4)
)


def damaged(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Bytes with some dropped and others put at each of some relative places."""
    for place, dropped, put in edits:
        at = int(place * len(data))
        data = data[:at] + put + data[at + dropped :]
    return data


@pytest.fixture(autouse=True)
def quick_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no environment of the user's, no mirror out there, and less patience."""
    monkeypatch.chdir(tmp_path)
    for name in [
        name for name in os.environ if name.lower().endswith("_proxy") or name == "DATASET_MIRROR"
    ]:
        monkeypatch.delenv(name)
    patience = {"ANSWER_SECONDS": 1, "OTHERS_SECONDS": 0.5, "STALL_SECONDS": 0.3, "ROUNDS": 1}
    for name, value in patience.items():
        monkeypatch.setattr(fetch, name, value)
    monkeypatch.setattr(datasets, "PUBLISHED", {})
    mirrors()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers HEAD, and GET as it is told; return its base URL."""
    servers = []

    def start(answer: Answer, certificate: Path | None = None) -> str:
        class Told(Handler):
            def do_HEAD(self) -> None:
                reply(self, b"")

            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        servers.append(server)
        return f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The base URL of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """A base URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def reply(handler: Handler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def files(contents: dict[str, bytes], asked: list[str] | None = None, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        name = handler.path.rpartition("/")[2]
        if asked is not None:
            asked.append(handler.path)
        reply(handler, contents[name], 200, **headers) if name in contents else reply(
            handler, b"", 404
        )

    return answer


def raw_bytes(data: bytes, then: float = 0) -> Answer:
    def answer(handler: Handler) -> None:
        handler.wfile.write(data)
        time.sleep(then)

    return answer


def write(folder: str | Path, contents: dict[str, bytes]) -> Path:
    Path(folder).mkdir(parents=True)
    for name, data in contents.items():
        Path(folder, name).write_bytes(data)
    return Path(folder)


def mirrors(*places: str) -> None:
    """Let these be the mirrors of MNIST."""
    a, b, c, d = SUMS
    datasets.PUBLISHED["mnist"] = datasets.Published(mirrors=places, sha256=(a, b, c, d))


def run(dataset: str = "mnist", **source: object) -> dict[str, bytes]:
    """Run the stage on a data set with these parameters; return what it leaves in data/raw."""
    params: Any = SimpleNamespace(
        download=SimpleNamespace(dataset=dataset),
        datasets=SimpleNamespace(**{dataset: SimpleNamespace(**source)}),
    )
    download.main(params)
    return {str(path.relative_to(RAW)): path.read_bytes() for path in RAW.rglob("*")}


def refusal(dataset: str = "mnist", **source: object) -> str:
    """Run the stage, which must leave nothing; return what it says, which must be in words."""
    with pytest.raises(SystemExit) as end:
        run(dataset, **source)
    message = str(end.value)
    assert not list(RAW.rglob("*"))
    assert not re.search(r"\wError|Errno|Pool|\('|<|Caused|None", message), message
    return message


def lines(message: str) -> dict[str, str]:
    """Where it looked -> the reason, of a message that must tell the three ways on."""
    listed, found, ways_on = message.partition("\nthree ways on:\n")
    assert found and all(
        way in line for way, line in zip(WAYS_ON, ways_on.splitlines(), strict=True)
    )
    return dict(line.strip().split(": ", 1) for line in listed.splitlines()[1:])


# The published data sets


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_data_set_has_mirrors_sums_and_an_entry_without_parameters(name: str) -> None:
    assert all(re.fullmatch(r"https?://\S+[^/]", mirror) for mirror in PUBLISHED[name].mirrors)
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in PUBLISHED[name].sha256)
    assert len(set(PUBLISHED[name].sha256)) == len(idx.FILES)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    assert params["datasets"][name] == {}


def test_the_names_of_the_published_data_sets_are_known_without_any_library() -> None:
    code = "import sys, digits.datasets; print({'numpy', 'pooch', 'requests'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "set()\n"


def test_whether_a_data_set_can_be_reached_is_told_by_the_exit_alone(
    serve: Serve, closed: str
) -> None:
    mirrors(closed, serve(files({})))
    fetch.reachable("mnist")
    mirrors(closed)
    with pytest.raises(SystemExit, match=f"{closed}: Connection refused\nthree ways on"):
        fetch.reachable("mnist")


# The user's own mirror


@pytest.mark.parametrize("form", ["{}", "{}/", "{}//", "file://{}"])
def test_dataset_mirror_may_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", form.format(tmp_path / "mirror"))
    assert run() == ZIPPED


@pytest.mark.parametrize("mirror", ["mirror", "./mirror", "~/mirror"])
def test_dataset_mirror_may_be_relative_or_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("DATASET_MIRROR", mirror)
    assert run() == ZIPPED


@pytest.mark.parametrize("end", ["", "/", "/deep/er"])
def test_dataset_mirror_may_be_a_base_url(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("DATASET_MIRROR", serve(files(ZIPPED, asked)) + end)
    assert run() == ZIPPED
    assert asked == [f"{end.rstrip('/')}/mnist/{name}" for name in ZIPPED]


def test_dataset_mirror_is_tried_before_all_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    mirrors(serve(files(ZIPPED, asked)))
    assert run() == ZIPPED and asked == []


def test_dataset_mirror_does_not_wait_for_mirrors_that_stay_silent(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 20)
    mirrors(silent)
    start = time.monotonic()
    assert run() == ZIPPED and time.monotonic() - start < fetch.OTHERS_SECONDS + 0.5


WRONG = hashlib.sha256(b"wrong").hexdigest()
MIRROR_FAULTS: dict[str, tuple[dict[str, bytes] | None, str]] = {
    "wrong bytes": (dict.fromkeys(ZIPPED, b"wrong"), f"its SHA-256 is {WRONG}, not"),
    "files not gzipped": (PLAIN, "No such file or directory"),
    "no file": ({}, "No such file or directory"),
    "no folder": (None, "No such file or directory"),
}


@fault("the folder DATASET_MIRROR lacks the right files", NEXT)
@pytest.mark.parametrize("contents, words", MIRROR_FAULTS.values(), ids=MIRROR_FAULTS)
def test_a_folder_without_the_right_files_gives_way_to_the_next_mirror(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes] | None, words: str
) -> None:
    if contents is not None:
        write("mirror/mnist", contents)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    where, why = next(iter(lines(refusal()).items()))
    assert where in ("mirror/mnist", f"mirror/mnist/{IMAGES}.gz") and why.startswith(words)
    mirrors(serve(files(ZIPPED)))
    assert run() == ZIPPED


@fault("the folder DATASET_MIRROR holds folders in place of files", NEXT)
def test_a_folder_in_place_of_a_file_gives_way_to_the_next_mirror(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ZIPPED:
        write(f"mirror/mnist/{name}", {})
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    assert lines(refusal()) == {f"mirror/mnist/{IMAGES}.gz": "Is a directory"}
    mirrors(serve(files(ZIPPED)))
    assert run() == ZIPPED


@fault("DATASET_MIRROR is neither a folder nor a URL that can be used", NAMED)
@pytest.mark.parametrize(
    "mirror, why",
    [
        ("example.org/data", "No such file or directory"),
        ("a-file", "Not a directory"),
        ("http://a..b", "Failed to parse: 'a..b', label empty or too long"),
        ("http://[::1", "Failed to parse: '[::1' is not a valid host or port"),
        ("ftp://example.org", "No connection adapters were found for 'ftp://example.org/mnist'"),
    ],
)
def test_a_dataset_mirror_that_is_none_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, mirror: str, why: str
) -> None:
    Path("a-file").touch()
    monkeypatch.setenv("DATASET_MIRROR", mirror)
    assert lines(refusal()) == {f"{mirror.rstrip('/')}/mnist": why}


# Servers with faults, which do answer


def loop(handler: Handler) -> None:
    reply(handler, b"", 302, Location=handler.path)


def elsewhere(handler: Handler) -> None:
    reply(handler, b"", 302, Location="file:///etc/passwd")


def late(handler: Handler) -> None:
    time.sleep(1)
    with suppress(ConnectionError):
        files(ZIPPED)(handler)


def html(handler: Handler) -> None:
    reply(handler, b"<!DOCTYPE html><title>Sign in</title>")


def turned(handler: Handler) -> None:
    reply(handler, FIRST[::-1])


def status(code: int) -> Answer:
    return lambda handler: reply(handler, b"", code)


FIRST = ZIPPED[f"{IMAGES}.gz"]
WRONG_SUM = "its SHA-256 is [0-9a-f]{64}, not the one in digits/datasets.py"
FAULTS: dict[str, tuple[Answer, str]] = {
    "answers past the time-out": (late, "it sent nothing for too long"),
    "stalls half-way": (raw_bytes(HALF, then=1), "it sent nothing for too long"),
    "cuts off half-way": (raw_bytes(HALF), "the connection broke off"),
    "cuts off half-way through a chunk": (
        raw_bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
        "the connection broke off",
    ),
    "cuts off half-way, of a length that it does not say": (
        raw_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + FIRST[:30]),
        WRONG_SUM,
    ),
    "says a greater length than it sends": (
        raw_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + FIRST),
        "the connection broke off",
    ),
    "hangs up without a word": (raw_bytes(b""), "the connection broke off"),
    "speaks another protocol": (raw_bytes(b"SSH-2.0-OpenSSH_9.2\r\n"), "the connection broke off"),
    "answers 200 with a web page": (html, WRONG_SUM),
    "has wrong bytes of the right length": (turned, WRONG_SUM),
    "answers 404": (status(404), "404 Client Error: Not Found"),
    "answers 403": (status(403), "403 Client Error: Forbidden"),
    "answers 503": (status(503), "503 Server Error: Service Unavailable"),
    "sends what would clear a terminal": (
        raw_bytes(b"HTTP/1.1 404 No\x1b[2J\rx\r\nContent-Length: 0\r\n\r\n"),
        r"404 Client Error: No \[2J x",
    ),
    "redirects in a circle": (loop, r"Exceeded 30 redirects\."),
    "redirects to a file of this computer": (
        elsewhere,
        "No connection adapters were found for 'file:///etc/passwd'",
    ),
}
FAULTY = [
    pytest.param(*FAULTS[name], id=name, marks=fault(f"the server {name}", NEXT)) for name in FAULTS
]


@pytest.mark.parametrize("answer, words", FAULTY)
def test_a_mirror_with_a_fault_is_named_with_its_reason_and_gives_way_to_the_next(
    serve: Serve, answer: Answer, words: str
) -> None:
    place = serve(answer)
    mirrors(place)
    [(where, why)] = lines(refusal()).items()
    assert where == f"{place}/{IMAGES}.gz" and re.fullmatch(words, why)

    download.PARTIAL.mkdir(parents=True)
    candidates = [where, serve(files(ZIPPED)) + f"/{IMAGES}.gz"]
    fetch.fetch_first(candidates, download.PARTIAL, SUMS[0], {})
    assert (download.PARTIAL / f"{IMAGES}.gz").read_bytes() == FIRST


@fault("the server answers 503, then as it should", "it is asked again: the right files")
def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([status(503)])
    mirrors(serve(lambda handler: next(answers, files(ZIPPED))(handler)))
    monkeypatch.setattr(fetch, "ROUNDS", 2)
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    assert run() == ZIPPED and 1 in waited


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nContent-Length: %d\r\n\r\n" % len(
    FIRST
)
ANSWERS = [
    HEAD + FIRST,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(FIRST), FIRST),
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/../x?y#z\r\n"
    b"Set-Cookie: a=b; Path=/\r\n\r\n",
]
LINES = [
    b"Content-Length: -1\r\n",
    b"Content-Encoding: br\r\n",
    b"Location: http://[::1\r\n",
    b"Location: //\xff\r\n",
]


@fault(
    "the server's answer is damaged at random", "the right bytes, or one line names it and says why"
)
@pytest.mark.parametrize("examples", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_damaged_answer_gives_the_right_bytes_or_a_line(
    serve: Serve, record_property: Record, examples: int
) -> None:
    answer = b""
    tried = 0
    where = serve(lambda handler: raw_bytes(answer)(handler)) + f"/{IMAGES}.gz"
    download.PARTIAL.mkdir(parents=True)

    @seed(examples)
    @many(examples)
    @given(st.sampled_from(ANSWERS), st.lists(EDITS, max_size=2), st.sampled_from([b"", *LINES]))
    def test(whole: bytes, edits: list[tuple[float, int, bytes]], line: bytes) -> None:
        nonlocal answer, tried
        answer = damaged(whole.replace(b"\r\n", b"\r\n" + line, 1), edits)
        tried += 1
        try:
            fetch.fetch_first([where], download.PARTIAL, SUMS[0], {})
        except SystemExit as end:
            assert list(lines(str(end))) == [where]
        else:
            assert (download.PARTIAL / f"{IMAGES}.gz").read_bytes() == FIRST

    test()
    record_property("cases", tried)


@fault("a file of known SHA-256 is damaged at random", "its SHA-256 tells: it is refused")
def test_no_damaged_file_has_the_right_sum(record_property: Record) -> None:
    tried = 0
    file = write("mirror", {}) / f"{IMAGES}.gz"

    @many(500)
    @given(st.lists(EDITS, min_size=1, max_size=3))
    def test(edits: list[tuple[float, int, bytes]]) -> None:
        nonlocal tried
        data = damaged(FIRST, edits)
        assume(data != FIRST)
        tried += 1
        shutil.rmtree(download.PARTIAL, ignore_errors=True)
        download.PARTIAL.mkdir(parents=True)
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        with pytest.raises(ValueError, match=WRONG_SUM):
            fetch.fetch(str(file), download.PARTIAL, SUMS[0])
        assert not (download.PARTIAL / file.name).exists()

    test()
    record_property("cases", tried)


def test_a_redirect_to_the_file_is_followed(serve: Serve) -> None:
    there = serve(files(ZIPPED))
    mirrors(serve(lambda handler: reply(handler, b"", 302, Location=there + handler.path)))
    assert run() == ZIPPED


@fault("the server calls gzip an encoding", RIGHT)
def test_a_server_that_calls_gzip_an_encoding_gives_the_same_bytes(serve: Serve) -> None:
    mirrors(serve(files(ZIPPED, Content_Encoding="x-gzip")))
    assert run() == ZIPPED


def test_a_mirror_that_answers_but_stalls_costs_one_time_out_in_each_round(serve: Serve) -> None:
    mirrors(serve(raw_bytes(HALF, then=2)), serve(raw_bytes(b"", then=2)))
    start = time.monotonic()
    assert len(lines(refusal())) == 2
    assert time.monotonic() - start < 2 * fetch.STALL_SECONDS + 0.5


# No mirror in reach


def no_such_name(*_: object, **__: object) -> list:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def slow_name(*_: object, **__: object) -> list:
    time.sleep(5)
    return []


@fault("the server refuses the connection", NEXT)
def test_refused_connections_end_at_once_and_are_named(closed: str) -> None:
    mirrors(closed, f"{closed}/other")
    start = time.monotonic()
    assert lines(refusal()) == {
        closed: "Connection refused",
        f"{closed}/other": "Connection refused",
    }
    assert time.monotonic() - start < 0.5


@fault("the server refuses the connection", NEXT)
def test_a_refused_connection_gives_way_to_the_next_mirror(serve: Serve, closed: str) -> None:
    mirrors(closed, serve(files(ZIPPED)))
    assert run() == ZIPPED


@fault("the server's name does not resolve", NAMED)
def test_names_that_do_not_resolve_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    mirrors("http://one.example", "https://two.example")
    assert set(lines(refusal()).values()) == {"its name does not resolve"}


@fault("the server takes the connection and says nothing", "one line says so in time")
def test_packets_that_vanish_end_in_time(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors(silent, f"{silent}/other", f"{silent}/third")
    start = time.monotonic()
    assert set(lines(refusal()).values()) <= {
        "no answer within 1 s",
        "it sent nothing for too long",
    }
    assert time.monotonic() - start < 1.5


@fault("the look-up of the server's name blocks", "one line says so in time")
def test_a_name_that_blocks_for_long_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", slow_name)
    mirrors("http://one.example", "https://two.example")
    start = time.monotonic()
    assert set(lines(refusal()).values()) == {"no answer within 1 s"}
    assert time.monotonic() - start < 1.5


def test_an_own_mirror_without_the_files_does_not_lengthen_the_wait(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("mirror/mnist", {})
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    mirrors(silent)
    start = time.monotonic()
    assert lines(refusal()) == {
        silent: "no answer within 1 s",
        f"mirror/mnist/{IMAGES}.gz": "No such file or directory",
    }
    assert time.monotonic() - start < 1.5


def test_with_no_mirror_in_reach_the_stage_ends_within_30_seconds() -> None:
    assert LONGEST < 30 - 5  # 5: to import, and to spare


@fault("each mirror has another fault", "a line for each names it and says why")
def test_every_mirror_is_named_whatever_its_fault(
    serve: Serve, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = serve(status(404))
    monkeypatch.setenv("DATASET_MIRROR", "nowhere")
    mirrors(missing, closed)
    assert lines(refusal()) == {
        "nowhere/mnist": "No such file or directory",
        closed: "Connection refused",
        f"{missing}/{IMAGES}.gz": "404 Client Error: Not Found",
    }


def test_a_mirror_named_twice_is_asked_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    place = serve(files({}, asked))
    monkeypatch.setenv("DATASET_MIRROR", place)
    mirrors(f"{place}/mnist")
    assert len(lines(refusal())) == len(asked) == 1


@fault("the proxy is out of reach", "one line blames it, not the mirror")
def test_a_proxy_out_of_reach_is_blamed_and_not_the_mirror(
    closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", closed)
    mirrors("http://mirror.example")
    assert lines(refusal()) == {
        "http://mirror.example": "the proxy that the environment names cannot be used"
    }


def test_a_proxy_of_the_environment_is_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", serve(files(ZIPPED)))
    mirrors("http://mirror.example")
    assert run() == ZIPPED


@fault("the server speaks no HTTPS, or has no certificate that can be trusted", NAMED)
def test_a_server_without_https_is_said_to_have_none(serve: Serve) -> None:
    place = serve(files(ZIPPED)).replace("http:", "https:")
    mirrors(place)
    assert lines(refusal()) == {place: "it speaks no HTTPS that can be trusted"}


@fault("the server speaks no HTTPS, or has no certificate that can be trusted", NAMED)
@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_certificate_that_nobody_signed_is_not_trusted(serve: Serve) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    written = ["-keyout", "one.pem", "-out", "two.pem"]
    subprocess.run([*command.split(), *written], check=True, capture_output=True)
    Path("both.pem").write_text(Path("one.pem").read_text() + Path("two.pem").read_text())
    place = serve(files(ZIPPED), Path("both.pem"))
    mirrors(place)
    assert lines(refusal()) == {place: "it speaks no HTTPS that can be trusted"}


# The user's own files


@pytest.mark.parametrize(
    "contents", [PLAIN, ZIPPED, {IMAGES: PLAIN[IMAGES], **dict(list(ZIPPED.items())[1:])}]
)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_folder_gives_its_bytes_as_they_are(
    tmp_path: Path, contents: dict[str, bytes], absolute: bool
) -> None:
    write("own", {**contents, "notes.txt": b"not for the stage"})
    assert run("folder", path=str(tmp_path / "own") if absolute else "own") == contents


def test_a_url_gives_its_bytes_as_they_are(serve: Serve) -> None:
    assert run("url", base=serve(files(PLAIN))) == PLAIN
    assert run("url", base=serve(files(ZIPPED)) + "/deep/") == ZIPPED
    assert run("url", base=serve(files({**PLAIN, **ZIPPED}))) == ZIPPED


def test_own_images_may_have_any_size(serve: Serve) -> None:
    contents = {**PLAIN, IMAGES: idx_file(20, 64, 3)}
    write("own", contents)
    assert run("folder", path="own") == contents
    assert run("url", base=serve(files(contents))) == contents


def test_a_url_that_a_server_zips_on_the_way_is_still_read(serve: Serve) -> None:
    def zips(handler: Handler) -> None:
        name = handler.path[1:]
        if name in PLAIN:
            reply(handler, gzip.compress(PLAIN[name]), Content_Encoding="gzip")
        else:
            reply(handler, b"", 404)

    for name, data in run("url", base=serve(zips)).items():
        assert gzip.decompress(data) == PLAIN[name]
        assert [*idx.read(RAW / name, 3 if "images" in name else 1)[1]]


def test_data_raw_itself_may_be_the_folder() -> None:
    write(RAW, PLAIN)
    assert run("folder", path=str(RAW)) == PLAIN


DAMAGED = {
    "nothing in it": (b"", "found nothing"),
    "a web page": (b"<html>", "found 3c 68 74 6d"),
    "half of it": (FIRST[: len(FIRST) // 2], "expected an intact gzip file"),
    "a bit that flipped": (
        FIRST[:-5] + bytes([FIRST[-5] ^ 1]) + FIRST[-4:],
        "expected an intact gzip file",
    ),
    "a byte less": (gzip.compress(PLAIN[IMAGES][:-1]), "expected 700 bytes of data, found 699"),
    "a byte more": (gzip.compress(PLAIN[IMAGES] + b"x"), "expected 700 bytes of data, found more"),
    "labels": (gzip.compress(idx_file(20)), "found 00 00 08 01"),
}
ZEROS = gzip.compress(bytes(20_000_000), 1)
BOMBS = {
    "zeros": (ZEROS, "found 00 00 00 00"),
    "zeros behind good images": (
        gzip.compress(PLAIN[IMAGES], 1) + ZEROS,
        "expected 700 bytes of data, found more",
    ),
    "zeros zipped twice": (gzip.compress(ZEROS, 1), "found 1f 8b 08 00"),
}
HARM = fault("a file of the user's own is damaged", REFUSED)
BOMB = fault("a gzip bomb: 20 MB of zeros", f"{REFUSED}; it takes less than 2 MB of memory")


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Tell how much memory Python took at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize(
    "data, words",
    [pytest.param(*DAMAGED[name], id=name, marks=HARM) for name in DAMAGED]
    + [pytest.param(*BOMBS[name], id=name, marks=BOMB) for name in BOMBS],
)
def test_a_damaged_file_of_the_users_own_is_refused_at_once_by_its_name(
    serve: Serve, record_property: Record, peak: Callable[[], int], data: bytes, words: str
) -> None:
    contents = {**ZIPPED, f"{IMAGES}.gz": data}
    write("own", contents)
    plain, encoded = serve(files(contents)), serve(files(contents, Content_Encoding="gzip"))
    start = time.monotonic()
    told = {"own": refusal("folder", path="own")} | {
        base: refusal("url", base=base) for base in (plain, encoded)
    }
    assert time.monotonic() - start < 1 and peak() < 2_000_000
    for where, message in told.items():
        assert (
            message.startswith(f"{where}/{IMAGES}.gz: expected ")
            and words in message
            and "\n" not in message
        )
    record_property("cases", len(told))


@fault("a folder holds neither FILE nor FILE.gz, or both", NAMED)
@pytest.mark.parametrize("contents, found", [({}, "neither"), ({**PLAIN, **ZIPPED}, "both")])
def test_a_folder_must_hold_each_file_in_one_form(contents: dict[str, bytes], found: str) -> None:
    write("own", contents)
    assert refusal("folder", path="own") == f"own: expected {IMAGES} or {IMAGES}.gz, found {found}"


@fault("a folder is not there", NAMED)
def test_a_folder_that_is_not_there_is_named() -> None:
    assert refusal("folder", path="own").startswith(f"own: expected {IMAGES}")


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_link_counts_as_its_file_and_a_circle_of_links_as_none() -> None:
    write("own", {})
    for name in write("there", PLAIN).iterdir():
        Path("own", name.name).symlink_to(name.absolute())
    assert run("folder", path="own") == PLAIN and not any(
        path.is_symlink() for path in RAW.iterdir()
    )
    shutil.rmtree(RAW)
    Path("own", IMAGES).unlink()
    Path("own", IMAGES).symlink_to(IMAGES)
    assert refusal("folder", path="own").endswith("found neither")


@fault("the user's own URL has nothing", "a line for each name that was tried")
def test_a_url_with_nothing_there_names_both_forms(serve: Serve) -> None:
    base = serve(status(404))
    assert lines(refusal("url", base=base)) == {
        f"{base}/{IMAGES}.gz": "404 Client Error: Not Found",
        f"{base}/{IMAGES}": "404 Client Error: Not Found",
    }


@fault("the user's own URL is out of reach", NAMED)
def test_a_url_out_of_reach_is_named(closed: str) -> None:
    assert lines(refusal("url", base=f"{closed}/")) == {closed: "Connection refused"}


# Ways out of the folder


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder deep inside another, which is returned."""
    project = tmp_path / "a/b/c/project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    return tmp_path


def outside(deep: Path) -> dict[str, bytes]:
    """What lies outside data/raw, as far as a way out could lead."""
    found = [
        path for path in deep.rglob("*") if path.is_file() and RAW.absolute() not in path.parents
    ]
    return {str(path): path.read_bytes() for path in found}


@fault("a URL leads upwards (/../..)", INSIDE)
@pytest.mark.parametrize(
    "way", ["/..", "/../../../evil", "/%2e%2e/%2e%2e", "/..%2f..%2fevil", r"/..\..", "/?file=../.."]
)
def test_no_url_leads_out_of_the_folder(serve: Serve, deep: Path, way: str) -> None:
    assert run("url", base=serve(files(ZIPPED)) + way) == ZIPPED and outside(deep) == {}


@fault("a redirect leads upwards", INSIDE)
def test_no_redirect_leads_out_of_the_folder(serve: Serve, deep: Path) -> None:
    there = serve(files(ZIPPED))
    mirrors(
        serve(
            lambda handler: reply(
                handler, b"", 302, Location=f"{there}/x?to=../../evil&file=..{handler.path}"
            )
        )
    )
    assert run() == ZIPPED and outside(deep) == {}


@fault("the server wants another name for a file", INSIDE)
@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "..\\..\\evil", "evil"])
def test_no_server_can_choose_the_name_of_a_file(serve: Serve, deep: Path, name: str) -> None:
    mirrors(serve(files(ZIPPED, Content_Disposition=f'attachment; filename="{name}"')))
    assert run() == ZIPPED and outside(deep) == {}


@fault("links in the user's folder or in data/raw lead elsewhere", INSIDE)
@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_no_link_leads_out_of_the_folder(deep: Path) -> None:
    own, precious = (
        write(deep / "own", {}),
        write(deep / "precious", {name: b"precious" for name in ZIPPED}),
    )
    for name in write(deep / "there", ZIPPED).iterdir():
        (own / name.name).symlink_to(f"../there/{name.name}")
    write(RAW, {})
    for name in precious.iterdir():
        (RAW / name.name).symlink_to(name)
    before = outside(deep)
    assert run("folder", path="../../../../own") == ZIPPED and outside(deep) == before
    assert not any(path.is_symlink() for path in RAW.iterdir())


@fault("data/raw/.partial is a link that leads elsewhere", f"{NAMED}; {INSIDE}")
@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_link_in_place_of_the_scratch_folder_is_refused(deep: Path) -> None:
    write("own", ZIPPED)
    write(deep / "precious", {"scratch": b"precious"})
    write(RAW, {})
    download.PARTIAL.symlink_to(deep / "precious")
    done = program(["-m", "stages", "download"], {"folder": {"path": "own"}})
    assert (done.returncode, done.stderr) == (1, "data/raw/.partial: File exists\n")
    assert [path.read_bytes() for path in (deep / "precious").iterdir()] == [b"precious"]


# Digits that are drawn


def test_synthetic_digits_are_four_plain_files_that_depend_on_the_seed_alone() -> None:
    first, again, other = (run("synthetic", train=30, test=10, seed=seed) for seed in (0, 0, 1))
    assert set(first) == set(idx.FILES.values())
    assert first == again and all(first[name] != other[name] for name in first)
    shapes = [idx.read(RAW / name, 3 if "images" in name else 1)[0] for name in idx.FILES.values()]
    assert shapes == [(30, 28, 28), (30,), (10, 28, 28), (10,)]


# What was there before


@fault("files of an earlier run, whole or half-written, lie in data/raw", "they are replaced")
@pytest.mark.parametrize(
    "old", [PLAIN, {name: b"old" for name in ZIPPED}, {f".{name}.partial": b"" for name in ZIPPED}]
)
def test_what_an_earlier_run_left_is_replaced(serve: Serve, old: dict[str, bytes]) -> None:
    write(RAW, {**old, "tmpk3v7q0ab": b"half"})
    write(download.PARTIAL, {"scratch": b"half", "t10k-labels-idx1-ubyte": b"half"})
    mirrors(serve(files(ZIPPED)))
    assert run() == ZIPPED


def test_own_files_are_fetched_anew_though_files_of_their_names_are_there(serve: Serve) -> None:
    write(RAW, {name: b"old" for name in ZIPPED})
    assert run("url", base=serve(files(ZIPPED))) == ZIPPED


@fault("the server has three of the four files", "one line; data/raw stays as it was")
def test_a_run_that_fails_halfway_leaves_what_was_there_before(serve: Serve) -> None:
    old = {name: b"old" for name in ZIPPED}
    write(RAW, old)
    mirrors(serve(files(dict(list(ZIPPED.items())[:3]))))
    with pytest.raises(SystemExit):
        run()
    assert {path.name: path.read_bytes() for path in RAW.rglob("*")} == old


@fault("Ctrl-C while digits are drawn", "no half-written file stays")
def test_a_run_that_is_interrupted_leaves_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("synthetic", train=30, test=10, seed=0)
    assert not list(RAW.rglob("*"))


# The stage as a program


def program(
    arguments: list[str], change: dict[str, object], **options: int
) -> subprocess.CompletedProcess[str]:
    params = YAML().load(ROOT / "params.yaml")
    params["download"]["dataset"] = next(iter(change))
    params["datasets"].update(change)
    YAML().dump(params, Path("params.yaml"))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, *arguments], env=env, text=True, **options)  # type: ignore[call-overload]


def test_the_program_is_silent_where_nobody_watches() -> None:
    write("own", ZIPPED)
    done = program(["-m", "stages", "download"], {"folder": {"path": "own"}})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name: path.read_bytes() for path in RAW.rglob("*")} == ZIPPED


@fault("the user's own URL answers 200 with a web page", f"status 1; {REFUSED}")
def test_the_program_ends_with_status_1_and_one_line(serve: Serve) -> None:
    base = serve(html)
    done = program(["-m", "stages", "download"], {"url": {"base": base}})
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"{base}/{IMAGES}.gz: expected an IDX file of .*, found 3c 21 44 4f\n", done.stderr
    )


def test_the_program_ends_in_time_though_a_name_still_blocks() -> None:
    code = (
        "import socket, time; from digits import fetch; from stages import __main__;"
        "fetch.ANSWER_SECONDS = 0.5;"
        "socket.getaddrinfo = lambda *_: time.sleep(60); __main__.run('download')"
    )
    start = time.monotonic()
    done = program(["-c", code], {"mnist": {}})
    assert time.monotonic() - start < 5
    assert done.returncode == 1
    assert done.stderr.startswith("no source of the data set could be used:\n  https://")
    assert set(lines(done.stderr.rstrip()).values()) == {"no answer within 0.5 s"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")
@pytest.mark.parametrize("dataset, bars", [("url", 4), ("synthetic", 2)])
def test_a_terminal_shows_one_progress_bar_for_each_file_or_set(
    serve: Serve, dataset: str, bars: int
) -> None:
    import termios

    url, drawn = {"base": serve(files(ZIPPED))}, {"train": 30, "test": 10, "seed": 0}
    change = {"url": url, "synthetic": drawn}[dataset]

    controller, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    done = program(["-m", "stages", "download"], {dataset: change}, stderr=terminal)
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    os.close(controller)
    assert done.returncode == 0 and done.stdout == ""
    last_states = [line.rpartition("\r")[2] for line in shown.split("\r\n")[:-1]]
    assert len(last_states) == bars and all("100%" in state for state in last_states)
