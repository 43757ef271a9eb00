"""The operators from Python: loaded, called, differentiated, scripted, cast, trained with.

    python3 tests/torch/test_python.py PATH/libogee_torch.so
"""

import sys
import unittest

try:
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def operators():
    """Every function's name and schema arguments."""
    for name in torch.ops.ogee.functions():
        yield name, getattr(torch.ops.ogee, name).default._schema.arguments


def arguments(schema, shape=(3, 4), dtype=torch.double, seed=0):
    """Inputs away from kinks (multiples of 1/2) and learned parameters, by name."""
    generator = torch.Generator().manual_seed(seed)

    def off_kinks():
        steps = torch.randint(-8, 8, shape, generator=generator)
        return steps * 0.5 + 0.1 + 0.3 * torch.rand(shape, generator=generator, dtype=torch.double)

    given = {}
    for a in schema:
        if a.name in ("x", "a", "b") and "Tensor" in str(a.type) and a.name not in given:
            if a.name == "b" and "x" in given:
                continue
            given[a.name] = off_kinks().to(dtype).requires_grad_()
    return given


# A derivative that is chosen by definition is no limit of differences.
STRAIGHT_THROUGH = {"step", "stochastic_binary"}


class Operators(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def test_all_are_there(self):
        names = torch.ops.ogee.functions()
        self.assertGreater(len(names), 100)
        self.assertEqual(len(names), len(set(names)))
        x = torch.randn(10)
        self.assertTrue(torch.equal(torch.ops.ogee.logistic(x), torch.ops.ogee.sigmoid(x)))
        self.assertTrue(torch.equal(torch.ops.ogee.very_leaky_relu(x), torch.ops.ogee.leaky_relu(x, slope=1 / 5.5)))
        self.assertTrue(torch.equal(torch.ops.ogee.softshrink(x, lambd=0.2), torch.nn.functional.softshrink(x, 0.2)))

    def test_against_torch(self):
        x = torch.randn(1000)
        functional = torch.nn.functional
        for ours, theirs in [("relu", functional.relu), ("gelu", functional.gelu), ("silu", functional.silu),
                             ("mish", functional.mish), ("elu", functional.elu), ("selu", functional.selu),
                             ("softplus", functional.softplus), ("softsign", functional.softsign),
                             ("hard_swish", functional.hardswish), ("hard_sigmoid", functional.hardsigmoid),
                             ("tanhshrink", functional.tanhshrink), ("log_sigmoid", functional.logsigmoid)]:
            torch.testing.assert_close(getattr(torch.ops.ogee, ours)(x), theirs(x), rtol=1e-5, atol=2e-6, msg=ours)
        torch.testing.assert_close(torch.ops.ogee.glu(x.view(10, 100), layout="gate_last"), functional.glu(x.view(10, 100)))

    def test_derivatives(self):
        for name, schema in operators():
            if name in STRAIGHT_THROUGH:
                continue
            names = [a.name for a in schema]
            for training in ([False, True] if "training" in names else [False]):
                with self.subTest(name=name, training=training):
                    given = arguments(schema)
                    fixed = {"training": training} if "training" in names else {}
                    learned = [a.name for a in schema if str(a.type) == "Optional[Tensor]" and a.name not in given]
                    values = torch.rand(len(learned), 4, dtype=torch.double) * 0.5 + 0.6
                    if name == "aplu":  # the hinges keep away from the inputs
                        values = torch.rand(len(learned), 4, dtype=torch.double) * 0.02
                    for parameter, value in zip(learned, values):
                        given[parameter] = value.clone().requires_grad_()
                    keys = list(given)

                    def call(*tensors, name=name, keys=keys, fixed=fixed):
                        torch.manual_seed(5)
                        return getattr(torch.ops.ogee, name)(**dict(zip(keys, tensors)), **fixed)

                    tensors = tuple(given.values())
                    self.assertTrue(torch.autograd.gradcheck(call, tensors, atol=1e-5, rtol=1e-4))
                    self.assertTrue(torch.autograd.gradgradcheck(call, tensors, atol=1e-4, rtol=1e-4))

    def test_layouts_by_name(self):
        x = torch.randn(4, 6)
        a, b = x.chunk(2, -1)
        want = torch.ops.ogee.swiglu(a, b)
        self.assertTrue(torch.equal(torch.ops.ogee.swiglu(x, layout="gate_first"), want))
        self.assertTrue(torch.equal(torch.ops.ogee.swiglu(torch.cat([b, a], -1), layout="gate_last"), want))
        mixed = torch.stack([a, b], -1).flatten(-2)
        self.assertTrue(torch.equal(torch.ops.ogee.swiglu(mixed, layout="interleaved", gate_dim=1), want))

    def test_script(self):
        def unit(x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
            y = torch.ops.ogee.prelu(x, slope=slope, channel_dim=-1)
            return torch.ops.ogee.nan_tanh(y, training=False) + torch.ops.ogee.gelu(y)

        scripted = torch.jit.script(unit)
        x, slope = torch.randn(3, 4, requires_grad=True), torch.rand(4)
        for _ in range(3):
            self.assertTrue(torch.equal(scripted(x, slope), unit(x, slope)))
        traced = torch.jit.trace(torch.ops.ogee.mish, (x,))
        self.assertIn("ogee::mish", str(traced.graph))
        self.assertTrue(torch.equal(traced(x), torch.ops.ogee.mish(x)))

    def test_meta(self):
        for name, schema in operators():
            given = {k: v.detach().to("meta") for k, v in arguments(schema).items()}
            y = getattr(torch.ops.ogee, name)(**given)
            self.assertEqual((y.device.type, tuple(y.shape)), ("meta", (3, 4)), name)
        packed = torch.empty(2, 8, device="meta", dtype=torch.bfloat16)
        self.assertEqual(tuple(torch.ops.ogee.glu(packed, layout="gate_first").shape), (2, 4))

    def test_autocast(self):
        linear, x = torch.nn.Linear(4, 4), torch.randn(3, 4)
        slope = torch.full((4,), 0.2, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = linear(x)
            y = torch.ops.ogee.prelu(h, slope=slope)
            z = torch.ops.ogee.swiglu(h, x)  # bfloat16 and float32 meet in float32
        self.assertEqual((h.dtype, y.dtype, z.dtype), (torch.bfloat16, torch.bfloat16, torch.float32))
        (y.float().sum() + z.sum()).backward()
        self.assertEqual((slope.grad.dtype, linear.weight.grad.dtype), (torch.float32, torch.float32))

    def test_seed(self):
        x = torch.randn(100)
        torch.manual_seed(3)
        first = torch.ops.ogee.probact(x, training=True)
        self.assertFalse(torch.equal(torch.ops.ogee.probact(x, training=True), first))
        torch.manual_seed(3)
        self.assertTrue(torch.equal(torch.ops.ogee.probact(x, training=True), first))

    def test_errors(self):
        x = torch.randn(3, 5)
        for part, call in [
            ("there are two", lambda: torch.ops.ogee.swiglu(x, layout="first")),
            ("whose size must be even", lambda: torch.ops.ogee.swiglu(x, layout="gate_first")),
            ("takes two inputs", lambda: torch.ops.ogee.swiglu(x)),
            ("not Long", lambda: torch.ops.ogee.gelu(torch.ones(3, dtype=torch.long))),
            ("expected a value in", lambda: torch.ops.ogee.celu(x, alpha=-1.0)),
            ("slope has 2 values; expected 1 or 5", lambda: torch.ops.ogee.prelu(x, slope=torch.ones(2))),
        ]:
            with self.assertRaisesRegex((RuntimeError, ValueError), part):
                call()

    def test_checkpoint(self):
        from torch.utils.checkpoint import checkpoint

        x = torch.randn(50, requires_grad=True)

        def noisy(t):
            return torch.ops.ogee.rrelu(t, training=True)

        torch.manual_seed(1)
        plain = torch.autograd.grad(noisy(x).sum(), x)[0]
        torch.manual_seed(1)
        checkpoint(noisy, x, use_reentrant=False).sum().backward()
        self.assertTrue(torch.equal(plain, x.grad))

    def test_saved_tensor_hooks_may_change_strides(self):
        x = (-torch.rand(2, 3, 4, 5) - 0.5).contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.contiguous(), lambda t: t):
            y = torch.ops.ogee.rrelu(x, training=True)
        torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], (y / x).detach())

    def test_forward_mode(self):
        import torch.autograd.forward_ad as forward

        for name, schema in operators():
            if name in STRAIGHT_THROUGH:
                continue
            given = {k: v.detach() for k, v in arguments(schema).items()}
            operator = getattr(torch.ops.ogee, name)
            tangents = [torch.randn_like(v) for v in given.values()]
            with forward.dual_level():
                dual = [forward.make_dual(v, t) for v, t in zip(given.values(), tangents)]
                tangent = forward.unpack_dual(operator(*dual)).tangent
            leaves = [v.clone().requires_grad_() for v in given.values()]
            slopes = torch.autograd.grad(operator(*leaves).sum(), leaves)
            torch.testing.assert_close(tangent, sum(s * t for s, t in zip(slopes, tangents)), msg=name)

    def test_forward_over_reverse(self):
        import torch.autograd.forward_ad as forward

        for name in ["gelu", "xswiglu", "acon_c", "dynamic_tanh"]:
            schema = getattr(torch.ops.ogee, name).default._schema.arguments
            leaves = [v.detach() for v in arguments(schema).values()]
            operator = getattr(torch.ops.ogee, name)
            tangents = [torch.randn_like(v) for v in leaves]
            with forward.dual_level():
                dual = [forward.make_dual(v.clone().requires_grad_(), t) for v, t in zip(leaves, tangents)]
                slopes = torch.autograd.grad(operator(*dual).square().sum(), dual, create_graph=True)
                got = [forward.unpack_dual(s).tangent for s in slopes]
            plain = [v.clone().requires_grad_() for v in leaves]
            slopes = torch.autograd.grad(operator(*plain).square().sum(), plain, create_graph=True)
            want = torch.autograd.grad(slopes, plain, tangents)
            for g, w in zip(got, want):
                torch.testing.assert_close(g, w)

    def test_training(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = torch.nn.Linear(2, 16), torch.nn.Linear(16, 1)
                self.slope = torch.nn.Parameter(torch.full((16,), 0.25))

            def forward(self, x):
                return self.second(torch.ops.ogee.prelu(self.first(x), slope=self.slope))

        net = Net()
        optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
        x = torch.rand(256, 2) * 2 - 1
        target = x[:, :1] * x[:, 1:]
        losses = []
        for _ in range(200):
            loss = torch.nn.functional.mse_loss(net(x), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], losses[0] / 5)
        self.assertFalse(torch.equal(net.slope.detach(), torch.full((16,), 0.25)))


