"""A pretrained model of timm, its weights in a local file, on data of one's own.

`timm.create_model(name, pretrained=True)` downloads its weights; `checkpoint_path` takes a file that you have: here one
of untrained weights, written first, because the tests run this without a connection.
"""

import pandas as pd
import timm
import torch
from torch.utils.data import DataLoader, TensorDataset

from neural_collapse import draw_figures, measure

torch.save(timm.create_model("resnet10t", num_classes=5).state_dict(), "weights.pth")

model = timm.create_model("resnet10t", num_classes=5, checkpoint_path="weights.pth")
labels = torch.arange(60) % 5
data = DataLoader(TensorDataset(torch.randn(60, 3, 32, 32) + labels[:, None, None, None], labels), batch_size=20)
measures = {"network": "resnet10t", **measure(model, data, classifier=model.get_classifier())}
pd.DataFrame([measures]).to_csv("table.csv", index=False)
draw_figures(pd.DataFrame([measures]), "figures")
