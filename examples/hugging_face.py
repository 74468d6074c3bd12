"""An image classifier of Hugging Face's transformers, from a configuration: no download."""

import pandas as pd
import torch
from torch.utils.data import DataLoader
from transformers import ViTConfig, ViTForImageClassification

from neural_collapse import draw_figures, measure

size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
model = ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, num_labels=3, **size))
examples = [{"pixel_values": torch.randn(3, 32, 32) + i % 3, "labels": i % 3} for i in range(90)]
data, rows = DataLoader(examples, batch_size=30, shuffle=True), []
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(1, 6):
    for batch in data:
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    rows.append({"epoch": epoch, **measure(model, data, classifier="classifier", loss="ce")})
pd.DataFrame(rows).to_csv("table.csv", index=False)
draw_figures(pd.DataFrame(rows), "figures")
