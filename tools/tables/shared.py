"""src/lanes/tables.h: what families share."""
from arithmetic import at, mp
from formulas import cdf, phi, sigma, tanh_gate, tanh_gate_slope
from gal import Gal

TABLES = [
    Gal("SigmoidTail", "sigmoid(-z)", lambda z: sigma(-z), "0.625"),
    Gal("SigmoidSlope", "sigmoid(z) sigmoid(-z)", lambda z: sigma(-z) * sigma(z), "0.625"),
    Gal("SiluSlopeTail", "the slope of x*sigmoid(x) at -z", lambda z: sigma(-z) * (1 - z * sigma(z)), "0.625",
        root=1.278464543),
    Gal("SoftplusTail", "log(1 + exp(-z))", lambda z: mp.log1p(mp.exp(-z)), "0.625"),
    Gal("NormalTail", "Phi(-z)", lambda z: cdf(-z), "0.1875", steep=True),
    Gal("NormalDensity", "exp(-z^2/2)/sqrt(2 pi)", phi, "0.1875"),
    Gal("GeluSlopeTail", "the slope of x*Phi(x) at -z", lambda z: cdf(-z) - z * phi(z), "0.1875", root=0.751791524),
    Gal("TanhGateTail", "sigmoid(-2 sqrt(2/pi) (z + 0.044715 z^3))", lambda z: tanh_gate(-z), "0.1796875", steep=True),
    Gal("TanhGateSlopeTail", "the slope of x times that at -z", lambda z: tanh_gate_slope(-z), "0.1796875",
        root=0.752461465),
    Gal("TanhRatio", "tanh(z)/z", at(1, lambda z: mp.tanh(z) / z), "0.3125"),
    Gal("TanhSlope", "1 - tanh(z)^2", lambda z: mp.sech(z) ** 2, "0.3125"),
    Gal("Expm1Ratio", "(exp(z) - 1)/z", at(1, lambda z: mp.expm1(z) / z), "0.5625", -31),
    Gal("Exponential", "exp(z)", mp.exp, "0.5625", -31),
    Gal("ErfRatio", "erf(z)/z", at(2 / mp.sqrt(mp.pi), lambda z: mp.erf(z) / z), "0.125"),
    Gal("ErfSlope", "2/sqrt(pi) exp(-z^2)", lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z), "0.125"),
]
