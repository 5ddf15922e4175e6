"""Loaders put data into a raw zone as the raw contract asks; what becomes of it is not their business."""
