"""A sweep on real Ray: each experiment comes out, whatever dies, with the bytes of a single run."""

import argparse
import contextlib
import getpass
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT, Project
from dvc.utils.hydra import apply_overrides

from digits import params, yaml12
from tools import experiment, overrides
from tools import sweep as sweeps

if not importlib.util.find_spec("ray"):  # an import takes seconds, also of what is not run
    pytest.skip("needs what `make .venv/ready-sweep` installs", allow_module_level=True)
pytestmark = pytest.mark.slow
SSHD = Path("/usr/sbin/sshd")


@pytest.fixture
def swept(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose sweeps make their clones in a folder of this test."""
    (tmp_path / "clones").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "clones"))
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # its sockets want a short path
    return project


def start(project: Project, *arguments: str) -> Any:
    def heed() -> None:  # Ctrl-C, which a shell has what it starts with & ignore
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    options: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "preexec_fn": heed}
    return project.start("python", "-E", "-m", "tools.sweep", *arguments, **options)


def sweep(project: Project, *arguments: str) -> tuple[int, str]:
    with start(project, *arguments) as process:
        printed = process.communicate()[0]
    return process.returncode, printed


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not happens():
        assert time.monotonic() < deadline, f"it never happened: {inspect.getsource(happens)}"
        time.sleep(0.1)


def inside(folder: Path) -> list[str]:
    """Return the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
    return found


def locks(project: Project) -> dict[str, str]:
    """Return dvc.lock of each experiment of the present commit, by its name."""
    names = project.run("dvc", "exp", "list", "--name-only").stdout.split()
    head = project.run("git", "rev-parse", "HEAD").stdout.strip()
    prefix = f"refs/exps/{head[:2]}/{head[2:]}"
    return {name: project.run("git", "show", f"{prefix}/{name}:dvc.lock").stdout for name in names}


def test_experiments_have_the_bytes_of_single_runs_and_are_not_run_twice(
    swept: Project, tmp_path: Path
) -> None:
    shutil.copytree(swept.root, tmp_path / "alone", symlinks=True)
    status, printed = sweep(swept, "-S", "train.seed=5", "-S", "plot.mistakes=5,6")
    assert status == 0, printed
    found = locks(swept)
    assert sorted(name[:-9] for name in found) == ["mistakes-5", "mistakes-6"]
    status, printed = sweep(swept, "-S", "train.seed=5", "-S", "plot.mistakes=5,6,7")
    assert status == 0 and printed.count(": test_accuracy") == 1, printed
    assert found.items() <= locks(swept).items()
    swept.change(train__seed=99)
    swept.run("dvc", "exp", "save", "--name", "stray")
    swept.run("git", "reset", "--quiet", "--hard")
    status, printed = sweep(swept, "-S", "train.seed=5", "-S", "plot.mistakes=5")  # none varies
    assert status == 0 and ": test_accuracy" not in printed, printed
    header, row, _, _ = printed.splitlines()  # the stray is no part of this sweep
    assert header.startswith("seeds") and row.startswith("1 "), printed
    alone = Project(tmp_path / "alone")  # its cache has nothing of the sweep
    alone.run("dvc", "exp", "run", "-S", "train.seed=5", "-S", "plot.mistakes=5")
    lock = (alone.root / "dvc.lock").read_text()
    assert [name[:-9] for name in found if found[name] == lock] == ["mistakes-5"]
    [folder] = (swept.root.parent / "clones").glob("sweeps-*")
    left = {(path.suffix, path.stat().st_size) for path in folder.iterdir()}
    assert left == {(".lock", 0)}


def test_an_experiment_that_fails_is_told_with_its_log_and_stops_no_other(swept: Project) -> None:
    status, printed = sweep(swept, "-S", "preprocess.train_size=400,401")
    [log] = (swept.root / ".dvc/tmp/sweep").glob("train_size-401-*.log")
    assert status == 1
    assert f"{log.stem}: failed, see .dvc/tmp/sweep/{log.name}" in printed
    assert printed.splitlines()[-1] == f"1 of 2 experiments failed: {log.stem}"
    assert "preprocess.train_size: expected at most 400, found 401" in log.read_text()
    assert len(locks(swept)) == 1


def test_an_experiment_started_twice_at_once_is_run_once_where_killed_ones_left_their_clones(
    swept: Project,
) -> None:
    folder = swept.root.parent / f"clones/sweeps-{os.getuid()}"
    (folder / "killed").mkdir(parents=True)
    (folder / "killed.lock").touch()
    remotes = ["--git", str(swept.root), "--dvc", str(swept.root / ".dvc/cache")]
    command = ["python", "-E", "-m", "tools.experiment", "twice", "-S", "plot.mistakes=5", *remotes]
    pipes: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with contextlib.ExitStack() as stack:
        tries = [stack.enter_context(swept.start(*command, **pipes)) for _ in range(2)]
        printed = [process.communicate()[0] for process in tries]
    assert [process.returncode for process in tries] == [0, 0], printed
    assert len({text.splitlines()[-1] for text in printed}) == 1
    assert sorted(text.count("$ dvc exp run") for text in printed) == [0, 1]
    assert not [path for path in folder.iterdir() if path.is_dir()]
    [name] = locks(swept)
    assert name.startswith("twice-")


def test_the_example_of_the_page_is_twenty_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs/sweeps.md").read_text()
    [words] = re.findall(r"^\$ python -m tools.sweep (-S .*)", page, re.M)
    assert len(sweeps.combinations(shlex.split(words)[1::2], "0" * 40)) == 20


# --- what a sweep refuses before it starts Ray ---


@pytest.fixture
def inside_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in which this process works, as one that runs a sweep would."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:{os.environ['PATH']}")
    return project


