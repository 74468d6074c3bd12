"""A random walk over what people do to a study, against an independent model of what must be made again.

The model knows nothing of records: every file has one right content, a hash of its job's settings and of the right
contents of what that reads. What Snakemake is given must lead it to exactly the files that are not right (or to what it
makes anew for their sake). NEURAL_COLLAPSE_WALK gives the number of steps; each seed takes a tenth of them.
"""

import collections
import hashlib
import json
import os
import random
import re
import shutil
from pathlib import Path

import pytest
import receipts
import yaml
from contents import checksum
from records import Records
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from neural_collapse.errors import InputError

STEPS = int(os.environ.get("NEURAL_COLLAPSE_WALK", "400")) // 10

ROOT = "results/s"
# Two runs that share a data set's card, and what is drawn of both.
READS = {
    f"{ROOT}/data/card.json": [],
    f"{ROOT}/checkpoints/a": [f"{ROOT}/data/card.json"],
    f"{ROOT}/checkpoints/b": [f"{ROOT}/data/card.json"],
    f"{ROOT}/features/a": [f"{ROOT}/checkpoints/a"],
    f"{ROOT}/features/b": [f"{ROOT}/checkpoints/b"],
    f"{ROOT}/metrics/a": [f"{ROOT}/features/a"],
    f"{ROOT}/metrics/b": [f"{ROOT}/features/b"],
    f"{ROOT}/figures/both": [f"{ROOT}/metrics/a", f"{ROOT}/metrics/b"],
    f"{ROOT}/figures/one": [f"{ROOT}/metrics/a"],
}
FILES = list(READS)
HEAVY = [path for path in FILES if "/checkpoints/" in path or "/features/" in path]
LIGHT = [path for path in FILES if path not in HEAVY]
LAYERS: dict[str, list[str]] = {}
for path in FILES:
    LAYERS.setdefault(path.split("/")[2], []).append(path)


