"""src/kernels/quick/noisy_tables.h"""
from arithmetic import at, mp
from gal import Gal

TABLES = [
    Gal("TanhSquareRatio", "(tanh(z)/z)^2", at(1, lambda z: (mp.tanh(z) / z) ** 2), "0.3125"),
    Gal("TanhGradeRatio", "tanh(z) (1 - tanh(z)^2)/z", at(1, lambda z: mp.tanh(z) * mp.sech(z) ** 2 / z), "0.4375"),
]
