"""What a machine and its user do to a study that is being made, or lies there: it ends as if nothing had happened."""

import http.server
import os
import random
import signal
import subprocess
import threading

import pytest
from conftest import Repository, jobs_in, wait_until

pytestmark = pytest.mark.xdist_group("workflow")

MOMENTS = int(os.environ.get("NEURAL_COLLAPSE_MOMENTS", "2"))
SEED = int(os.environ.get("NEURAL_COLLAPSE_SEED", "4"))  # by hand: others, and twenty moments
STEPS = ("prepare-dataset", "train", "extract-features", "attack", "measure", "figure", "simulate-central-path")


def cloned(fresh, folder):
    fresh.run("git", "clone", "-q", ".", str(folder / "study"))
    return Repository(folder / "study")


def contents(study):
    return {name: content for name, (_, content) in study.state_of().items()}


@pytest.mark.parametrize("command", ["snakemake --cores 2", "dvc repro"])
def test_a_study_that_is_killed_at_any_moment_ends_with_the_same_bytes(command, fresh, completed, tmp_path):
    print(f"NEURAL_COLLAPSE_SEED={SEED}")
    chance = random.Random(f"{SEED} {command}")
    study = cloned(fresh, tmp_path)
    for number in range(MOMENTS):
        process = study.start(*command.split())
        delay, sent = chance.uniform(1, 20), chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
        print(f"{number}: {sent.name} after {delay:.1f} s")
        try:
            output, _ = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, sent)
        else:
            assert process.returncode == 0, output
            break
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it hangs after {sent.name}")
        wait_until(lambda: not any(jobs_in(study.path, step) for step in STEPS))
        if command == "dvc repro":
            study.run("snakemake", "-n")  # mends the list of locks that DVC may have been writing
    study.run(*command.split())
    assert contents(study) == contents(completed)
    assert study.plan() == {}
    assert not (study.path / "results/tiny/resume").exists()


@pytest.mark.parametrize("left", ["", '{"write": {'])
def test_a_list_of_locks_that_a_killed_dvc_left_is_mended_by_any_snakemake(left, study):
    locks = study.path / ".dvc/tmp/rwlock"
    locks.write_text(left)
    assert "RWLock-file" in study.run("dvc", "repro", fails=True)
    os.utime(locks, (1e9, 1e9))
    assert study.plan() == {}
    assert "up to date" in study.run("dvc", "repro")


def test_a_disk_that_takes_no_large_file_fails_in_sentences_and_is_done_once_it_does(fresh, completed, tmp_path):
    study = cloned(fresh, tmp_path)
    output = study.run("bash", "-c", "ulimit -f 160; snakemake --cores 2", fails=True)
    log = (study.path / "logs/tiny/train/digits-vgg11-mse-seed0.log").read_text()
    assert "File too large" in log and "Traceback" not in log + output
    study.run("snakemake", "--cores", "2")
    assert contents(study) == contents(completed)


def test_nothing_is_stale_in_any_copy_of_the_study(study, tmp_path):
    def copy(name, *command):
        study.run(*command, str(tmp_path / name))
        return Repository(tmp_path / name)

    for copied in (
        copy("worktree", "git", "worktree", "add", "-q", "--detach"),
        copy("shallow", "git", "clone", "-q", "--depth", "1", f"file://{study.path}"),
        copy("masked", "bash", "-c", 'umask 077; git clone -q . "$0"'),
    ):
        assert copied.plan("metrics", "theory", "figures") == {}, copied.path
    moved = copy("moved", "cp", "-r", ".")
    assert moved.plan() == {}
    moved.run("dvc", "status", "-q")  # which fails where something is stale


def test_a_cut_file_of_any_layer_is_made_again_or_refused(study):
    def cut(name):
        path = next(iter(sorted(study.path.glob(f"results/tiny/{name}"))))
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return path, whole

    heavy = {"data/*", "checkpoints/*/*.safetensors", "features/*"}
    remade = {
        "datasets/*.json": "prepare_dataset",
        "metrics/*seed*.csv": "measure",
        "robustness/*": "attack",
        "summary/*": "summarise",
        "metrics.csv": "collect",
        "theory/small.csv": "simulate_central_path",
        "figures/*.pdf": "figure",
        "tables/*.csv": "table",
        "claims.csv": "claims",
    }
    for name in [*heavy, *remade]:
        path, whole = cut(name)
        if name in heavy:
            message = study.run("snakemake", "-n", fails=True)
            relative = path.relative_to(study.path)
            assert f"error: {relative}: not what the records" in message and "dvc checkout" in message
        else:
            assert study.plan().get(remade[name]) == 1, name
        path.write_bytes(whole)
    assert study.plan() == {}


class Broken(http.server.BaseHTTPRequestHandler):
    """A proxy whose every answer breaks off after a few bytes."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"the beginning")

    def log_message(self, *_):
        pass


def test_a_download_that_breaks_off_and_what_it_leaves_are_a_sentence_each(study):
    study.edit("config.yaml", "study: tiny", "data_root: published\nstudy: tiny")
    study.edit("config.yaml", "(?=      digits-vgg11-mse)", "      svhn-vgg11-mse: {}\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever).start()
        study.variables = dict.fromkeys(("http_proxy", "https_proxy"), f"http://127.0.0.1:{server.server_port}")
        said = study.run("snakemake", "--cores", "1", "data", fails=True)
        again = study.run("snakemake", "--cores", "1", "data", fails=True)
        server.shutdown()
    assert (
        "error: published: SVHN can't be read or downloaded there (File not found or corrupted); connect to the "
        "network and try again, or copy torchvision's files there." in said
    ), said
    assert (
        "error: published/train_32x32.mat: truncated or altered, its MD5 checksum is not the published one; delete it, "
        "and it is downloaded again." in again
    ), again
    assert "Traceback" not in said + again
    assert not (study.path / "results/tiny/datasets/svhn.json").exists()


def test_a_job_that_is_killed_is_a_sentence_and_the_same_command_goes_on(study):
    """As the kernel kills what takes more memory than there is."""
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {epochs: 40}")
    working = study.start("snakemake", "--cores", "1", "train")
    wait_until(lambda: jobs_in(study.path) or working.poll() is not None)
    for job in jobs_in(study.path):
        job.kill()
    output, _ = working.communicate(timeout=120)
    assert working.returncode != 0 and "Traceback" not in output
    assert (
        "a job was killed, for want of memory most often: run fewer at a time (`--cores`) or find more memory; the "
        "same command goes on where this one was." in output
    ), output
    study.run("snakemake", "--cores", "1", "train")
    assert study.plan("train") == {}
