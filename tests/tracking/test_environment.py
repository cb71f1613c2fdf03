import platform
import subprocess
import sys

import pytest

from mfx.tracking import environment


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("1")
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "one")
    return folder


def test_facts_of_machine_and_packages(tmp_path):
    facts = environment.facts(tmp_path)
    assert facts["python"] == platform.python_version()
    assert int(facts["cpus"]) >= 1
    assert facts["version.numpy"]
    assert all(isinstance(value, str) and value for value in facts.values())


def test_commit_and_changes_of_the_folder(checkout):
    (checkout / "new.txt").write_text("untracked files do not count")
    facts = environment.facts(checkout)
    assert len(facts["git_commit"]) == 40
    assert facts["git_dirty"] == "false"
    (checkout / "a.txt").write_text("2")
    assert environment.facts(checkout)["git_dirty"] == "true"


def test_own_checkout_is_named_when_it_is_another_one(checkout, monkeypatch):
    other = checkout.parent / "other"
    (other / "mfx" / "tracking").mkdir(parents=True)
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "x")
    monkeypatch.setattr(environment, "__file__", str(other / "mfx" / "tracking" / "environment.py"))
    facts = environment.facts(checkout)
    assert facts["mfx_git_commit"] != facts["git_commit"]
    assert "mfx_git_commit" not in environment.facts(other)


def test_no_repository_and_no_git(tmp_path, checkout, monkeypatch):
    assert "git_commit" not in environment.facts(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git_commit" not in environment.facts(checkout)


def test_repository_without_commits(tmp_path):
    git(tmp_path, "init", "-q")
    assert "git_commit" not in environment.facts(tmp_path)


def test_packages_are_not_imported(env, tmp_path):
    code = (
        "import sys; from mfx.tracking import environment; environment.facts(); "
        "print([name for name in ('numpy', 'numba', 'mlflow', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