class Recurrent(unittest.TestCase):
    """Layers of recurrent networks."""

    def setUp(self):
        torch.manual_seed(0)

    def weights(self, module):
        return [module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0]

    def test_against_torch(self):
        x = torch.randn(7, 3, 5, requires_grad=True)
        h, c = torch.randn(3, 11), torch.randn(3, 11)
        lstm = torch.nn.LSTM(5, 11)
        want, (h_want, c_want) = lstm(x, (h[None], c[None]))
        y, h_got, c_got = torch.ops.ogee.lstm(x, self.weights(lstm), h=h, c=c)
        torch.testing.assert_close(y, want)
        torch.testing.assert_close(h_got, h_want[0])
        torch.testing.assert_close(c_got, c_want[0])
        leaves = [x, *self.weights(lstm)]
        torch.testing.assert_close(torch.autograd.grad(y.square().sum(), leaves),
                                   torch.autograd.grad(want.square().sum(), leaves))
        gru = torch.nn.GRU(5, 11)
        torch.testing.assert_close(torch.ops.ogee.gru(x, self.weights(gru), h=h)[0], gru(x, h[None])[0])

    def noisy(self):
        weights = [torch.randn(n, dtype=torch.double, requires_grad=True) for n in [(8, 3), (8, 2), (8,), (8,)]]
        learned = [torch.randn(2, dtype=torch.double, requires_grad=True) for _ in range(5)]
        x = torch.randn(4, 3, 3, dtype=torch.double, requires_grad=True)
        functions = ["nah_sigmoid", "nah_sigmoid", "nan_tanh(c=0.4)", "nah_sigmoid", "nan_tanh"]

        def run(x, *rest, training=True):
            torch.manual_seed(3)
            return torch.ops.ogee.lstm(x, rest[:4], functions, rest[4:], training=training)

        return run, [x, *weights, *learned]

    def test_noise(self):
        run, leaves = self.noisy()
        self.assertTrue(torch.autograd.gradcheck(run, leaves))
        self.assertTrue(torch.autograd.gradgradcheck(lambda *t: run(*t)[0], leaves))
        self.assertTrue(torch.equal(run(*leaves)[0], run(*leaves)[0]))
        x, rest = leaves[0], leaves[1:]
        drawn = [torch.ops.ogee.gru(x, [w[:6] for w in rest[:4]], ["nah_sigmoid"] * 2 + ["nan_tanh"], rest[4:7],
                                    training=training)[0] for training in [True, True, False, False]]
        self.assertFalse(torch.equal(drawn[0], drawn[1]))
        self.assertTrue(torch.equal(drawn[2], drawn[3]))

    def test_minimal(self):
        x = torch.randn(4, 3, 5)
        w, u = torch.randn(12, 5), torch.randn(12, 6)
        h = torch.zeros(3, 6)
        for step in x:
            a, b = step @ w.T, h @ u.T
            f = torch.sigmoid(a[:, :6] + b[:, :6])
            h = (1 - f) * h + f * torch.tanh(a[:, 6:] + f * b[:, 6:])
        torch.testing.assert_close(torch.ops.ogee.mgu(x, [w, u])[1], h)

    def test_errors(self):
        x, w = torch.randn(4, 3, 5), [torch.randn(8, 5), torch.randn(8, 2)]
        for call, said in [(lambda: torch.ops.ogee.lstm(x, w[:1]), "expected weight_ih"),
                           (lambda: torch.ops.ogee.lstm(x, w, ["tanh"]), "has 5 activations, but 1"),
                           (lambda: torch.ops.ogee.gru(x, w), "weight_hh has shape"),
                           (lambda: torch.ops.ogee.lstm(x[0], w), "must have 3 dimensions")]:
            with self.assertRaisesRegex(Exception, said):
                call()

    @unittest.skipUnless(hasattr(torch, "compile"), "no torch.compile before 2.0")
    def test_compiled(self):
        run, leaves = self.noisy()

        def evaluate(*t):
            return torch.ops.ogee.lstm(t[0], t[1:5], None, None)[0]

        f = torch.compile(evaluate, backend="aot_eager", fullgraph=True)
        want = torch.autograd.grad(evaluate(*leaves).square().sum(), leaves[:5])
        got = torch.autograd.grad(f(*leaves).square().sum(), leaves[:5])
        torch.testing.assert_close(got, want)


