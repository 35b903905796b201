"""Facts about stages/download.py and digits/fetch.py, from real servers on 127.0.0.1.

What they take, what they refuse, in what words.
"""

import gzip
import hashlib
import json
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

import numpy as np
import pytest
from conftest import Project
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from digits import datasets, fetch, idx, synthetic
from stages import download

ROOT = Path(__file__).parents[1]
FOLDER, RAW = idx.FOLDER, Path("data/raw")
IMAGES, KEY = "train-images-idx3-ubyte", ("train", "images")
WAYS_ON = [
    "data/raw",
    "set DATASET_MIRROR",
    "download.dataset=folder",
    "download.dataset=synthetic",
]
PUBLISHED = dict(datasets.PUBLISHED)
NEXT = "the next mirror is tried; else one line names it and says why"
NAMED = "one line names it and says why"
REFUSED = "one line names the file and what was found in it"
RIGHT = "the right files all the same"
INSIDE = "nothing is written or changed outside data/idx"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50


def idx_file(*shape: int) -> bytes:
    """Images of all values, or labels of ten classes."""
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    return header + bytes(i % (10 if len(shape) == 1 else 256) for i in range(math.prod(shape)))


PLAIN = {
    "train-images-idx3-ubyte": idx_file(20, 5, 7),
    "train-labels-idx1-ubyte": idx_file(20),
    "t10k-images-idx3-ubyte": idx_file(12, 5, 7),
    "t10k-labels-idx1-ubyte": idx_file(12),
}
ZIPPED = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
SUMS = {name: hashlib.sha256(data).hexdigest() for name, data in {**PLAIN, **ZIPPED}.items()}

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
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
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
def closed() -> Iterator[str]:
    """A base URL where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


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
    publish(PLAIN, places)


def publish(contents: dict[str, bytes], places: tuple[str, ...]) -> None:
    a, b, c, d = (SUMS[name] for name in contents)
    datasets.PUBLISHED["mnist"] = datasets.Published(
        classes=datasets.DIGITS, mirrors=places, sha256=(a, b, c, d), torchvision="MNIST"
    )


def run(dataset: str = "mnist", **source: object) -> dict[str, bytes]:
    """Run the stage on a data set with these parameters; return the IDX files that it leaves."""
    own = {"image_size": None, "colour": None, "test_share": 0.2} if dataset == "folder" else {}
    source = {**own, **source}
    params: Any = SimpleNamespace(
        download=SimpleNamespace(dataset=dataset),
        datasets=SimpleNamespace(**{dataset: SimpleNamespace(**source)}),
    )
    download.main(params)
    written = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    written.pop("dataset.json")
    return written


def refusal(dataset: str = "mnist", **source: object) -> str:
    """Run the stage, which must leave nothing; return what it says, which must be in words."""
    with pytest.raises(SystemExit) as end:
        run(dataset, **source)
    message = str(end.value)
    assert not FOLDER.exists() and not list(Path("data").glob("partial*"))
    assert not re.search(r"\wError|Errno|Pool|\('|<|Caused|None", message), message
    return message


def lines(message: str) -> dict[str, str]:
    """Where it looked -> the reason, of a message that must tell the three ways on."""
    listed, found, ways_on = message.partition("\nfour ways on:\n")
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
    assert len(set(PUBLISHED[name].classes)) == 10


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
    with pytest.raises(SystemExit, match=f"{closed}: Connection refused\nfour ways on"):
        fetch.reachable("mnist")


# The user's own mirror


@pytest.mark.parametrize("form", ["{}", "{}/", "{}//", "file://{}"])
def test_dataset_mirror_may_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", form.format(tmp_path / "mirror"))
    assert run() == PLAIN


@pytest.mark.parametrize("mirror", ["mirror", "./mirror", "~/mirror"])
def test_dataset_mirror_may_be_relative_or_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("DATASET_MIRROR", mirror)
    assert run() == PLAIN


@pytest.mark.parametrize("end", ["", "/", "/deep/er"])
def test_dataset_mirror_may_be_a_base_url(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("DATASET_MIRROR", serve(files(ZIPPED, asked)) + end)
    assert run() == PLAIN
    assert asked == [f"{end.rstrip('/')}/mnist/{name}" for name in ZIPPED]


def test_dataset_mirror_is_tried_before_all_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    mirrors(serve(files(ZIPPED, asked)))
    assert run() == PLAIN and asked == []


def test_dataset_mirror_does_not_wait_for_mirrors_that_stay_silent(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("mirror/mnist", ZIPPED)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 20)
    mirrors(silent)
    start = time.monotonic()
    assert run() == PLAIN and time.monotonic() - start < fetch.ANSWER_SECONDS / 2


LACKS = f"as a folder, it lacks the right {IMAGES}"
NO_IDX = "expected an IDX file of images (00 00 08 03 or 00 00 08 04), found "
OTHER = {name: data[:-1] + b"x" for name, data in PLAIN.items()}
MIRROR_FAULTS: dict[str, tuple[dict[str, bytes] | None, str]] = {
    "no IDX files": (dict.fromkeys(ZIPPED, b"wrong"), NO_IDX),
    "other IDX files": (OTHER, "its content has the SHA-256 "),
    "no file": ({}, LACKS),
    "no folder": (None, LACKS),
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
    assert where in ("mirror", f"mirror/mnist/{IMAGES}", f"mirror/mnist/{IMAGES}.gz")
    assert why.startswith(words)
    mirrors(serve(files(ZIPPED)))
    assert run() == PLAIN


@fault("the folder DATASET_MIRROR holds folders in place of files", NEXT)
def test_a_folder_in_place_of_a_file_gives_way_to_the_next_mirror(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ZIPPED:
        write(f"mirror/mnist/{name}", {})
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    assert lines(refusal()) == {"mirror": LACKS}
    mirrors(serve(files(ZIPPED)))
    assert run() == PLAIN


@fault("DATASET_MIRROR is neither a folder nor a URL that can be used", NAMED)
@pytest.mark.parametrize(
    "mirror, why",
    [
        ("example.org/data", LACKS),
        ("a-file", LACKS),
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
    [(where, told)] = lines(refusal()).items()
    assert told == why and where == (f"{mirror}/mnist" if "://" in mirror else mirror)


# Files that lie on this machine already


def keras_archive(path: Path, contents: dict[str, bytes] = PLAIN) -> None:
    """An archive of the arrays x_train, y_train, x_test, y_test, as Keras keeps MNIST."""
    path.parent.mkdir(parents=True)
    scratch = write("scratch", contents)
    arrays: dict[str, Any] = {}
    for (split, kind), name in idx.FILES.items():
        chunks = idx.read(scratch / name, kind)[1]
        arrays[f"{'x' if kind == 'images' else 'y'}_{split}"] = np.concatenate(list(chunks))
    np.savez_compressed(path, **arrays)


PLACES = ["data/raw", "data/raw/mnist", "data", "data/MNIST/raw", "data/raw/MNIST/raw"]
PLACES += ["home/data/MNIST/raw", "home/.keras/datasets/mnist", "mirror", "mirror/MNIST/raw"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("contents", [PLAIN, ZIPPED, {**PLAIN, **ZIPPED}])
def test_the_right_files_on_this_machine_are_used_and_stay(
    closed: str, monkeypatch: pytest.MonkeyPatch, place: str, contents: dict[str, bytes]
) -> None:
    folder = write(place, contents)
    mirrors(closed)
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    fetch.reachable("mnist")
    assert run() == PLAIN
    assert {path.name: path.read_bytes() for path in folder.glob("*byte*")} == contents


@pytest.mark.parametrize("place", ["home/.keras/datasets", "data/raw"])
def test_the_archive_of_keras_gives_the_same_bytes(closed: str, place: str) -> None:
    keras_archive(Path(place, "mnist.npz"))
    mirrors(closed)
    fetch.reachable("mnist")
    assert run() == PLAIN


def test_files_of_several_places_are_put_together(serve: Serve) -> None:
    names = list(PLAIN)
    write(RAW, {names[0]: PLAIN[names[0]]})
    write("data/MNIST/raw", {f"{names[1]}.gz": gzip.compress(PLAIN[names[1]], 1)})
    mirrors(serve(files({name: PLAIN[name] for name in names[2:]})))
    assert run() == PLAIN


@fault("files put into data/raw by hand are wrong", "they stay; one line names each and says why")
def test_wrong_files_of_a_person_are_named_and_stay(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**PLAIN, IMAGES: OTHER[IMAGES], f"{IMAGES}.gz": FIRST[:30]}
    write(RAW, wrong)
    keras_archive(Path("home/.keras/datasets/mnist.npz"), OTHER)
    mirrors(serve(files(ZIPPED)))
    assert run() == PLAIN
    first, second, third = capsys.readouterr().out.splitlines()
    left = "not used, and left as it is"
    assert re.fullmatch(f"{RAW / IMAGES}: {left}: {WRONG_SUM}", first)
    assert re.fullmatch(f"{RAW / IMAGES}.gz: {left}: {CUT}", second)
    assert re.fullmatch(rf"/.*/\.keras/datasets/mnist\.npz: {left}: {WRONG_SUM}", third)
    assert {path.name: path.read_bytes() for path in RAW.iterdir()} == wrong


@pytest.fixture
def wanting(project: Project) -> Project:
    """A project that wants an MNIST of some images of its own, which no server has."""
    names = idx.FILES.values()
    sums = [
        hashlib.sha256((project.root / FOLDER / name).read_bytes()).hexdigest() for name in names
    ]
    write(
        project.root / "right",
        {name: (project.root / FOLDER / name).read_bytes() for name in names},
    )
    with (project.root / "digits/datasets.py").open("a") as source:
        source.write(
            f"PUBLISHED['mnist'] = Published(DIGITS, ('http://0.0.0.0:9',), {sums}, 'MNIST')\n"
        )
    project.change(download__dataset="mnist")
    return project


@fault("wrong files are put into data/raw, and DVC removes what is to be made anew", "they stay")
@pytest.mark.slow
def test_under_dvc_too_what_a_person_put_stays_and_is_used_where_it_is_right(
    wanting: Project,
) -> None:
    raw, right = wanting.root / RAW, wanting.root / "right"
    write(raw, {name: b"wrong" for name in ZIPPED})
    done = wanting.run("dvc", "repro", "download", check=False)
    assert done.returncode and f"data/raw/{IMAGES}.gz: expected an IDX file" in done.stdout
    assert {path.read_bytes() for path in raw.iterdir()} == {b"wrong"}

    shutil.rmtree(raw)
    shutil.copytree(right, raw)
    assert wanting.repro("download") == ["download"]
    wanting.change(download__dataset="synthetic")
    assert wanting.repro("download") == ["download"]
    wanting.change(download__dataset="mnist")
    assert wanting.repro("download") == []
    for path in right.iterdir():
        assert path.read_bytes() == (raw / path.name).read_bytes()
        assert path.read_bytes() == (wanting.root / FOLDER / path.name).read_bytes()


@fault("the archive of Keras is damaged", NEXT)
@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x80\x04N."], ids=["empty", "cut", "pickle"]
)
def test_a_damaged_archive_gives_way_to_the_next_place(
    serve: Serve, closed: str, data: bytes
) -> None:
    write(RAW, {"mnist.npz": data})
    mirrors(closed)
    why = lines(refusal())["data/raw/mnist.npz"]
    assert why.startswith("expected an archive with ")
    mirrors(serve(files(ZIPPED)))
    assert run() == PLAIN


def test_a_file_may_be_known_by_the_sum_of_its_gz_alone(closed: str) -> None:
    publish(ZIPPED, (closed,))
    write(RAW, ZIPPED)
    assert run() == PLAIN
    shutil.rmtree(RAW)
    write(RAW, {name: gzip.compress(data, 1, mtime=1) for name, data in PLAIN.items()})
    shutil.rmtree(FOLDER)
    assert re.fullmatch(WRONG_SUM, lines(refusal())[f"data/raw/{IMAGES}"])


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


def other(handler: Handler) -> None:
    reply(handler, gzip.compress(OTHER[IMAGES]))


def status(code: int) -> Answer:
    return lambda handler: reply(handler, b"", code)


FIRST = ZIPPED[f"{IMAGES}.gz"]
WRONG_SUM = "its content has the SHA-256 [0-9a-f]{64}, not that in digits/datasets.py"
CUT = "expected an intact gzip file, found: .*"
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
        CUT,
    ),
    "says a greater length than it sends": (
        raw_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + FIRST),
        "the connection broke off",
    ),
    "hangs up without a word": (raw_bytes(b""), "the connection broke off"),
    "speaks another protocol": (raw_bytes(b"SSH-2.0-OpenSSH_9.2\r\n"), "the connection broke off"),
    "answers 200 with a web page": (html, re.escape(NO_IDX) + "3c 21 44 4f"),
    "has wrong bytes of the right length": (turned, re.escape(NO_IDX) + ".{11}"),
    "has other images": (other, WRONG_SUM),
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
    told = lines(refusal())
    assert list(told) == [f"{place}/{IMAGES}.gz", f"{place}/{IMAGES}"]
    assert all(re.fullmatch(words, why) for why in told.values())

    target = write("target", {})
    fetch.fetch_first([place, serve(files(ZIPPED))], target, KEY, SUMS[IMAGES], {})
    assert [path.name for path in target.iterdir()] == [IMAGES]
    assert (target / IMAGES).read_bytes() == PLAIN[IMAGES]


@fault("the server answers 503, then as it should", "it is asked again: the right files")
def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([status(503)])
    mirrors(serve(lambda handler: next(answers, files(ZIPPED))(handler)))
    monkeypatch.setattr(fetch, "ROUNDS", 2)
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    assert run() == PLAIN and 1 in waited


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
    place = serve(lambda handler: raw_bytes(answer)(handler))
    target = write("target", {})

    @seed(examples)
    @many(examples)
    @given(st.sampled_from(ANSWERS), st.lists(EDITS, max_size=2), st.sampled_from([b"", *LINES]))
    def test(whole: bytes, edits: list[tuple[float, int, bytes]], line: bytes) -> None:
        nonlocal answer, tried
        answer = damaged(whole.replace(b"\r\n", b"\r\n" + line, 1), edits)
        tried += 1
        try:
            fetch.fetch_first([place], target, KEY, SUMS[IMAGES], {})
        except SystemExit as end:
            assert list(lines(str(end))) == [f"{place}/{IMAGES}.gz", f"{place}/{IMAGES}"]
        else:
            assert (target / IMAGES).read_bytes() == PLAIN[IMAGES]

    test()
    record_property("cases", tried)


@fault(
    "a file of known SHA-256 is damaged at random",
    "it is refused, or damaged in its packing alone: the right bytes",
)
def test_no_damaged_file_has_the_right_sum(record_property: Record) -> None:
    tried = 0
    file = write("mirror", {}) / f"{IMAGES}.gz"
    target = write("target", {})

    @many(500)
    @given(st.lists(EDITS, min_size=1, max_size=3))
    def test(edits: list[tuple[float, int, bytes]]) -> None:
        nonlocal tried
        data = damaged(FIRST, edits)
        assume(data != FIRST)
        tried += 1
        (target / IMAGES).unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        try:
            fetch.keep(file, target, KEY, SUMS[IMAGES])
        except ValueError as error:
            assert re.fullmatch(f"{WRONG_SUM}|expected .*", str(error))
            assert not (target / IMAGES).exists()
        else:
            assert (target / IMAGES).read_bytes() == PLAIN[IMAGES]

    test()
    record_property("cases", tried)


@fault("the server calls gzip an encoding", RIGHT)
def test_a_server_that_calls_gzip_an_encoding_gives_the_same_bytes(serve: Serve) -> None:
    mirrors(serve(files(ZIPPED, Content_Encoding="x-gzip")))
    assert run() == PLAIN


def test_a_mirror_that_answers_but_stalls_costs_two_time_outs_in_each_round(serve: Serve) -> None:
    mirrors(serve(raw_bytes(HALF, then=2)), serve(raw_bytes(b"", then=2)))
    start = time.monotonic()
    assert len(lines(refusal())) == 4
    assert time.monotonic() - start < 4


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
    assert time.monotonic() - start < fetch.ANSWER_SECONDS


@fault("the server refuses the connection", NEXT)
def test_a_refused_connection_gives_way_to_the_next_mirror(serve: Serve, closed: str) -> None:
    mirrors(closed, serve(files(ZIPPED)))
    assert run() == PLAIN


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
    assert time.monotonic() - start < 2.5 * fetch.ANSWER_SECONDS


@fault("the look-up of the server's name blocks", "one line says so in time")
def test_a_name_that_blocks_for_long_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", slow_name)
    mirrors("http://one.example", "https://two.example")
    start = time.monotonic()
    assert set(lines(refusal()).values()) == {"no answer within 1 s"}
    assert time.monotonic() - start < 4


def test_a_slow_mirror_is_tried_where_a_quick_one_lacks_the_files(
    silent: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "OTHERS_SECONDS", 0.1)
    quick = serve(status(404))
    assert fetch.alive([silent, quick], {}) == [quick, silent]


def test_an_own_mirror_without_the_files_does_not_lengthen_the_wait(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("mirror/mnist", {})
    monkeypatch.setenv("DATASET_MIRROR", "mirror")
    mirrors(silent)
    start = time.monotonic()
    told = lines(refusal())
    assert told.pop("mirror") == LACKS
    # both waits are a second long here: either may end first
    assert told[silent] in ("no answer within 1 s", "it sent nothing for too long")
    assert time.monotonic() - start < 2 * fetch.ANSWER_SECONDS


@fault("each mirror has another fault", "a line for each names it and says why")
def test_every_mirror_is_named_whatever_its_fault(
    serve: Serve, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = serve(status(404))
    monkeypatch.setenv("DATASET_MIRROR", "nowhere")
    mirrors(missing, closed)
    assert lines(refusal()) == {
        "nowhere": LACKS,
        closed: "Connection refused",
        f"{missing}/{IMAGES}.gz": "404 Client Error: Not Found",
        f"{missing}/{IMAGES}": "404 Client Error: Not Found",
    }


def test_a_mirror_named_twice_is_asked_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    place = serve(files({}, asked))
    monkeypatch.setenv("DATASET_MIRROR", place)
    mirrors(f"{place}/mnist")
    assert len(lines(refusal())) == len(asked) == 2


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
    assert run() == PLAIN


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
def test_a_folder_gives_the_content_of_its_files(
    tmp_path: Path, contents: dict[str, bytes], absolute: bool
) -> None:
    write("own", {**contents, "notes.txt": b"not for the stage"})
    assert run("folder", path=str(tmp_path / "own") if absolute else "own") == PLAIN


def test_a_url_gives_the_content_of_its_files_and_says_how_to_fetch_them_anew(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("url", base=serve(files(PLAIN))) == PLAIN
    assert run("url", base=serve(files(ZIPPED)) + "/deep/") == PLAIN
    assert "dvc repro --force download && dvc repro\n" in capsys.readouterr().out


def test_the_data_set_and_its_classes_are_named_beside_the_files(serve: Serve) -> None:
    write(RAW, ZIPPED)
    run()
    text = (FOLDER / "dataset.json").read_text()
    named = {"classes": list("0123456789"), "name": "mnist", "own": False, "pictures": False}
    assert json.loads(text) == named and text == json.dumps(named, indent=2) + "\n"
    run("synthetic", train=30, test=10, seed=0)
    assert json.loads((FOLDER / "dataset.json").read_text()) == {**named, "name": "synthetic"}
    run("url", base=serve(files(PLAIN)) + "/flowers/")
    unnamed = {"classes": None, "name": "flowers", "own": True, "pictures": False}
    assert json.loads((FOLDER / "dataset.json").read_text()) == unnamed


@pytest.mark.slow
def test_files_that_changed_on_a_server_are_fetched_by_the_command_that_is_named(
    project: Project, serve: Serve
) -> None:
    contents = dict(PLAIN)
    project.change(download__dataset="url", datasets__url__base=serve(files(contents)))
    printed = project.run("dvc", "repro", "download").stdout
    contents.update(OTHER)
    assert project.repro("download") == []
    command = re.search("(dvc repro --force download) && dvc repro\n", printed)
    assert command
    project.run(*command[1].split())
    for dataset in ("synthetic", "url"):
        project.change(download__dataset=dataset)
        assert project.repro("download") == []
    assert (project.root / FOLDER / IMAGES).read_bytes() == OTHER[IMAGES]


@pytest.mark.parametrize("shape", [(64, 3), (5, 7, 3), (5, 7, 1)])
def test_own_images_may_have_any_size_and_colour(serve: Serve, shape: tuple[int, ...]) -> None:
    contents = {**PLAIN, IMAGES: idx_file(20, *shape)}
    assert run("url", base=serve(files(contents))) == contents


def test_a_url_that_a_server_zips_on_the_way_is_still_read(serve: Serve) -> None:
    def zips(handler: Handler) -> None:
        name = handler.path[1:]
        if name in PLAIN:
            reply(handler, gzip.compress(PLAIN[name]), Content_Encoding="gzip")
        else:
            reply(handler, b"", 404)

    assert run("url", base=serve(zips)) == PLAIN


def test_data_raw_itself_may_be_the_folder() -> None:
    write(RAW, ZIPPED)
    assert run("folder", path=str(RAW)) == PLAIN and len(list(RAW.iterdir())) == 4


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
    "images of two colours": (gzip.compress(idx_file(20, 5, 7, 2)), "images of 1 or 3 colours"),
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
    assert time.monotonic() - start < 3 and peak() < 2_000_000
    for where, message in told.items():
        assert (
            message.startswith(f"{where}/{IMAGES}.gz: expected ")
            and words in message
            and "\n" not in message
        )
    record_property("cases", len(told))


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_link_counts_as_its_file() -> None:
    write("own", {})
    for name in write("there", PLAIN).iterdir():
        Path("own", name.name).symlink_to(name.absolute())
    assert run("folder", path="own") == PLAIN
    assert not any(path.is_symlink() for path in FOLDER.iterdir())


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
    """What lies outside data/idx, as far as a way out could lead."""
    found = [
        path for path in deep.rglob("*") if path.is_file() and FOLDER.absolute() not in path.parents
    ]
    return {str(path): path.read_bytes() for path in found}


@fault("a URL leads upwards (/../..)", INSIDE)
@pytest.mark.parametrize(
    "way", ["/..", "/../../../evil", "/%2e%2e/%2e%2e", "/..%2f..%2fevil", r"/..\..", "/?file=../.."]
)
def test_no_url_leads_out_of_the_folder(serve: Serve, deep: Path, way: str) -> None:
    assert run("url", base=serve(files(ZIPPED)) + way) == PLAIN and outside(deep) == {}


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
    assert run() == PLAIN and outside(deep) == {}


@fault("the server wants another name for a file", INSIDE)
@pytest.mark.parametrize("name", ["../../evil", "{}/evil", "..\\..\\evil", "evil"])
def test_no_server_can_choose_the_name_of_a_file(serve: Serve, deep: Path, name: str) -> None:
    mirrors(serve(files(ZIPPED, Content_Disposition=f'attachment; filename="{name.format(deep)}"')))
    assert run() == PLAIN and outside(deep) == {}


@fault("links in the user's folder or in data/idx lead elsewhere", INSIDE)
@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_no_link_leads_out_of_the_folder(deep: Path) -> None:
    own, precious = (
        write(deep / "own", {}),
        write(deep / "precious", {name: b"precious" for name in ZIPPED}),
    )
    for name in write(deep / "there", ZIPPED).iterdir():
        (own / name.name).symlink_to(f"../there/{name.name}")
    write(FOLDER, {})
    for name in precious.iterdir():
        (FOLDER / name.name.removesuffix(".gz")).symlink_to(name)
    before = outside(deep)
    assert run("folder", path="../../../../own") == PLAIN and outside(deep) == before
    assert not any(path.is_symlink() for path in FOLDER.iterdir())


@fault("data/idx, or the folder beside it in which it is made, is a link elsewhere", INSIDE)
@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
@pytest.mark.parametrize("name", ["idx", "partial-new-idx", "partial-old-idx"])
def test_a_link_in_place_of_the_folder_is_not_followed(deep: Path, name: str) -> None:
    write("own", ZIPPED)
    write(deep / "precious", {IMAGES: b"precious"})
    Path("data").mkdir()
    Path("data", name).symlink_to(deep / "precious")
    before = outside(deep)
    assert run("folder", path="own") == PLAIN and outside(deep) == before
    assert not FOLDER.is_symlink() and [path.name for path in Path("data").iterdir()] == ["idx"]


# Digits that are drawn


def test_synthetic_digits_are_four_plain_files_that_depend_on_the_seed_alone() -> None:
    first, again, other = (run("synthetic", train=30, test=10, seed=seed) for seed in (0, 0, 1))
    assert set(first) == set(idx.FILES.values())
    assert first == again and all(first[name] != other[name] for name in first)
    shapes = [idx.read(FOLDER / name, kind)[0] for (_, kind), name in idx.FILES.items()]
    assert shapes == [(30, 28, 28), (30,), (10, 28, 28), (10,)]


# What was there before


@fault("files of an earlier run, whole or half-written, lie in data/idx", "they are replaced")
@pytest.mark.parametrize("old", [dict.fromkeys(PLAIN, b"old"), PLAIN])
def test_what_an_earlier_run_left_is_replaced(serve: Serve, old: dict[str, bytes]) -> None:
    write(FOLDER, {**old, "tmpk3v7q0ab": b"half"})
    write("data/partial-new-idx", {"scratch": b"half", "t10k-labels-idx1-ubyte": b"half"})
    assert run("url", base=serve(files(ZIPPED))) == PLAIN
    assert [path.name for path in Path("data").iterdir()] == ["idx"]


@fault("the server has three of the four files", "one line; data/idx stays as it was")
def test_a_run_that_fails_halfway_leaves_what_was_there_before(serve: Serve) -> None:
    old = write(FOLDER, dict.fromkeys(PLAIN, b"old"))
    mirrors(serve(files(dict(list(ZIPPED.items())[:3]))))
    with pytest.raises(SystemExit):
        run()
    assert {path.read_bytes() for path in old.iterdir()} == {b"old"}
    assert [path.name for path in Path("data").iterdir()] == ["idx"]


@fault("Ctrl-C while digits are drawn", "no half-written file stays")
def test_a_run_that_is_interrupted_leaves_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("synthetic", train=30, test=10, seed=0)
    assert not list(Path("data").iterdir())


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
    write(RAW, ZIPPED)
    code = f"""
from digits import datasets
sums = {[SUMS[name] for name in PLAIN]}
datasets.PUBLISHED['mnist'] = datasets.Published(datasets.DIGITS, (), sums, 'MNIST')
from stages import __main__
__main__.run('download')"""
    done = program(["-c", code], {"mnist": {}})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert all((FOLDER / name).read_bytes() == data for name, data in PLAIN.items())


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
    assert done.returncode == 0
    last_states = [line.rpartition("\r")[2] for line in shown.split("\r\n")[:-1]]
    assert len(last_states) == bars and all("100%" in state for state in last_states)
