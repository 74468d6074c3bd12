"""Networks, losses and the training of one network."""