@pytest.fixture
def remote(inside_project: Project, tmp_path: Path) -> Path:
    """The project's Git remote, which has nothing of it yet."""
    inside_project.run("git", "init", "--quiet", "--bare", str(tmp_path / "bare"))
    inside_project.run("git", "remote", "add", "origin", "../bare")  # from the project
    return tmp_path / "bare"


def commit(project: Project) -> str:
    return project.run("git", "rev-parse", "HEAD").stdout.strip()


def test_a_sweep_refuses_what_is_not_committed(inside_project: Project) -> None:
    inside_project.change(train__seed=5)
    with pytest.raises(SystemExit, match=r"commit or stash these first:\n M params\.yaml"):
        sweeps.remotes("origin", commit(inside_project))


def test_a_sweep_refuses_where_there_is_no_commit_or_no_place_for_logs(
    inside_project: Project,
) -> None:
    options = argparse.Namespace(git_remote="", address=None)
    inside_project.root.joinpath(sweeps.LOGS).touch()
    with pytest.raises(SystemExit, match=r"^expected a folder for logs; found: .*$"):
        sweeps.destination(options)
    inside_project.run("git", "update-ref", "-d", "HEAD")
    with pytest.raises(SystemExit, match=r"^expected a commit, .*; found none$"):
        sweeps.destination(options)


def test_a_sweep_on_one_machine_goes_to_this_checkout_whatever_its_remotes(
    inside_project: Project, remote: Path
) -> None:
    inside_project.run("dvc", "remote", "add", "--default", "store", str(remote / "store"))
    inside_project.commit("remote")
    (inside_project.root / "study.png").touch()  # no part of the commit
    found = sweeps.remotes("", commit(inside_project))
    assert found.git == str(inside_project.root)
    assert found.dvc == str(inside_project.root / ".dvc/cache")


def test_a_sweep_refuses_what_is_not_pushed(inside_project: Project, remote: Path) -> None:
    with pytest.raises(SystemExit, match=r"git push origin HEAD$"):
        sweeps.remotes("origin", commit(inside_project))
    inside_project.run("git", "push", "--quiet", "origin", "HEAD")
    assert sweeps.remotes("origin", commit(inside_project)).git == str(remote)


