"""What the formulas of golden values may say: functions in many-digit arithmetic, and expressions of them."""

import io
import keyword
import tokenize

from mpmath import mp


class GoldenError(Exception):
    pass


# ---------------------------------------------------------------- functions for formulas

def _one(x):
    return mp.mpf(x)

def where(condition, yes, no):
    return yes if condition else no

def relu(x):
    return x if x > 0 else mp.zero

def clip(x, low, high):
    return low if x < low else high if x > high else x

def sgn(x):
    return _one(1) if x > 0 else _one(-1) if x < 0 else mp.zero

def sigmoid(x):
    return 1 / (1 + mp.exp(-x))

def softplus(x, beta=1):
    t = beta * x
    return (relu(t) + mp.log1p(mp.exp(-abs(t)))) / beta

def log_sigmoid(x):
    return -softplus(-x)

def Phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2

def gelu(x):
    return x * Phi(x)

def gelu_tanh(x):
    # sigmoid(2 t) = (1 + tanh(t)) / 2, without its cancellation
    return x * sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + literal("0.044715") * x * x * x))

def gelu_quick(x):
    return x * sigmoid(literal("1.702") * x)

def silu(x):
    return x * sigmoid(x)

def mish(x):
    return x * mp.tanh(softplus(x))

def elu(x, alpha=1):
    return x if x > 0 else alpha * mp.expm1(x)

def selu(x):
    return literal("1.0507009873554804934193349852946") * elu(x, literal("1.6732632423543772848170429916717"))

def softsign(x):
    return x / (1 + abs(x))

def squareplus(x, b=4):
    # (x + sqrt(x^2 + b)) / 2, written so that the negative tail does not cancel
    r = mp.sqrt(x * x + b)
    return (x + r) / 2 if x > 0 else b / (2 * (r - x))

def isru(x, alpha=1):
    return x / mp.sqrt(1 + alpha * x * x)

def gaussian(x):
    return mp.exp(-x * x)

def squared_relu(x):
    return relu(x) ** 2

def hardtanh(x):
    return clip(x, _one(-1), _one(1))

def arctan_gate(x):
    # (atan(x) + pi/2) / pi, without its cancellation
    return mp.atan2(1, -x) / mp.pi

def bspline3(t):
    """The cardinal cubic B-spline on the knots 0, 1, 2, 3, 4 (truncated powers)."""
    if t <= 0 or t >= 4:
        return mp.zero
    total, sign = mp.zero, 1
    for knot, binomial in enumerate((1, 4, 6, 4, 1)):
        total += sign * binomial * relu(t - knot) ** 3
        sign = -sign
    return total / 6

def step_size():
    """A power of two near 10^(-digits/3): x + h is exact, a straight line has an exact slope."""
    return mp.ldexp(mp.one, -int(mp.dps * 3.3219 / 3))

def D(function, x):
    h = step_size()
    return (function(x + h) - function(x - h)) / (2 * h)

_literals = {}

def literal(text):
    key = (text, mp.prec)
    if key not in _literals:
        _literals[key] = mp.mpf(text)
    return _literals[key]


ENVIRONMENT = {
    "__builtins__": {}, "literal": literal, "abs": abs, "max": max, "min": min, "pow": pow,
    "sqrt": mp.sqrt, "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p,
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "sinh": mp.sinh, "cosh": mp.cosh,
    "tanh": mp.tanh, "atan": mp.atan, "erf": mp.erf, "erfc": mp.erfc, "pi": mp.pi,
    "where": where, "relu": relu, "clip": clip, "sgn": sgn, "sigmoid": sigmoid,
    "softplus": softplus, "log_sigmoid": log_sigmoid, "Phi": Phi, "gelu": gelu,
    "gelu_tanh": gelu_tanh, "gelu_quick": gelu_quick, "silu": silu, "mish": mish, "elu": elu,
    "selu": selu, "softsign": softsign, "squareplus": squareplus, "isru": isru,
    "gaussian": gaussian, "squared_relu": squared_relu, "hardtanh": hardtanh,
    "arctan_gate": arctan_gate, "bspline3": bspline3, "D": D,
}
ENVIRONMENT.update({"call_" + name: f for name, f in list(ENVIRONMENT.items()) if callable(f)})


class Expression:
    """A Python expression whose numbers are exact decimals and where `lambda` is a plain name."""

    def __init__(self, text):
        self.text = text.strip()
        out = []
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO("(" + self.text + ")").readline))
            for token, following in zip(tokens, tokens[1:] + tokens[-1:]):
                called = following.string == "(" and not keyword.iskeyword(token.string)
                if token.type == tokenize.NUMBER:
                    out += [(tokenize.NAME, "call_literal"), (tokenize.OP, "("),
                            (tokenize.STRING, repr(token.string)), (tokenize.OP, ")")]
                elif token.type == tokenize.NAME and token.string == "lambda":
                    out.append((tokenize.NAME, "lambda_"))
                elif token.type == tokenize.NAME and called:
                    out.append((tokenize.NAME, "call_" + token.string))   # an argument may share its name
                elif token.type == tokenize.STRING or "__" in token.string:
                    raise GoldenError("not allowed in an expression: " + token.string)
                else:
                    out.append((token.type, token.string))
            self.code = compile(tokenize.untokenize(out).strip(), "<" + self.text + ">", "eval")
        except (SyntaxError, tokenize.TokenError) as error:
            raise GoldenError("cannot read the expression '%s': %s" % (self.text, error))

    def __call__(self, names):
        """The value; NaN outside the domain."""
        try:
            result = eval(self.code, ENVIRONMENT, names)
            return mp.nan if isinstance(result, mp.mpc) else mp.mpf(result)
        except (ZeroDivisionError, ValueError, OverflowError):
            return mp.nan
        except (NameError, TypeError) as error:
            raise GoldenError("in '%s': %s" % (self.text, str(error).replace("call_", "")))
