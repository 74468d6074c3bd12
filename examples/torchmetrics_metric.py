"""A stream of features that memory need not hold, on one process or many: a torchmetrics.Metric."""

import pandas as pd
import torch

from neural_collapse import CollapseMetric, draw_figures

layer = torch.nn.Linear(16, 3)
means, rows = torch.randn(3, 16), []
metric = CollapseMetric([100, 100, 100], layer)
for epoch in range(1, 6):
    for _ in range(10):  # batches, of this process alone
        labels = torch.arange(30) % 3
        metric.update(means[labels] + torch.randn(30, 16) / epoch, labels)
    rows.append({"epoch": epoch, **metric.compute()})  # of all processes
    metric.reset()
pd.DataFrame(rows).to_csv("table.csv", index=False)
draw_figures(pd.DataFrame(rows), "figures")
