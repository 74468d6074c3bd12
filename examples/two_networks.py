"""Two networks compared: a file each, a point each in every figure."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from neural_collapse import draw_figures, measure_files

images, labels = load_digits(return_X_y=True)
for name, units in {"narrow": 16, "wide": 128}.items():
    network = MLPClassifier([units], max_iter=30, random_state=0).fit(images, labels)
    hidden = np.maximum(images @ network.coefs_[0] + network.intercepts_[0], 0)
    weight, bias = network.coefs_[1].T, network.intercepts_[1]
    np.savez(f"{name}.npz", features=hidden, labels=labels, weight=weight, bias=bias)

table = measure_files(["narrow.npz", "wide.npz"], loss="ce", dataset="digits")
table.to_csv("table.csv", index=False)
draw_figures(table, "figures")