def test_a_sweep_refuses_remotes_that_take_no_push_before_it_computes_anything(
    inside_project: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own --dry-run does not ask the hook of a remote that is read-only for some."""
    inside_project.run("git", "push", "--quiet", "origin", "HEAD")
    to = sweeps.remotes("origin", commit(inside_project))
    sweeps.check_push(to, "origin")
    assert "exps" not in inside_project.run("git", "ls-remote", "origin").stdout
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    inside_project.run("git", "push", "--dry-run", "origin", "HEAD:refs/exps/exec/dry")
    with pytest.raises(SystemExit, match=r"^origin: expected a Git remote that takes a push"):
        sweeps.check_push(to, "origin")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    failed = experiment.experiment("x", [], to.commit, to.git, to.dvc, to.inner, None)
    assert failed.status == experiment.TRY_AGAIN and "dvc" not in failed.log

    hook.unlink()
    inside_project.run("dvc", "remote", "add", "--default", "store", "/proc/store")
    inside_project.commit("remote")
    inside_project.run("git", "push", "--quiet", "origin", "HEAD")
    to = sweeps.remotes("origin", commit(inside_project))
    with pytest.raises(SystemExit, match=r"^expected a DVC remote that takes a push; found: "):
        sweeps.check_push(to, "origin")


def test_a_sweep_refuses_a_git_remote_that_is_not_there(inside_project: Project) -> None:
    with pytest.raises(SystemExit, match="expected a name that `git remote` prints; found orign"):
        sweeps.remotes("orign", commit(inside_project))


def test_a_git_that_fails_is_not_taken_for_a_clean_checkout(
    inside_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(SystemExit, match=r"git status --porcelain .* ended with status 128"):
        sweeps.remotes("origin", "0" * 40)


@pytest.mark.parametrize(
    ("override", "expected"),
    {
        "train.sed": "values of params.yaml",
        "train.sed=1,2": "values of params.yaml",
        "recipes.fast.network.x=ReLU": "values of params.yaml",
        "train.seed=range(0,9,0)": "values of params.yaml",
        "recipe='a\\nb'": "one of",
        "train.seed=range(3,0)": "at least one value of each parameter",
        "recipe=fast,fst": "one of",
        "recipes.fast.epochs=1,2": "parameters of the recipe that is trained, original",
    }.items(),
)
def test_a_sweep_refuses_what_are_no_values_of_params_yaml(
    inside_project: Project, override: str, expected: str
) -> None:
    with pytest.raises(SystemExit, match=f"^-S.*: expected {expected}.*$"):
        sweeps.combinations([override], "0" * 40)


@pytest.mark.parametrize("first", ["train.seed=1,2", "params.yaml:train.seed=1"])
def test_a_sweep_refuses_a_parameter_that_comes_twice(inside_project: Project, first: str) -> None:
    with pytest.raises(SystemExit, match=r"^-S train\.seed: expected it once; found it 2 times$"):
        sweeps.combinations([first, "train.seed=3"], "0" * 40)


def test_a_sweep_of_a_thousand_is_checked_in_seconds_and_names_the_one_that_is_wrong(
    inside_project: Project,
) -> None:
    seeds = ",".join(map(str, [*range(999), -1]))
    start = time.process_time()
    with pytest.raises(
        SystemExit, match=r"^-S recipe=fast train\.seed=-1: params\.yaml: train\.seed: .*$"
    ):
        sweeps.combinations(["recipe=fast", f"train.seed={seeds}"], "0" * 40)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "override",
    [
        "recipes.original.network.2=softmax",
        "recipes.original.augment={rotation:5,zoom:0.1}",
        "+recipes.original.augment.flip=1e-1",
        "+recipes.original.layers.drop.class=Dropout",
        "recipes.original.layers.conv1.padding='a, b'",
        "~recipes.original.epochs",
        "recipes.original.network=[conv1,Flatten]",
    ],
)
def test_what_is_checked_is_what_dvc_makes_of_params_yaml(
    inside_project: Project, override: str
) -> None:
    committed = yaml12.load(params.FILE.read_bytes())
    apply_overrides(params.FILE, [override])
    changed = yaml12.load(params.FILE.read_bytes())
    assert overrides.applied(committed, [override]) == changed


def test_a_sweep_names_experiments_by_what_varies(inside_project: Project) -> None:
    values = ["recipe=fast,best", "train.seed=range(0,2)", "plot.mistakes=5"]
    names = sweeps.combinations(values, "0" * 40)
    words = ["recipe-fast-seed-0", "recipe-fast-seed-1", "recipe-best-seed-0", "recipe-best-seed-1"]
    assert [name[:-9] for name in names] == words
    assert len({name[-8:] for name in names}) == 4
    assert set(map(tuple, names.values())) > {("recipe=fast", "train.seed=0", "plot.mistakes=5")}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["recipes.fast.epochs=1", "recipes.best.epochs=1"], "fast.epochs-1-best.epochs-1"),
        (["recipe=fast", "recipes.fast.epochs=12345678"], "recipe-fast-epochs-12345678"),
        (["a.learning_rate=0.0012345678"], "learning_rate-0.001235"),
        (["a.b='x/../y ~^:?*[@{z.lock'"], "b-x-y"),
        (["recipes.own.network=[Flatten,Dense,Softmax]"], "network-Flatten-Den"),
        (["+a.flip=.5"], "flip-.5"),
    ],
)
def test_a_name_is_short_and_fit_for_git(values: list[str], expected: str) -> None:
    names = overrides.ends(map(overrides.key, values))
    name = experiment.label(overrides.words(values, names), values, "0" * 40)
    assert name[:-9] == expected
    subprocess.run(["git", "check-ref-format", f"refs/exps/00/{'0' * 38}/{name}"], check=True)


def test_a_sweep_refuses_a_git_remote_that_does_not_answer(
    inside_project: Project, tmp_path: Path
) -> None:
    away = sweeps.Remotes(str(tmp_path / "away"), "", "0" * 40)
    with pytest.raises(SystemExit, match=r"^origin: expected a Git remote that answers"):
        sweeps.there(away, "origin")


def test_a_sweep_refuses_an_address_where_nobody_listens() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        expected = f"a running Ray cluster, and its token if it has one; found {address}: "
        with pytest.raises(SystemExit, match=expected):
            sweeps.connect(address)


def test_a_sweep_refuses_to_ask_a_cluster_without_the_token(inside_project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        program = f"from tools import sweep; sweep.connect({address!r})"
        refused = inside_project.run("python", "-c", program, check=False, RAY_AUTH_MODE="token")
    last = refused.stdout.splitlines()[-1]
    assert last.startswith(f"--address: expected the token of the cluster {address}; found none")


def test_a_sweep_refuses_a_cluster_of_another_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        monkeypatch.setattr(ray, "__version__", "2.0.0")
        with pytest.raises(SystemExit, match=r"^--address: expected a cluster .* Ray: 2\.0\.0.*$"):
            sweeps.connect(cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_no_log_holds_a_password() -> None:
    said = "fatal: 'https://me:p@ss@host/x.git' at a@b"
    assert experiment.masked(said) == "fatal: 'https://***@host/x.git' at a@b"


# --- what a sweep survives ---


def test_after_an_interrupt_nothing_is_left_running_and_the_same_command_goes_on(
    swept: Project,
) -> None:
    options = ["-S", "plot.mistakes=5,6"]  # quick
    with start(swept, *options) as process:
        clones = swept.root.parent / "clones"
        until(lambda: any(clones.glob("*/*/.dvc/tmp/rwlock")))
        process.send_signal(signal.SIGINT)
        printed = process.communicate()[0]
    assert process.returncode == 1
    assert printed.splitlines()[-1] == "interrupted; the same command goes on"
    until(lambda: not inside(clones))
    status, printed = sweep(swept, *options)
    assert status == 0, printed
    assert len(locks(swept)) == 2
    with start(swept, *options) as process:  # which has its table left to print
        until(lambda: any("tools.study" in command for command in inside(swept.root)))
        process.send_signal(signal.SIGINT)
        printed = process.communicate()[0]
    assert (process.returncode, printed) == (1, "interrupted; the same command goes on\n")


def test_a_killed_node_costs_no_result(swept: Project, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    swept.run("git", "remote", "add", "origin", str(swept.root))
    swept.run("git", "fetch", "--quiet", "origin")
    options = ["--address", cluster.address, "-S", "train.seed=1,2"]
    try:
        with start(swept, *options) as process:
            until(lambda: any((tmp_path / "clones").glob("*/*/models/training.log")))
            [raylet] = nodes[0].all_processes["raylet"]
            node = psutil.Process(raylet.process.pid)
            # its workers, and not what an experiment has started: that ends by itself
            for worker in [node, *node.children()]:
                worker.kill()
            printed = process.communicate()[0]
        assert process.returncode == 0, printed
        assert "another try, 2 of 3" in printed
        assert len(locks(swept)) == 2
    finally:
        cluster.shutdown()
    until(lambda: not inside(tmp_path / "clones"))


def listening(process: psutil.Process) -> list[tuple[str, Any]]:
    """The addresses on which a process and those below it listen, with the names of these."""
    found = []
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in member.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    found.append((member.name(), connection.laddr))
    return found


def test_a_sweep_on_one_machine_serves_no_other_and_no_stranger(swept: Project) -> None:
    """Another user of the machine reaches the loopback address too, but lacks the token."""
    with start(swept, "-S", "plot.mistakes=5") as process:
        until(lambda: any((swept.root.parent / "clones").glob("*/*/.git")))
        ports = {}
        for name, address in listening(psutil.Process(process.pid)):
            assert address.ip.removeprefix("::ffff:") == "127.0.0.1", name
            ports[name] = address.port
        assert {"gcs_server", "raylet"} <= ports.keys()
        stranger = (
            "import grpc; from ray.core.generated import gcs_service_pb2 as pb, "
            "gcs_service_pb2_grpc as rpc; "
            f"channel = grpc.insecure_channel('127.0.0.1:{ports['gcs_server']}'); "
            "stub = rpc.NodeInfoGcsServiceStub(channel); "
            "print(stub.GetAllNodeInfo(pb.GetAllNodeInfoRequest(), timeout=20))"
        )
        refused = swept.run("python", "-c", stranger, check=False)
        printed = process.communicate()[0]
    assert "UNAUTHENTICATED" in refused.stdout
    assert process.returncode == 0, printed
    assert not (Path.home() / ".ray/auth_token").exists()


@pytest.mark.skipif(not SSHD.exists(), reason="needs Debian's openssh-server")
def test_both_remotes_may_be_reached_by_ssh(
    swept: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for key in ("host", "user"):
        swept.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / key))
    if os.getuid() == 0:  # sshd wants it of root alone
        Path("/run/sshd").mkdir(exist_ok=True)
    settings = [
        "StrictModes no",
        "UsePAM no",
        f"AuthorizedKeysFile {tmp_path}/user.pub",
        "Subsystem sftp internal-sftp",
    ]
    settings += [f"ListenAddress 127.0.0.1:{port}"]
    settings += [f"HostKey {tmp_path}/host", f"PidFile {tmp_path}/pid"]
    (tmp_path / "sshd_config").write_text("\n".join([*settings, ""]))
    unknown = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F none -i {tmp_path}/user {unknown}")
    swept.run("git", "init", "--quiet", "--bare", str(tmp_path / "team.git"))
    command = [str(SSHD), "-D", "-e", "-f", str(tmp_path / "sshd_config")]
    with swept.start(*command, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: (tmp_path / "pid").exists())
            there = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}"
            swept.run("git", "remote", "add", "origin", f"{there}/team.git")
            swept.run("dvc", "remote", "add", "--default", "store", f"{there}/store")
            swept.run("dvc", "remote", "modify", "store", "keyfile", str(tmp_path / "user"))
            swept.run("git", "commit", "--quiet", "--all", "--message", "remote")
            swept.run("git", "push", "--quiet", "origin", "HEAD")
            swept.run("dvc", "push", "--run-cache")
            status, printed = sweep(swept, "--git-remote", "origin", "-S", "plot.mistakes=5")
            assert status == 0, printed
        finally:
            server.terminate()
    [name] = locks(swept)
    assert name in swept.run("git", "ls-remote", str(tmp_path / "team.git")).stdout
