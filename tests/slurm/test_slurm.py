"""A real Slurm: one node that claims two GPUs, started for these tests alone where Debian's `slurm-wlm` is installed.

Needs root, as its daemons do, and writes /etc/slurm, where Snakemake's plugin has srun look. The GPUs are /dev/null and
/dev/zero, so a job takes the scheduler's word for its own.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import Repository, jobs_in, wait_until

SETTINGS = Path("/etc/slurm/slurm.conf")

pytestmark = [
    pytest.mark.xdist_group("slurm"),  # it waits most of the time
    pytest.mark.skipif(
        os.getuid() != 0 or not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))) or SETTINGS.exists(),
        reason="needs root, the packages slurm-wlm and munge, and a machine without a Slurm of its own",
    ),
]

RUN = "digits-vgg11-mse-seed0"
CHECKPOINTS = f"results/tiny/checkpoints/{RUN}"
SHORT = "digits-vgg11-ce-seed0"  # trains beside it, and ends long before
HOST = socket.gethostname().partition(".")[0]
CONF = f"""\
ClusterName=test
SlurmctldHost={HOST}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={{folder}}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile={{folder}}/slurmctld.pid
SlurmdPidFile={{folder}}/slurmd.pid
StateSaveLocation={{folder}}/state
SlurmdSpoolDir={{folder}}/spool
SlurmctldLogFile={{folder}}/slurmctld.log
SlurmdLogFile={{folder}}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=1
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
GresTypes=gpu
NodeName={HOST} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
GRES = "".join(f"NodeName={HOST} Name=gpu File=/dev/{device} Count=1\n" for device in ("null", "zero"))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm of our own, for as long as these tests last."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)  # for munge's own user
    shutil.chown(folder / "munge", "munge", "munge")
    SETTINGS.parent.mkdir(exist_ok=True)
    files = {SETTINGS: CONF.format(folder=folder), SETTINGS.with_name("gres.conf"): GRES}
    for file, text in files.items():
        file.write_text(text)
    munged = ["munged", "--foreground", "--force"]
    munged += [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    commands = [["runuser", "-u", "munge", "--", *munged], ["slurmctld", "-D"], ["slurmd", "-D", "-N", HOST]]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{Path(command[0]).name}.out").open("w") as out:
                daemons.append(subprocess.Popen(command, stdout=out, stderr=out))
            wait_until((folder / "munge/socket").exists)
        idle = ["sinfo", "--noheader", "--format=%t"]
        wait_until(lambda: subprocess.run(idle, text=True, capture_output=True).stdout == "idle\n", 60)
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
        for file in files:
            file.unlink()


@pytest.fixture
def study(fresh, slurm, tmp_path):
    """The tiny study without results, one run long enough to be interrupted."""
    repository = Repository(tmp_path / "repository")
    shutil.copytree(fresh.path, repository.path, symlinks=True)
    repository.edit("workflow/rules/gpus.py", r"if torch.cuda.is_available\(\)", "if True")
    repository.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {epochs: 30}")
    return repository


def command(*targets):
    # fmt: off
    return ["snakemake", "--profile", "profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue",
            "--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2", "--", *targets]
    # fmt: on


def queued(study):
    """The numbers of the run's trainings in the queue that run, and the GPUs that each was given."""
    columns = "--Format=JobArrayID:40,tres-per-job:40,Comment:80"
    listed = study.run("squeue", "--noheader", "--states=RUNNING", "--array", columns).splitlines()
    return {number: gpus for number, gpus, *_ in (line.split() for line in listed if RUN in line)}


def hold_after_an_epoch(study, log, done, head):
    """Stop the training an epoch after it began with more than `done`; returns with how many it began."""

    def begun():
        assert head.poll() is None, head.communicate()[0]
        text = log.read_text() if log.exists() else ""
        found = re.findall(r"^(\d+) of \d+ epochs are done.*\nepoch ", text, re.M)
        return int(found[-1]) if found and int(found[-1]) > done else None

    wait_until(lambda: begun() is not None, seconds=300)
    for process in jobs_in(study.path):
        if any(RUN in word for word in process.info["cmdline"]):
            process.send_signal(signal.SIGSTOP)
    return begun()


def test_a_training_survives_requeue_cancellation_and_time_limit_to_the_same_bytes(study, fresh, tmp_path):
    study.run("snakemake", "--cores", "1", "data")  # as nodes often have no network
    alone = Repository(tmp_path / "alone")
    shutil.copytree(study.path, alone.path, symlinks=True)
    histories = [f"{CHECKPOINTS}/history.csv", f"results/tiny/checkpoints/{SHORT}/history.csv"]
    locally = alone.start("snakemake", "--cores", "1", *histories)

    head = study.start(*command(*histories))
    log = study.path / f"logs/tiny/train/{RUN}.log"
    done = -1
    for fault in ("requeue", "cancel", "limit"):
        done = hold_after_an_epoch(study, log, done, head)
        ((number, gpus),) = queued(study).items()
        assert gpus == "gres:gpu:1"
        if fault == "requeue":
            study.run("scontrol", "requeue", number)
            wait_until(lambda number=number: study.run("squeue", "-ho%T", f"-j{number}") == "PENDING\n")
            study.run("scontrol", "update", f"JobId={number}", "StartTime=now")  # or it waits two minutes
        elif fault == "cancel":
            study.run("scancel", number)
        else:
            study.run("scontrol", "update", f"JobId={number}", "EndTime=now+1second")
    for snakemake in (locally, head):
        printed = snakemake.communicate(timeout=300)[0]
        assert snakemake.returncode == 0, printed
    assert f"Train {RUN}" in printed and not re.search(f"FAILED .*{SHORT}", printed), printed
    assert len(re.findall("^[1-9][0-9]* of 30 epochs are done", log.read_text(), re.M)) == 3, "one log of all attempts"
    found, expected = study.state_of(CHECKPOINTS), alone.state_of(CHECKPOINTS)
    assert len(found) == 3 and {n: c for n, (_, c) in found.items()} == {n: c for n, (_, c) in expected.items()}
    where = "results/tiny/provenance/train.json"
    assert (study.path / where).read_bytes() == (alone.path / where).read_bytes()
