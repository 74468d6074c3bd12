"""A training loop of one's own: a model of torchvision, data of one's own, measured after every epoch."""

import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from neural_collapse import draw_figures, measure

images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8).expand(-1, 3, -1, -1) / 16
data = DataLoader(TensorDataset(images[:300], torch.tensor(labels[:300])), batch_size=50, shuffle=True)
model, rows = resnet18(num_classes=10), []
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(1, 3):
    for batch, truth in data:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch), truth).backward()
        optimizer.step()
    rows.append({"epoch": epoch, **measure(model, data, classifier="fc", loss="ce")})
pd.DataFrame(rows).to_csv("table.csv", index=False)
draw_figures(pd.DataFrame(rows), "figures")
