#!/usr/bin/python3
"""Golden files: values and all partial derivatives of every activation function.

This is the independent oracle of the tests. It shares no code with the library:
each NAME.golden file carries its own mathematical definition in its header, and
this script evaluates that definition with mpmath (at 120 digits or more).

Only Python 3 and mpmath are needed (Debian: python3-mpmath).
"""

import argparse
import os
import re
import struct
import sys

try:
    import mpmath
    from mpmath import mp
except ImportError:
    sys.exit("make_golden.py: needs mpmath (Debian: apt-get install python3-mpmath, then /usr/bin/python3)")

from formulas import Expression, GoldenError, step_size  # after the message above: it needs mpmath too

EXAMPLES = r"""
examples:
  make a new file (tests/golden/x_atan_x.golden), then look at it:
    make_golden.py NEW --function x_atan_x \
        --arguments 'x[-12,12] beta[-2,2]=1' --formula 'x*atan(beta*x)'

  a function with kinks, and one with branches and a kink that moves with a parameter:
    make_golden.py NEW --function relu6 --arguments 'x[-12,12]' \
        --formula 'clip(x, 0, 6)' --kinks '0; 6'
    make_golden.py NEW --function softshrink --arguments 'x[-4,4] lambda[0.1,2]=0.5' \
        --formula 'where(x > lambda, x - lambda, where(x < -lambda, x + lambda, 0))' \
        --kinks 'lambda; -lambda'

  a noisy function (noise last), and a straight-through derivative:
    make_golden.py NEW --function noisy_rectifier --arguments 'x[-4,4] sigma[0.05,2]=0.1 e~normal' \
        --formula 'relu(x + sigma*e)' --away 'x + sigma*e'
    make_golden.py NEW --function step --arguments 'x[-12,12]' \
        --formula 'where(x > 0, 1, 0)' --kinks 0 --derivative x=1

  regenerate every file, or some, from their own headers; check the stored rows:
    make_golden.py
    make_golden.py swish.golden gelu.golden
    make_golden.py --check

header lines (a file that holds only these can be given to make_golden.py too):
  # function:   NAME
  # let:        v = tanh(x) - x        (optional, repeatable: a name for the lines below)
  # formula:    a Python expression; every number in it is an exact decimal; `lambda` may be an argument
  # derivative: x = 1                  (optional, repeatable: by definition, instead of by differences)
  # arguments:  x[-12,12] beta[-2,2]=1 (name[low,high], name[low,high]=default, e~normal, e~uniform)
  # inputs:     2                      (optional: how many of the arguments are inputs; 1)
  # flags:      clip                   (optional: parameters that are only 0 or 1; derivative 0)
  # kinks:      0; 6; b: -limit        (optional: points that an input keeps away from; the first input unless named)
  # away:       x + sigma*e by 1e-4    (optional, ;-separated: expressions that keep away from zero)
  # tails:      x[-700,100]            (optional: how far the tail samples go; 2.5 times the range)
  # columns:    written by this script

functions for formulas:
  abs sqrt exp expm1 log log1p sin cos tan sinh cosh tanh atan erf erfc pi max min sgn where(c,a,b) clip(x,low,high)
  relu sigmoid softplus(x,beta=1) log_sigmoid Phi(normal cdf) gelu gelu_tanh gelu_quick silu mish
  elu(x,alpha=1) selu softsign squareplus(x,b=4) isru(x,alpha=1) gaussian squared_relu hardtanh
  arctan_gate bspline3(t)(the cardinal cubic B-spline, support [0,4]) D(f,x)(derivative of a function named here)
"""

ROWS = 200
DIGITS = 25
# A value is accepted when two of these working precisions (decimal digits) agree to AGREE.
PRECISIONS = (120, 160, 320, 640, 1200)
AGREE = 32
SMALLEST, LARGEST = 1e-290, 1e290  # magnitudes outside are not sampled
MASK = (1 << 64) - 1


# ---------------------------------------------------------------- the definition in a header

