#!/usr/bin/env python3
"""A digit classifier in plain PyTorch. It knows nothing of Ogee; `ogee watch -- python3 train.py` sees into it all the
same."""

import argparse
import csv
import gzip
import pathlib

import torch

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "optdigits.csv.gz"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1e-3, help="Adam's learning rate")
    parser.add_argument("--activation", default="ReLU", help="a class of torch.nn")
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--workers", type=int, default=0, help="processes that load the data")
    parser.add_argument("--fail", action="store_true", help="raise an exception at the end")
    options = parser.parse_args()

    torch.manual_seed(1)
    with gzip.open(DATA, "rt") as file:
        rows = torch.tensor([[float(cell) for cell in row] for row in csv.reader(file)])
    x, y = (rows[:, :-1] - 8) / 6, rows[:, -1].long()
    data = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, drop_last=True,
                                         num_workers=options.workers)

    layers, width = [], x.shape[1]
    for _ in range(options.depth):
        layers += [torch.nn.Linear(width, 64), getattr(torch.nn, options.activation)()]
        width = 64
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=options.rate)

    step = 0
    while step < options.steps:
        for inputs, labels in loader:
            step += 1
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            if step % 50 == 0:
                print(f"step {step}, loss {loss.item():.9g}", flush=True)
            if step == options.steps:
                break
    if options.fail:
        raise RuntimeError("as asked")


if __name__ == "__main__":
    main()
