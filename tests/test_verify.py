"""`make verify` finds what is not as dvc.lock says."""

import re

import pytest
from conftest import Project


@pytest.mark.slow
@pytest.mark.fault(
    "DVC", "an object in its cache has rotted", "`make verify` names it, and the command that restores it"
)
def test_verify_tells_a_different_output_and_a_rotten_object(project: Project) -> None:
    lock = project.root / "dvc.lock"
    whole = lock.read_text()
    assert project.run("python", "tools/verify.py").stdout.splitlines()[-1] == "same       dvc.lock"

    entry = re.search(r"path: models/training.log\n      hash: md5\n      md5: (\w+)", whole)
    array = re.search(r"path: data/processed/test_labels.npy\n      hash: md5\n      md5: (\w+)", whole)
    assert entry and array
    lock.write_text(whole.replace(entry[1], "f" * 32))
    project.run("git", "commit", "--quiet", "--all", "--message", "a wrong sum")
    rotten = project.root / ".dvc/cache/files/md5" / array[1][:2] / array[1][2:]
    rotten.chmod(0o644)
    rotten.write_bytes(rotten.read_bytes() + b"rot")

    done = project.run("python", "tools/verify.py", check=False)
    assert done.returncode == 1
    assert f"different  models/training.log: {'f' * 32} in dvc.lock, {entry[1]} afresh\n" in done.stdout
    assert "same       models/network.keras\n" in done.stdout
    told = re.search(r"rotten     data/processed/test_labels.npy in the cache: (rm .*)\n", done.stdout)
    assert told
    lock.write_text(whole)
    for command in told[1].split(" && "):
        project.run(*command.split())
    assert rotten.read_bytes() == (project.root / "data/processed/test_labels.npy").read_bytes()
    assert "Data and pipelines are up to date." in project.run("dvc", "status").stdout