class Argument:
    def __init__(self, text):
        match = re.fullmatch(r"(\w+)~(normal|uniform)", text)
        self.default = None
        if match:
            self.name, self.noise = match.groups()
            return
        match = re.fullmatch(r"(\w+)\[([^,\]]+),([^,\]]+)\](?:=(.+))?", text)
        if not match:
            raise GoldenError("cannot read the argument '%s'; write name[low,high], "
                              "name[low,high]=default, e~normal or e~uniform" % text)
        self.noise = None
        self.name = match.group(1)
        self.low, self.high = (float(Expression(match.group(i))({})) for i in (2, 3))
        if match.group(4):
            self.default = float(Expression(match.group(4))({}))

    @property
    def key(self):
        return "lambda_" if self.name == "lambda" else self.name


class Definition:
    KEYS = ("function", "let", "formula", "derivative", "arguments", "inputs", "flags", "kinks",
            "away", "tails", "columns")

    def __init__(self, lines):
        """lines: pairs (key, text), in the order of the file."""
        self.lines = [(k, t.strip()) for k, t in lines if k != "columns"]
        one = {}
        self.lets, self.derivatives = [], {}
        for key, text in self.lines:
            if key not in self.KEYS:
                raise GoldenError("unknown header line '%s'; known: %s" % (key, ", ".join(self.KEYS)))
            if key == "let":
                name, _, expression = text.partition("=")
                self.lets.append((name.strip(), Expression(expression)))
            elif key == "derivative":
                name, _, expression = text.partition("=")
                self.derivatives[name.strip()] = Expression(expression)
            elif key in one:
                raise GoldenError("two lines '%s'" % key)
            else:
                one[key] = text
        for key in ("function", "formula", "arguments"):
            if key not in one:
                raise GoldenError("the header has no line '%s'" % key)
        self.name = one["function"]
        self.formula = Expression(one["formula"])
        self.arguments = [Argument(t) for t in one["arguments"].split()]
        self.noise = self.arguments[-1] if self.arguments[-1].noise else None
        self.smooth = [a for a in self.arguments if not a.noise]
        if len(self.smooth) < len(self.arguments) - 1 or not self.smooth:
            raise GoldenError("there is one noise argument at most, and it is the last")
        count = int(one.get("inputs", "1"))
        self.inputs, self.parameters = self.smooth[:count], self.smooth[count:]
        self.flags = one.get("flags", "").split()
        names = {a.name: a for a in self.smooth}
        for name in list(self.derivatives) + self.flags:
            if name not in names:
                raise GoldenError("'%s' is not an argument with a derivative" % name)
        self.kinks = {a.name: [] for a in self.inputs}
        for text in filter(None, (t.strip() for t in one.get("kinks", "").split(";"))):
            match = re.fullmatch(r"(\w+)\s*:\s*(.+)", text)
            name, expression = match.groups() if match else (self.inputs[0].name, text)
            if name not in self.kinks:
                raise GoldenError("kinks: '%s' is not an input" % name)
            self.kinks[name].append(Expression(expression))
        self.away = []
        for text in filter(None, (t.strip() for t in one.get("away", "").split(";"))):
            expression, _, distance = text.partition(" by ")
            self.away.append((Expression(expression), float(distance or "1e-4")))
        self.tails = {a.name: (2.5 * a.low, 2.5 * a.high) for a in self.inputs}
        for text in one.get("tails", "").split():
            tail = Argument(text)
            self.tails[tail.name] = (tail.low, tail.high)
        self.columns = [a.name for a in self.arguments] + ["value"] + ["d/d" + a.name for a in self.smooth]

    # -- evaluation, at the current precision

    def names(self, values):
        names = dict(values)
        for name, expression in self.lets:
            names[name] = expression(names)
        return names

    def value(self, values):
        return self.formula(self.names(values))

    def partial(self, argument, values):
        if argument.name in self.flags:
            return mp.zero
        if argument.name in self.derivatives:
            return self.derivatives[argument.name](self.names(values))
        h = step_size()
        above, below = dict(values), dict(values)
        above[argument.key] = values[argument.key] + h
        below[argument.key] = values[argument.key] - h
        return (self.value(above) - self.value(below)) / (2 * h)

    # -- evaluation, to a known accuracy

    def outputs(self, row):
        """The value and the partials of one row of doubles, each right to AGREE digits; or None."""
        values = {a.key: mp.mpf(x) for a, x in zip(self.arguments, row)}
        results = [settle(lambda: self.value(values))]
        for argument in self.smooth:
            if results[-1] is None:
                return None
            results.append(settle(lambda: self.partial(argument, values)))
        return None if results[-1] is None else results

    def keeps_away(self, row):
        """Is the row at a safe distance from every kink?"""
        with mp.workdps(40):
            values = {a.key: mp.mpf(x) for a, x in zip(self.arguments, row)}
            names = self.names(values)
            for argument in self.inputs:
                x = values[argument.key]
                for kink in self.kinks[argument.name]:
                    k = kink(names)
                    if x == k or abs(x - k) < 1e-4 * min(abs(k), 1):
                        return False
            return all(abs(expression(names)) >= distance for expression, distance in self.away)


