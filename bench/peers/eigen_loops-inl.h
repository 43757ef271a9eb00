// Eigen's array expressions, as its users write them. Included once for each width, after Eigen itself, which has been
// given a namespace of that width: its templates, compiled with this file's flags, must not be taken for another's.

using Array = Eigen::Array<float, Eigen::Dynamic, 1, Eigen::ColMajor, 1024, 1>;  // no more than a piece; on the stack
using Input = Eigen::Map<const Eigen::ArrayXf>;
using Output = Eigen::Map<Eigen::ArrayXf>;

// value_of: over the whole arrays. slope_of: in pieces that stay in the first cache, since it needs intermediate
// arrays.
#define OGEE_FUNCTION(Name, value_of, slope_of)                                             \
  struct Name {                                                                             \
    static void forward(const float* from, const float*, float* to, std::size_t n) {        \
      const auto size = static_cast<Eigen::Index>(n);                                       \
      const Input x(from, size);                                                            \
      Output(to, size) = value_of;                                                          \
    }                                                                                       \
    static void backward(const float* from, const float* dfrom, float* to, std::size_t n) { \
      for (std::size_t begin = 0; begin < n; begin += 1024) {                               \
        const auto size = static_cast<Eigen::Index>(n - begin < 1024 ? n - begin : 1024);   \
        const Input x(from + begin, size), dy(dfrom + begin, size);                         \
        Output dx(to + begin, size);                                                        \
        slope_of;                                                                           \
      }                                                                                     \
    }                                                                                       \
  };

OGEE_FUNCTION(Relu, x.max(0.0f), dx = (x > 0.0f).select(dy, 0.0f))
OGEE_FUNCTION(Tanh, x.tanh(), const Array t = x.tanh(); dx = dy * (1.0f - t * t))
OGEE_FUNCTION(Sigmoid, x.logistic(), const Array s = x.logistic(); dx = dy * (s * (1.0f - s)))
OGEE_FUNCTION(Silu, x* x.logistic(), const Array s = x.logistic(); dx = dy * (s * (1.0f + x * (1.0f - s))))
OGEE_FUNCTION(Gelu, x * 0.5f * (1.0f + (x * 0.70710678f).erf()),
              dx = dy * (0.5f * (1.0f + (x * 0.70710678f).erf()) + x * 0.39894228f * (x * x * -0.5f).exp()))
OGEE_FUNCTION(GeluTanh, x * 0.5f * (1.0f + (0.79788456f * (x + 0.044715f * x * x * x)).tanh()),
              const Array t = (0.79788456f * (x + 0.044715f * x * x * x)).tanh();
              dx = dy * (0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * 0.79788456f * (1.0f + 0.134145f * x * x)))
OGEE_FUNCTION(Elu, (x > 0.0f).select(x, x.min(0.0f).expm1()), dx = (x > 0.0f).select(dy, dy* x.min(0.0f).exp()))
OGEE_FUNCTION(Softplus, x.max(0.0f) + (-x.abs()).exp().log1p(), dx = dy * x.logistic())
OGEE_FUNCTION(Mish, x*(x.max(0.0f) + (-x.abs()).exp().log1p()).tanh(),
              const Array t = (x.max(0.0f) + (-x.abs()).exp().log1p()).tanh();
              dx = dy * (t + x * x.logistic() * (1.0f - t * t)))
OGEE_FUNCTION(Erf, x.erf(), dx = dy * 1.1283792f * (-x * x).exp())
OGEE_FUNCTION(Gaussian, (-x * x).exp(), dx = dy * -2.0f * x * (-x * x).exp())
OGEE_FUNCTION(Arctan, x.atan(), dx = dy / (1.0f + x * x))
OGEE_FUNCTION(Softsign, x / (1.0f + x.abs()), dx = dy / (1.0f + x.abs()).square())
OGEE_FUNCTION(Squareplus, 0.5f * (x + (x * x + 4.0f).sqrt()), dx = dy * 0.5f * (1.0f + x / (x * x + 4.0f).sqrt()))
OGEE_FUNCTION(Tanhshrink, x - x.tanh(), const Array t = x.tanh(); dx = dy * t * t)
OGEE_FUNCTION(Lisht, x* x.tanh(), const Array t = x.tanh(); dx = dy * (t + x * (1.0f - t * t)))
OGEE_FUNCTION(Gcu, x* x.cos(), dx = dy * (x.cos() - x * x.sin()))
OGEE_FUNCTION(Sine, (30.0f * x).sin(), dx = dy * 30.0f * (30.0f * x).cos())
OGEE_FUNCTION(SquaredRelu, x.max(0.0f).square(), dx = dy * 2.0f * x.max(0.0f))
#undef OGEE_FUNCTION

#define OGEE_LOOPS(name, Function) \
  { name, Function::forward, Function::backward }
constexpr NamedLoop loops[] = {
    OGEE_LOOPS("relu", Relu),
    OGEE_LOOPS("tanh", Tanh),
    OGEE_LOOPS("sigmoid", Sigmoid),
    OGEE_LOOPS("silu", Silu),
    OGEE_LOOPS("gelu", Gelu),
    OGEE_LOOPS("gelu_tanh", GeluTanh),
    OGEE_LOOPS("elu", Elu),
    OGEE_LOOPS("softplus", Softplus),
    OGEE_LOOPS("mish", Mish),
    OGEE_LOOPS("erf", Erf),
    OGEE_LOOPS("gaussian", Gaussian),
    OGEE_LOOPS("arctan", Arctan),
    OGEE_LOOPS("softsign", Softsign),
    OGEE_LOOPS("squareplus", Squareplus),
    OGEE_LOOPS("tanhshrink", Tanhshrink),
    OGEE_LOOPS("lisht", Lisht),
    OGEE_LOOPS("gcu", Gcu),
    OGEE_LOOPS("sine", Sine),
    OGEE_LOOPS("squared_relu", SquaredRelu),
};
#undef OGEE_LOOPS
constexpr NamedLoops all_loops{loops, sizeof(loops) / sizeof(loops[0])};
