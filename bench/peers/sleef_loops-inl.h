// SLEEF's vector functions in loops of one pass, as its users write them. Included once for each width, within a
// namespace that has the vector V with load, store, set, max, abs and blend, and OGEE_SLEEF, which names SLEEF's
// functions of that width.
// No standard headers here: an inline function of theirs, compiled with this file's flags, could be the one that the
// linker keeps for the whole program.

// The compilers' own operators on vectors.
V operator+(V a, V b) { return {a.v + b.v}; }
V operator-(V a, V b) { return {a.v - b.v}; }
V operator*(V a, V b) { return {a.v * b.v}; }
V operator/(V a, V b) { return {a.v / b.v}; }
V operator-(V x) { return {-x.v}; }
V square(V t) { return t * t; }
V square_from_one(V t) { return set(1) - t * t; }
V logistic_slope(V s) { return s * (set(1) - s); }
V silu_slope(V x, V s) { return s * (set(1) + x * (set(1) - s)); }
V lisht_slope(V x, V t) { return t + x * (set(1) - t * t); }
V mish_slope(V x, V s, V t) { return t + x * s * (set(1) - t * t); }
V tanh_exp_slope(V x, V e, V t) { return t + x * e * (set(1) - t * t); }

struct U10 {  // 1 ULP
  static V exp(V x) { return {OGEE_SLEEF(exp, u10)(x.v)}; }
  static V expm1(V x) { return {OGEE_SLEEF(expm1, u10)(x.v)}; }
  static V log1p(V x) { return {OGEE_SLEEF(log1p, u10)(x.v)}; }
  static V tanh(V x) { return {OGEE_SLEEF(tanh, u10)(x.v)}; }
  static V erf(V x) { return {OGEE_SLEEF(erf, u10)(x.v)}; }
  static V atan(V x) { return {OGEE_SLEEF(atan, u10)(x.v)}; }
  static V sin(V x) { return {OGEE_SLEEF(sin, u10)(x.v)}; }
  static V cos(V x) { return {OGEE_SLEEF(cos, u10)(x.v)}; }
};
// 3.5 ULP. Of exp, expm1, log1p and erf SLEEF has the exact form alone.
struct U35 : U10 {
  static V tanh(V x) { return {OGEE_SLEEF(tanh, u35)(x.v)}; }
  static V atan(V x) { return {OGEE_SLEEF(atan, u35)(x.v)}; }
  static V sin(V x) { return {OGEE_SLEEF(sin, u35)(x.v)}; }
  static V cos(V x) { return {OGEE_SLEEF(cos, u35)(x.v)}; }
};

template <class U>
struct Formulas {
  static V sigmoid(V x) { return set(1) / (set(1) + U::exp(-x)); }
  static V softplus(V x) { return max(x, set(0)) + U::log1p(U::exp(-abs(x))); }
  static V cdf(V x) { return set(0.5f) * (set(1) + U::erf(x * set(0.70710678f))); }
};

#define OGEE_FUNCTION(Name, value_of, slope_of) \
  template <class U>                            \
  struct Name {                                 \
    using F = Formulas<U>;                      \
    static V value(V x) { return value_of; }    \
    static V slope(V x) { return slope_of; }    \
  };
OGEE_FUNCTION(Tanh, U::tanh(x), (square_from_one(U::tanh(x))))
OGEE_FUNCTION(Sigmoid, F::sigmoid(x), (logistic_slope(F::sigmoid(x))))
OGEE_FUNCTION(Silu, x* F::sigmoid(x), (silu_slope(x, F::sigmoid(x))))
OGEE_FUNCTION(Gelu, x* F::cdf(x), F::cdf(x) + x * set(0.39894228f) * U::exp(set(-0.5f) * x * x))
OGEE_FUNCTION(Elu, blend(x > set(0), x, U::expm1(x)), blend(x > set(0), set(1), U::exp(x)))
OGEE_FUNCTION(Softplus, F::softplus(x), F::sigmoid(x))
OGEE_FUNCTION(LogSigmoid, -F::softplus(-x), F::sigmoid(-x))
OGEE_FUNCTION(Mish, x* U::tanh(F::softplus(x)), (mish_slope(x, F::sigmoid(x), U::tanh(F::softplus(x)))))
OGEE_FUNCTION(Erf, U::erf(x), set(1.1283792f) * U::exp(-(x * x)))
OGEE_FUNCTION(NormalCdf, F::cdf(x), set(0.39894228f) * U::exp(set(-0.5f) * x * x))
OGEE_FUNCTION(Gaussian, U::exp(-(x* x)), set(-2) * x * U::exp(-(x * x)))
OGEE_FUNCTION(Arctan, U::atan(x), set(1) / (set(1) + x * x))
OGEE_FUNCTION(Tanhshrink, x - U::tanh(x), (square(U::tanh(x))))
OGEE_FUNCTION(Lisht, x* U::tanh(x), (lisht_slope(x, U::tanh(x))))
OGEE_FUNCTION(Gcu, x* U::cos(x), U::cos(x) - x * U::sin(x))
OGEE_FUNCTION(Sine, U::sin(set(30) * x), set(30) * U::cos(set(30) * x))
OGEE_FUNCTION(TanhExp, x* U::tanh(U::exp(x)), (tanh_exp_slope(x, U::exp(x), U::tanh(U::exp(x)))))
#undef OGEE_FUNCTION

template <template <class> class Function, class U>
void forward_loop(const float* x, const float*, float* y, std::size_t n) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, Function<U>::value(load(x + i)));
  if (i == n) return;
  float rest[lanes] = {};
  for (std::size_t j = i; j < n; ++j) rest[j - i] = x[j];
  store(rest, Function<U>::value(load(rest)));
  for (std::size_t j = i; j < n; ++j) y[j] = rest[j - i];
}

template <template <class> class Function, class U>
void backward_loop(const float* x, const float* dy, float* dx, std::size_t n) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dx + i, load(dy + i) * Function<U>::slope(load(x + i)));
  if (i == n) return;
  float rest[lanes] = {};
  for (std::size_t j = i; j < n; ++j) rest[j - i] = x[j];
  store(rest, Function<U>::slope(load(rest)));
  for (std::size_t j = i; j < n; ++j) dx[j] = dy[j] * rest[j - i];
}

#define OGEE_LOOPS(name, Function) \
  { name, forward_loop<Function, U>, backward_loop<Function, U> }
template <class U>
struct Table {
  static constexpr NamedLoop loops[] = {
      OGEE_LOOPS("tanh", Tanh),
      OGEE_LOOPS("sigmoid", Sigmoid),
      OGEE_LOOPS("silu", Silu),
      OGEE_LOOPS("gelu", Gelu),
      OGEE_LOOPS("elu", Elu),
      OGEE_LOOPS("softplus", Softplus),
      OGEE_LOOPS("mish", Mish),
      OGEE_LOOPS("log_sigmoid", LogSigmoid),
      OGEE_LOOPS("erf", Erf),
      OGEE_LOOPS("normal_cdf", NormalCdf),
      OGEE_LOOPS("gaussian", Gaussian),
      OGEE_LOOPS("arctan", Arctan),
      OGEE_LOOPS("tanhshrink", Tanhshrink),
      OGEE_LOOPS("lisht", Lisht),
      OGEE_LOOPS("gcu", Gcu),
      OGEE_LOOPS("sine", Sine),
      OGEE_LOOPS("tanh_exp", TanhExp),
  };
  static constexpr NamedLoops all{loops, sizeof(loops) / sizeof(loops[0])};
};
#undef OGEE_LOOPS