def settle(compute):
    """compute() at rising precisions until two agree to AGREE digits; None where they never do."""
    before = None
    for dps in PRECISIONS:
        with mp.workdps(dps):
            now = compute()
            if not mp.isfinite(now):
                return None
            if before is not None:
                if before == 0 and now == 0:
                    # a true zero, or a digit lost beyond 160? The highest precision tells.
                    with mp.workdps(PRECISIONS[-1]):
                        if compute() == 0:
                            return mp.zero
                elif abs(now - before) <= abs(now) * mp.mpf(10) ** -AGREE:
                    return now
            before = now
    return None


# ---------------------------------------------------------------- sample points

def mix(x):
    """splitmix64's finaliser."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)

def hash_text(text):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h

def uniform(key, index, attempt):
    """In (0,1), keyed on a text: attempt 0 is a Weyl sequence along index, the others are hashed."""
    word = (mix(hash_text(key)) + index * 0x9E3779B97F4A7C15) & MASK
    if attempt:
        word = mix(word ^ mix(attempt))
    return ((word >> 11) + 0.5) / (1 << 53)

def spread(low, high, u):
    """u in (0,1) to [low, high], on a log scale where both are positive and far apart."""
    with mp.workdps(40):
        low, high, u = mp.mpf(low), mp.mpf(high), mp.mpf(u)
        if low > 0 and high >= 20 * low:
            return float(low * (high / low) ** u)
        return float(low + (high - low) * u)

def to_float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]

# What an input's sample is, cycling over the rows: Uniform in the range, Near zero (log-spaced,
# 1e-8 to 1), in a Tail, beside a Kink (1e-3 to 0.1 away).
SLOTS_SMOOTH = "UNTUNUNTUTUNTUUNTUUT"
SLOTS_KINKED = "UNKTUKUNTKUNTUKUNTUK"

def sample_input(definition, argument, position, i, attempt, values):
    low, high = argument.low, argument.high
    tail_low, tail_high = definition.tails[argument.name]
    kinks = definition.kinks[argument.name]
    slots = SLOTS_KINKED if kinks else SLOTS_SMOOTH
    kind = slots[(i * (1, 3, 7)[position % 3] + 5 * position) % 20]
    key = "%s/%s/%s" % (definition.name, argument.name, kind)
    u, v = uniform(key, i, attempt), uniform(key + "/second", i, attempt + 1)
    with mp.workdps(40):
        if kind == "N":
            return float((1 if v < 0.5 else -1) * mp.mpf(10) ** (-8 * mp.mpf(u)))
        if kind == "T":
            negative = tail_low < low and (v < 0.5 or tail_high <= high)
            if negative:
                return -spread(-low, -tail_low, u) if low < 0 else spread(tail_low, low, u)
            if tail_high > high:
                return spread(high, tail_high, u)
        if kind == "K":
            names = definition.names(values)
            kink = kinks[(i // 2) % len(kinks)](names)
            return float(kink + (1 if v < 0.5 else -1) * mp.mpf(10) ** (-3 + 2 * mp.mpf(u)))
    return spread(low, high, u)

def sample_noise(definition, i, attempt, narrow):
    if i % 19 == 7:   # where the evaluation forms meet the training forms
        if definition.noise.noise == "uniform":
            return 0.5
        return 0.0 if (i // 19) % 2 == 0 else 0.7978845608028654
    u = uniform(definition.name + "/noise", i, attempt + 1)
    if definition.noise.noise == "uniform":
        return min(narrow(u), 1 - 2.0**-24)
    with mp.workdps(40):
        return narrow(float(mp.sqrt(2) * mp.erfinv(2 * mp.mpf(u) - 1)))

def sample_row(definition, i, attempt):
    """The arguments of row i. Every second row holds float32 numbers only, where defaults allow."""
    narrow = to_float32 if (i + i // 20) % 2 else float
    parameters, noise = [], []
    for argument in definition.parameters:
        if argument.default is not None and i < ROWS // 2:
            parameters.append(argument.default)
        elif argument.name in definition.flags:
            parameters.append(float((i // 2 + i // 20) % 2))
        else:
            key = "%s/%s" % (definition.name, argument.name)
            parameters.append(narrow(spread(argument.low, argument.high, uniform(key, i, attempt + 1))))
    if definition.noise:
        noise.append(sample_noise(definition, i, attempt, narrow))
    values = {a.key: mp.mpf(x) for a, x in zip(definition.parameters, parameters)}
    for argument in definition.inputs:      # a kink may depend on parameters, not on an input
        values.setdefault(argument.key, mp.zero)
    if definition.noise:
        values[definition.noise.key] = mp.mpf(noise[0])
    inputs = [narrow(sample_input(definition, a, k, i, attempt, values))
              for k, a in enumerate(definition.inputs)]
    if attempt == 0 and (i == 3 or i == ROWS - 3 and len(definition.arguments) > 1):
        inputs[0] = 0.0
    return inputs + parameters + noise

def make_row(definition, i):
    for attempt in range(400):
        row = sample_row(definition, i, attempt)
        if not definition.keeps_away(row):
            continue
        results = definition.outputs(row)
        if results and all(r == 0 or SMALLEST <= abs(r) <= LARGEST for r in results):
            return row, results
    raise GoldenError("%s: no acceptable sample point for row %d: kinks, tails or ranges leave no room, "
                      "or a derivative does not converge" % (definition.name, i))


# ---------------------------------------------------------------- files

def number(x):
    return "0" if x == 0 else mp.nstr(x, DIGITS)

def argument_text(x):
    return repr(x)

def read(path):
    """The definition in a golden file, and its rows as (line number, fields)."""
    header, rows, columns = [], [], None
    with open(path, encoding="ascii") as file:
        for n, line in enumerate(file, 1):
            line = line.rstrip("\n")
            match = re.fullmatch(r"#\s*(\w+)\s*:(.*)", line)
            if match:
                header.append((match.group(1), match.group(2)))
                if match.group(1) == "columns":
                    columns = match.group(2).split()
            elif line and not line.startswith("#"):
                rows.append((n, line.split()))
    definition = Definition(header)
    stem = os.path.basename(path).rsplit(".", 1)[0]
    if stem != definition.name:
        raise GoldenError("the header says function '%s'" % definition.name)
    return definition, rows, columns

def write(path, definition):
    lines = ["# %s: %s" % line for line in definition.lines]
    lines.append("# columns: " + " ".join(definition.columns))
    for i in range(ROWS):
        row, results = make_row(definition, i)
        lines.append(" ".join([argument_text(x) for x in row] + [number(r) for r in results]))
    temporary = path + ".new"
    with open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(temporary, path)
    print("wrote %s: %d rows, columns %s" % (path, ROWS, " ".join(definition.columns)))

def check(path, every):
    """The number of differences between the stored rows and recomputed ones; each is printed."""
    definition, rows, columns = read(path)
    faults = 0

    def fault(n, text):
        nonlocal faults
        faults += 1
        print("%s:%d: %s" % (path, n, text))

    if columns != definition.columns:
        fault(1, "the columns line should be: # columns: " + " ".join(definition.columns))
    if not rows:
        fault(1, "no rows; run make_golden.py on this file")
    count = len(definition.arguments)
    for n, fields in rows[::every]:
        if len(fields) != len(definition.columns):
            fault(n, "%d fields, not %d" % (len(fields), len(definition.columns)))
            continue
        try:
            row = [float(t) for t in fields[:count]]
            with mp.workdps(60):
                stored = [mp.mpf(t) for t in fields[count:]]
        except ValueError:
            fault(n, "not a number")
            continue
        if not definition.keeps_away(row):
            fault(n, "too near a kink")
            continue
        results = definition.outputs(row)
        if results is None:
            fault(n, "a result does not converge")
            continue
        for column, old, new in zip(definition.columns[count:], stored, results):
            with mp.workdps(60):
                if abs(old - new) > abs(new) * mp.mpf(10) ** (1 - DIGITS):
                    fault(n, "%s is %s in the file, %s recomputed" % (column, number(old), number(new)))
    return faults


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE",
                        help="golden files to regenerate or check (all beside this script); NEW, or a path, "
                             "together with --function makes a new one")
    parser.add_argument("--check", action="store_true",
                        help="recompute the stored rows; exit 1 and name file and line where they differ")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="with --check: only every N-th row")
    parser.add_argument("--force", action="store_true", help="with --function: replace an existing file")
    new = parser.add_argument_group("a new file")
    new.add_argument("--function", metavar="NAME")
    new.add_argument("--formula", metavar="EXPR")
    new.add_argument("--arguments", metavar="LIST")
    new.add_argument("--inputs", metavar="N")
    new.add_argument("--let", action="append", default=[], metavar="'NAME = EXPR'")
    new.add_argument("--derivative", action="append", default=[], metavar="NAME=EXPR")
    new.add_argument("--flags", metavar="NAMES")
    new.add_argument("--kinks", metavar="LIST", help="write --kinks=-1 where the list starts with a minus")
    new.add_argument("--away", metavar="LIST")
    new.add_argument("--tails", metavar="LIST")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))

    try:
        if options.function:
            if len(options.files) > 1:
                parser.error("--function makes one file")
            header = [("function", options.function)]
            header += [("let", t) for t in options.let]
            header.append(("formula", options.formula or parser.error("--function needs --formula")))
            header += [("derivative", " = ".join(t.split("=", 1))) for t in options.derivative]
            header.append(("arguments", options.arguments or parser.error("--function needs --arguments")))
            for key in ("inputs", "flags", "kinks", "away", "tails"):
                if getattr(options, key):
                    header.append((key, getattr(options, key)))
            path = options.files[0] if options.files and options.files[0] != "NEW" else \
                os.path.join(here, options.function + ".golden")
            if os.path.exists(path) and not options.force:
                raise GoldenError("%s exists; --force replaces it" % path)
            write(path, Definition(header))
            return 0

        files = options.files or sorted(
            os.path.join(here, f) for f in os.listdir(here) if f.endswith(".golden"))
        if not files:
            raise GoldenError("no golden files")
        faults = 0
        for path in files:
            try:
                if options.check:
                    faults += check(path, options.every)
                else:
                    write(path, read(path)[0])
            except (GoldenError, OSError, ValueError) as error:
                print("%s: %s" % (path, error), file=sys.stderr)
                faults += 1
        if options.check:
            print("%d files, %d differences" % (len(files), faults))
        return 1 if faults else 0
    except GoldenError as error:
        print("make_golden.py: %s" % error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
