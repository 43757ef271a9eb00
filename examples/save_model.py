#!/usr/bin/env python3
"""Saves a small convolutional network as a TorchScript file, for `ogee compare --model FILE`.

    save_model.py FILE [--trace]

It is for pictures of one channel, such as Fashion-MNIST's 28 x 28. Two of its activations are modules, relu, and one is
called as a function, gelu; `ogee show FILE` finds all three.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, side, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.relu2 = nn.ReLU(inplace=True)
        self.hidden = nn.Linear(16 * (side // 4) ** 2, 64)
        self.output = nn.Linear(64, classes)

    def forward(self, x):
        x = F.max_pool2d(self.relu1(self.conv1(x)), 2)
        x = F.max_pool2d(self.relu2(self.conv2(x)), 2)
        x = F.gelu(self.hidden(x.flatten(1)))
        return self.output(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--side", type=int, default=28, help="pixels along one side of a picture")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--trace", action="store_true", help="torch.jit.trace instead of torch.jit.script")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    net = Net(arguments.side, arguments.classes)
    example = torch.zeros(2, 1, arguments.side, arguments.side)
    script = torch.jit.trace(net, example) if arguments.trace else torch.jit.script(net)
    script.save(arguments.file)


main()
