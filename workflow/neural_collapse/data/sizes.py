"""How large a study's data sets are once prepared, without their images."""

from pathlib import Path

from ..config.sizes import DataSize, published_size
from ..config.study import Study
from ..errors import InputError
from ..storage import read_json


def size_of_data(study: Study, name: str, results: Path) -> DataSize:
    """The size of one of a study's data sets: as published, or of a user's own by the card in the study's results.

    Raises
    ------
    InputError
        One sentence, where a user's own is not prepared yet, or its card is damaged.
    """
    where = f"config.yaml: studies.{study.name}.datasets.{name}"
    published = published_size(study.datasets[name], where)
    if published:
        return published
    path = results / "datasets" / f"{name}.json"
    if not path.is_file():
        raise InputError(f"{where}: how large it is shows once it is prepared; run `snakemake --cores all data` first.")
    card = read_json(path, "a data set's card", "image", "train_per_class", "test_per_class", "classes")
    try:
        channels, image_size, _ = card["image"]
        train, test = sum(card["train_per_class"]), sum(card["test_per_class"])
        return DataSize(int(channels), int(image_size), len(card["classes"]), int(train), int(test))
    except (TypeError, ValueError):
        raise InputError(f"{path}: not a data set's card; restore it with `git checkout`, or delete it.") from None
