#!/usr/bin/env python3
"""A model saved from Python: ogee show lists its activations, ogee compare replaces them.

Usage: test_model_files.py PROGRAM. Skipped (exit status 77) where this Python has no torch.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
try:
    import torch
    from torch import nn
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)


def run(*arguments, status=0):
    result = subprocess.run([PROGRAM, *map(str, arguments)], text=True, capture_output=True, timeout=300)
    assert result.returncode == status, (arguments, result.returncode, result.stderr)
    return result


def refuse(message, *arguments):
    result = run(*arguments, status=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and re.search(message, lines[0]), (message, result.stderr)
    assert not result.stdout


class Block(nn.Module):
    """A bottleneck with batch normalisation, a residual sum, and a gate over channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.gate = nn.Linear(4, 4)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3)))).unsqueeze(-1).unsqueeze(-1)
        y += x
        return self.act(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Hardswish())
        self.block = Block()
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(4 * 36, 10)

    def forward(self, x):
        return torch.log_softmax(self.output(self.dropout(self.block(self.stem(x)).flatten(1))), 1)


class Encoder(nn.Module):
    """Rows of a picture as a sequence; its evaluation has a way of its own through one fused operator."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.output = nn.Linear(16, 10)

    def forward(self, x):
        return self.output(self.layer(self.embed(x.squeeze(1))).mean(1))


QUICK = ["--epochs", 4, "--batch", 16, "--learning-rate", "0.01", "--train-limit", 300, "--quiet"]


def compare(folder, model, *arguments, seeds=1):
    run("compare", "--model", model, *QUICK, "--seeds", seeds, *arguments, "--out", folder)
    return json.loads((pathlib.Path(folder) / "results.json").read_text())


def example(d):
    for name, flags in (("scripted", []), ("traced", ["--trace"])):
        model = d / (name + ".pt")
        subprocess.run([sys.executable, EXAMPLES / "save_model.py", model, "--side", "8", *flags], check=True)
        sheet = json.loads(run("show", model, "--json", "--input", "2,1,8,8").stdout)
        assert [(a["name"], a["activation"], a["behind"]) for a in sheet["activations"]] == [
            ("relu1", "relu", "conv1.weight"), ("relu2", "relu", "conv2.weight"), ("gelu", "gelu", "hidden.weight")], sheet
        assert [a["shape"] for a in sheet["activations"]] == [[2, 8, 8, 8], [2, 16, 4, 4], [2, 64]], sheet
        assert sheet["parameters"] == sum(p.numel() for p in torch.jit.load(str(model)).parameters())
        assert all(re.search(r"^ +%s " % a["name"], run("show", model).stdout, re.M) for a in sheet["activations"])
        results = compare(d / (name + "-out"), model, "--activations", "relu,prelu,swiglu,nah(base=tanh)")
        assert results["complete"], results["runs_done"]
        relu, prelu, swiglu, nah = results["arms"]
        assert [run["status"] for arm in results["arms"] for run in arm["runs"]] == ["finished"] * 4
        assert relu["parameters"] == sheet["parameters"] and prelu["parameters"] == relu["parameters"] + 3
        assert swiglu["parameters"] > relu["parameters"]
        assert any("swiglu" in remark and "twice as wide" in remark for remark in results["remarks"]), results["remarks"]
        assert all(len(arm["gradients"]["start"]) == 3 for arm in results["arms"])
        assert all(arm["test_error"]["mean"] < 0.75 for arm in results["arms"]), "worse than guessing"
    return model


def own_blocks(d):
    torch.manual_seed(2)
    model = d / "net.pt"
    torch.jit.script(Net()).save(str(model))
    activations = {a["name"]: a for a in json.loads(run("show", model, "--json", "--input", "2,1,8,8").stdout)["activations"]}
    assert {n: (a["activation"], a["role"]) for n, a in activations.items()} == {
        "stem.1": ("hard_swish", "hidden"), "block.act": ("relu", "hidden"), "block.sigmoid": ("sigmoid", "gate"),
        "block.act#2": ("relu", "hidden")}, activations
    # The same again, and by another number of workers: the same results. Dropout and seeds included.
    results = [compare(d / out, model, "--activations", "relu,elu", "--workers", workers, seeds=2)
               for out, workers in (("w1", 1), ("w2", 2))]
    for arms in zip(*(r["arms"] for r in results)):
        assert arms[0]["test_error"] == arms[1]["test_error"] and arms[0]["test_loss"] == arms[1]["test_loss"]
    only = compare(d / "only", model, "--activations", "tanh,gelu", "--replace", "block.*act*", "--weights", "keep")
    assert all(len(arm["gradients"]["start"]) == 2 for arm in only["arms"])
    return model


def encoder(d):
    model = d / "encoder.pt"
    torch.manual_seed(3)
    net = torch.jit.script(Encoder())
    net.save(str(model))
    sheet = json.loads(run("show", model, "--json", "--input", "2,1,8,8").stdout)
    assert [a["activation"] for a in sheet["activations"] if a["times"]] == ["relu"], sheet
    # The fused way would compute relu at evaluation, whatever replaces it: the first losses, before any training, tell.
    results = compare(d / "encoder-out", model, "--activations", "relu,tanh", "--weights", "keep")
    relu, tanh = (arm["runs"][0]["points"][0]["validation_loss"] for arm in results["arms"])
    assert abs(relu - tanh) > 1e-4, (relu, tanh)


def refusals(d, model, blocks):
    text = d / "text.pt"
    text.write_text("no archive")
    refuse(r"text\.pt: is no TorchScript file", "show", text)
    refuse(r"missing\.pt: cannot be read", "compare", "--model", d / "missing.pt")
    weights = d / "weights.pt"
    torch.save(nn.Linear(2, 2).state_dict(), weights)
    refuse(r"weights\.pt: is no TorchScript file \(torch.jit.save", "show", weights)
    out = ["--out", d / "refused"]
    refuse(r"there are relu1, relu2, gelu", "compare", "--model", model, "--replace", "silu", *out)
    refuse(r"--weights some: expected new or keep", "compare", "--model", model, "--weights", "some", *out)
    refuse(r"--depth 3: .*has its own", "compare", "--model", model, "--depth", 3, *out)
    refuse(r"--replace relu1: only a model file", "compare", "--replace", "relu1", *out)
    refuse(r"swiglu cannot replace relu at block\.act#2: .*no linear layer or convolution", "compare", "--model", blocks,
           "--activations", "swiglu", "--replace", "block.act*", *out)
    refuse(r"does not run on an input of shape \[2, 3, 8, 8\]", "show", model, "--input", "2,3,8,8")
    wide = d / "wide.pt"
    torch.jit.script(nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3))).save(str(wide))
    refuse(r"wide\.pt: does not fit optdigits .*expected \[2, 10\] for 10 classes", "compare", "--model", wide, *out)
    assert not (d / "refused").exists() or not list((d / "refused").glob("report.html"))
    # Another model under the same name is another experiment.
    torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))).save(str(model))
    refuse(r"model_fingerprint", "compare", "--model", model, *QUICK, "--seeds", 1, "--activations", "relu,prelu,swiglu,nah(base=tanh)",
           "--out", d / "traced-out")


def main():
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        model = example(d)
        blocks = own_blocks(d)
        encoder(d)
        refusals(d, model, blocks)
    print("models saved from Python are shown, replaced and compared")


main()