class Folder:
    """A working folder, its git history, and what a user does there; `settings` are those of each job."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.settings = dict.fromkeys(FILES, 0)
        self.history: list[tuple[dict, dict]] = []
        self.run(self.plan())
        self.commit()

    # The model.

    def right(self, path):
        """The one right content of a file, as text."""
        parts = [path, str(self.settings[path]), *(self.right(read) for read in READS[path])]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def is_right(self, path):
        return Path(path).is_file() and Path(path).read_text() == self.right(path)

    # Snakemake, as far as it matters here.

    def records(self):
        return Records(Path(ROOT, "provenance"), LAYERS, kept_by_dvc=[f"{ROOT}/checkpoints", f"{ROOT}/features"])

    def plan(self, targets=FILES):
        """The files that are stale by themselves, and all that are made with them."""
        try:
            self.records().restore()
        except InputError as error:
            assert "dvc checkout" in str(error)
            for path in HEAVY:  # what the message says
                if Path(path).is_file() and str(error).startswith(path):
                    Path(path).unlink()
            return self.plan(targets)
        snakemake = FilePersistence(path=Path(".snakemake"))
        wanted = {read for target in targets for read in (target, *self.upstream(target))}
        records = {path: snakemake._read_record(path) for path in wanted}
        stale = {
            path
            for path in wanted
            if (records[path] is not None and records[path].params != [str(self.settings[path])])
            or (path in targets and not Path(path).is_file())
        }
        made = set(stale)
        for path in [*FILES, *reversed(FILES), *FILES]:  # downwards what follows, upwards what is missing for it
            if path in wanted and any(read in made for read in READS[path]):
                made.add(path)
            if path in made:
                made |= {read for read in READS[path] if not Path(read).is_file()}
        return stale, [path for path in FILES if path in made]

    def upstream(self, path):
        for read in READS[path]:
            yield read
            yield from self.upstream(read)

    def run(self, plan, saves=True, fails_at=None):
        for path in plan[1]:
            Path(path).unlink(missing_ok=True)
            receipts.discard([path])
            fails = path == fails_at or not all(Path(read).is_file() for read in READS[path])
            if not fails:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                text = " ".join([path, str(self.settings[path]), *(Path(read).read_text() for read in READS[path])])
                Path(path).write_text(hashlib.sha256(text.encode()).hexdigest())
                receipts.write({read: checksum(read) for read in READS[path]}, {path: checksum(path)}, {})
            record = MetadataRecord(
                rule="r", params=[str(self.settings[path])], record_format_version=6, endtime=1.0, incomplete=False
            )
            FilePersistence(path=Path(".snakemake"))._write_record(path, record)
            if fails:
                break
        if saves:
            self.records().save()

    # What people do.

    def commit(self):
        kept = [*LIGHT, *(str(path) for path in Path(ROOT, "provenance").glob("*.json"))]
        self.history.append(
            ({path: Path(path).read_text() for path in kept if Path(path).is_file()}, dict(self.settings))
        )

    def set(self):
        self.settings[self.random.choice(FILES)] = self.random.randrange(3)

    def make_all(self):
        self.run(self.plan())

    def make_one(self):
        target = self.random.choice(FILES)
        self.run(self.plan([target]))

    def make_and_be_killed(self):
        stale, made = self.plan()
        self.run((stale, made[: self.random.randrange(len(made) + 1)]), saves=False)

    def fail(self):
        plan = self.plan()
        self.run(plan, fails_at=self.random.choice(plan[1] or FILES))

    def alter(self):
        path = self.random.choice(LIGHT)
        if Path(path).is_file():
            Path(path).write_text("forged")
            time = self.random.choice([1, 4e9])
            os.utime(path, (time, time))

    def damage(self):
        path = self.random.choice(HEAVY)
        if Path(path).is_file():
            Path(path).write_text("damaged")

    def touch(self):
        for path in FILES:
            if Path(path).is_file():
                time = self.random.choice([1, 1e9, 4e9])
                os.utime(path, (time, time))

    def delete(self):
        Path(self.random.choice(FILES)).unlink(missing_ok=True)

    def lose_heavy_files(self):
        for path in HEAVY:
            Path(path).unlink(missing_ok=True)

    def clone(self):
        self.commit()
        shutil.rmtree(ROOT)
        shutil.rmtree(".snakemake")
        self.check_out(self.history[-1], FILES, settings=True, provenance=LAYERS)

    def check_out_commit(self):
        for path in LIGHT:
            Path(path).unlink(missing_ok=True)
        self.check_out(self.random.choice(self.history), FILES, settings=True, provenance=LAYERS)

    def check_out_one_file(self):
        self.check_out(self.random.choice(self.history), [self.random.choice(LIGHT)], settings=False)

    def check_out_one_layer(self):
        layer = self.random.choice(list(LAYERS))
        self.check_out(self.random.choice(self.history), LAYERS[layer], settings=False, provenance=[layer])

    def check_out(self, commit, files, *, settings, provenance=()):
        contents, were = commit
        for path, text in contents.items():
            is_record = "/provenance/" in path
            chosen = (
                provenance is True or (provenance and Path(path).stem in provenance) if is_record else path in files
            )
            if chosen:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text)
        if settings:
            self.settings = dict(were)

    ACTIONS = (
        *(set, set, make_all, make_all, make_one, make_one, make_and_be_killed, fail, alter, alter, damage, touch),
        *(delete, lose_heavy_files, clone, commit, check_out_commit, check_out_one_file, check_out_one_layer),
    )


@pytest.mark.parametrize("seed", range(10))
def test_exactly_what_is_not_right_is_made_again(seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, done = Folder(seed), []
    for _ in range(STEPS):
        action = folder.random.choice(Folder.ACTIONS)
        action(folder)
        done.append(action.__name__)
        story = f"seed {seed}: {', '.join(done[-12:])}"
        stale, made = folder.plan()
        for path in FILES:
            if Path(path).is_file() and not folder.is_right(path):
                assert path in made, f"{path} is wrong and believed; {story}"
        proven = recorded()
        for path in stale:
            # A file that is right by luck alone, without a record that says so, is made again, and so is what reads it.
            chain = [path, *READS[path]]
            proved = all(folder.is_right(file) and checksum(file) in proven[file] for file in chain)
            assert not proved, f"{path} is right and made again; {story}"
        if not made:
            assert all(folder.is_right(path) for path in LIGHT), story


def recorded():
    """The contents that the records, those in git and those that wait, speak of."""
    found = collections.defaultdict(set)
    for path, entry in json.loads(Path(".snakemake/records/s.json").read_text()).items():
        found[path].add(entry["checksum"])
    for layer in Path(ROOT, "provenance").glob("*.json"):
        for job in json.loads(layer.read_text())["jobs"]:
            for path, content in job["outputs"].items():
                found[path].add(content)
    return found


class Watched:
    """A real study; DVC compares the bytes of what it knows, Snakemake what they mean."""

    RUN = "digits-vgg11-mse"
    CODE = "workflow/neural_collapse/figures/figure_07.py"

    def __init__(self, study, seed):
        self.study, self.random = study, random.Random(seed)
        self.code = (study.path / self.CODE).read_text()
        self.made, self.locked = self.meant(), self.written()

    # The model.

    def written(self):
        files = {path: content for path, (_, content) in self.study.state_of("results").items()}
        return files | {file: (self.study.path / file).read_bytes() for file in ("config.yaml", self.CODE)}

    def meant(self):
        written = self.written()
        training = yaml.safe_load(written.pop("config.yaml"))["studies"]["tiny"]
        rate = training["runs"][self.RUN].get("learning_rate", training["training"]["learning_rate"])
        statements = re.sub(b"#.*", b"", written.pop(self.CODE)).split()
        return rate, statements, {path: content for path, content in written.items() if "/provenance/" not in path}

    # What people do.

    def set_a_rate(self):
        rate = self.random.choice([0.02, 0.03])
        self.study.edit("config.yaml", rf"{self.RUN}: \{{.*\}}", f"{self.RUN}: {{learning_rate: {rate}}}")

    def comment(self):
        self.append(self.CODE, f"# {self.random.random()}\n")

    def add_a_statement(self):
        self.append(self.CODE, "assert True\n")

    def take_the_code_back(self):
        (self.study.path / self.CODE).write_text(self.code)

    def alter(self):
        name = self.random.choice(["metrics.csv", "claims.csv", "figures/figure-07.png", "theory/small.csv"])
        if (self.study.path / f"results/tiny/{name}").exists():
            self.append(f"results/tiny/{name}", "0")

    def delete(self):
        kept = [path for path in self.study.state_of("results") if not re.search("/provenance/|/data/|ignore", path)]
        (self.study.path / self.random.choice(kept)).unlink()

    def touch(self):
        for path in self.study.state_of("results"):
            os.utime(self.study.path / path, (1e9, 1e9))

    def make(self):
        by_dvc = self.random.random() < 0.5
        self.study.run(*(["dvc", "repro"] if by_dvc else ["snakemake", "--cores", "2"]))
        self.made = self.meant()
        if by_dvc:
            self.locked = self.written()

    def append(self, file, text):
        with open(self.study.path / file, "a") as stream:
            stream.write(text)

    ACTIONS = (set_a_rate, comment, add_a_statement, take_the_code_back, alter, delete, touch, make, make)


def test_snakemake_and_dvc_both_see_exactly_what_has_changed(study):
    """NEURAL_COLLAPSE_WALK gives ten times the number of steps, NEURAL_COLLAPSE_SEED the seed."""
    watched = Watched(study, os.environ.get("NEURAL_COLLAPSE_SEED", "1"))
    for number in range(STEPS // 10):
        action = watched.random.choice(Watched.ACTIONS)
        action(watched)
        print(number, action.__name__)
        assert (study.plan() == {}) == (watched.meant() == watched.made), action.__name__
        assert ("up to date" in study.run("dvc", "status")) == (watched.written() == watched.locked), action.__name__
    study.run("dvc", "repro")
    assert study.plan() == {} and "up to date" in study.run("dvc", "status")
