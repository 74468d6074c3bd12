"""A folder with a file of features for each epoch, and the labels once: curves over epochs."""

from pathlib import Path

import numpy as np

from neural_collapse import draw_figures, measure_files

# Whatever your training kept; here examples that come closer to their class means, epoch by epoch.
random, folder = np.random.default_rng(0), Path("features")
folder.mkdir(exist_ok=True)
labels = np.repeat(["cat", "dog", "eel"], 50)
means = np.repeat(random.normal(size=(3, 8)), 50, axis=0)
np.save(folder / "labels.npy", labels)
for epoch in (1, 3, 10, 30, 100):
    np.save(folder / f"epoch-{epoch:03d}-features.npy", means + random.normal(size=means.shape) / epoch)

table = measure_files([folder])  # no classifier: what needs none is measured
table.to_csv("table.csv", index=False)
draw_figures(table, "figures")
