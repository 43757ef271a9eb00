"""The functions that tables hold and that more than one family has."""
from arithmetic import mp


def phi(z):
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def sigma(z):
    return 1 / (1 + mp.exp(-z))


C = mp.sqrt(2 / mp.pi)
A = mp.mpf("0.044715")


def tanh_gate(z):
    return sigma(2 * C * (z + A * z ** 3))


def tanh_gate_slope(z):
    g = tanh_gate(z)
    return g + z * g * (1 - g) * 2 * C * (1 + 3 * A * z * z)


def mish_gate(z):
    return mp.tanh(mp.log1p(mp.exp(z)))


def mish_slope(z):
    t = mish_gate(z)
    return t + z * (1 - t * t) * sigma(z)
