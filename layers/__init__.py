"""Networks: layers, losses, training, data, saving."""
