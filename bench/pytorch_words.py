#!/usr/bin/env python3
"""How fast PyTorch trains the word model of claims/penn_treebank.toml, as one would write it: nn.LSTM on one thread.

    bench/pytorch_words.py ptb.train.txt.gz [--steps 300] [--units 200] [--threads 1]

Two layers, batches of 20 rows, windows of 20 words, the state carried from window to window, SGD with gradients cut
down to a norm of 5. Prints the version, tokens a second (the median step's) and the loss per word of the last step.
"""

import argparse
import gzip
import statistics
import time

import torch


def words(path):
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield from line.split()
            yield "<eos>"


class Model(torch.nn.Module):
    def __init__(self, vocabulary, units):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, units)
        self.lstm = torch.nn.LSTM(units, units, num_layers=2)
        self.output = torch.nn.Linear(units, vocabulary)
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -0.1, 0.1)

    def forward(self, x, state):
        y, state = self.lstm(self.embedding(x), state)
        return self.output(y), state


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    rows, window = 20, 20
    numbers, text = {}, []
    for word in words(options.text):
        text.append(numbers.setdefault(word, len(numbers)))
    data = torch.tensor(text)
    length = (len(data) - 1) // rows
    inputs, targets = (data[k : k + rows * length].view(rows, length).t() for k in (0, 1))
    model = Model(len(numbers), options.units)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    state = None
    seconds = []
    for step in range(options.steps):
        at = step * window % (length - window)
        # A thread's own time: other programs may want the same core.
        start = time.thread_time() if options.threads == 1 else time.perf_counter()
        output, state = model(inputs[at : at + window], state)
        state = tuple(s.detach() for s in state)
        loss = torch.nn.functional.cross_entropy(output.flatten(0, 1), targets[at : at + window].flatten())
        optimiser.zero_grad()
        (window * loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimiser.step()
        now = time.thread_time() if options.threads == 1 else time.perf_counter()
        seconds.append(now - start)
    step = statistics.median(seconds[len(seconds) // 10 :])
    print(f"PyTorch {torch.__version__}: {rows * window / step:.0f} tokens/s, {1e3 * step:.1f} ms a step, "
          f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