@unittest.skipUnless(hasattr(torch, "compile"), "no torch.compile before 2.0")
class Compiled(unittest.TestCase):
    """Traced with fake tensors, forward and backward, without generating code."""

    def compiled(self, function):
        return torch.compile(function, backend="aot_eager", fullgraph=True)

    def test_every_function(self):
        for name, schema in operators():
            with self.subTest(name=name):
                torch._dynamo.reset()
                given = list(arguments(schema, dtype=torch.float).values())
                operator = getattr(torch.ops.ogee, name)
                want = torch.autograd.grad(operator(*given).sum(), given)
                got = torch.autograd.grad(self.compiled(lambda *t: operator(*t))(*given).sum(), given)
                for g, w in zip(got, want):
                    self.assertTrue(torch.equal(g, w))

    def test_noise_is_drawn_at_every_call(self):
        x = torch.full((100,), -1.0, requires_grad=True)
        f = self.compiled(lambda t: torch.ops.ogee.rrelu(t, training=True))
        y = f(x)
        self.assertFalse(torch.equal(y, f(x)))
        torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], -y.detach())
        twice = self.compiled(lambda t: torch.ops.ogee.rrelu(t, training=True) - torch.ops.ogee.rrelu(t, training=True))
        self.assertGreater(twice(x).abs().max().item(), 0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.ops.load_library(sys.argv.pop(1))
    unittest.main()
