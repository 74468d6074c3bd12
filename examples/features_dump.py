"""A dump of features, labels and the last layer of one network: its measures and figures in three lines.

`neural-collapse measure dump.pt --output table.csv`, `neural-collapse figures table.csv` do the same without Python.
"""

import torch

from neural_collapse import draw_figures, measure_files

# Whatever your network gave; here noise about three class means.
labels = torch.arange(300) % 3
means = 3 * torch.randn(3, 16)
features = means[labels] + torch.randn(300, 16)
layer = torch.nn.Linear(16, 3)
torch.save({"features": features, "labels": labels, "weight": layer.weight.data, "bias": layer.bias.data}, "dump.pt")

table = measure_files(["dump.pt"])
table.to_csv("table.csv", index=False)
draw_figures(table, "figures")
