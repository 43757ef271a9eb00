// Ogee's activation functions over plain arrays: forward, backward and double backward, for every function of the
// catalogue, in float32, float64, bfloat16 and float16. No LibTorch, no SIMD and no macros in sight.
//
//   ogee::Activation gelu("gelu");
//   ogee::forward<float>(gelu, x, y);             // y = gelu(x)
//   ogee::backward<float>(gelu, x, dy, dx);       // dx = dy * gelu'(x)
//   ogee::Activation leaky("leaky_relu(slope=0.2)");
//
// Every function here throws ogee::Error, with one line saying what was wrong and what was expected, on bad input; none
// prints or aborts. All are safe to call from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ogee/spec.h"

namespace ogee {

class Error : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// Storage of the two 16-bit types; arithmetic on them is done in float32.
struct bfloat16 {
  std::uint16_t bits;
};
struct float16 {
  std::uint16_t bits;
};

enum class Type { float32, float64, bfloat16, float16 };
template <class T>
inline constexpr bool is_element = false;
template <>
inline constexpr bool is_element<float> = true;
template <>
inline constexpr bool is_element<double> = true;
template <>
inline constexpr bool is_element<bfloat16> = true;
template <>
inline constexpr bool is_element<float16> = true;
template <class T>
concept Element = is_element<T>;

// Where the two inputs of a gated function lie. `two`: two arrays. The others: one array of rows, each of two halves
// (gate a first or last) or of alternating elements (gate first).
enum class Layout { two, gate_first, gate_last, interleaved };

// Noise is drawn in training only; at evaluation every function is deterministic.
enum class Mode { evaluation, training };

// exact: values within 2 units in the last place, derivatives within 4, 16-bit types within 1; of the largest term
// where the terms of a sum cancel (near declared roots, in noisy functions in training, in channel limits).
// docs/accuracy.md has the measured bounds. fast: float32 arithmetic throughout, also for the functions whose exact
// form needs more; their bounds are measured there too, and wider. The two are the same code where float32 arithmetic
// is exact enough, and in double backward.
enum class Precision { exact, fast };

// Names a stream of noise. Element i of a call draws the same numbers whatever the SIMD width, the number of threads
// or the pass (backward draws again what forward drew).
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint64_t call = 0;
};

// ---- The catalogue -------------------------------------------------------------------------------------------------

class Function;  // an entry of the registry; lives forever

// Every function, family by family.
std::span<const Function* const> functions();
// By name or alias, or null.
const Function* find_function(std::string_view name);
const Spec& spec_of(const Function& function);
std::string_view family_of(const Function& function);

// A function with values for its parameters.
class Activation {
 public:
  // "gelu", "leaky_relu(slope=0.2)", "very_leaky_relu", "nah(base=tanh, c=0.3)". Throws Error on an unknown name (with
  // a suggestion), an unknown parameter, a value that is no number or lies outside the parameter's range.
  explicit Activation(std::string_view text);
  explicit Activation(const Function& function);

  const Function& function() const { return *function_; }
  const Spec& spec() const { return spec_of(*function_); }
  // The name with those parameters that differ from their defaults, as the constructor reads it.
  std::string text() const;
  // One value per parameter, in the order of spec().parameters.
  std::span<const double> parameters() const { return values_; }
  double parameter(std::string_view name) const;
  Activation& set(std::string_view name, double value);

 private:
  const Function* function_;
  std::vector<double> values_;
};

// The exact reference in double, straight from the definition: the value and its partial derivatives by every input,
// then every parameter. `noise` is ignored by functions without noise. Arguments must have the sizes of the spec.
struct Exact {
  double value;
  std::vector<double> derivatives;
};
Exact exact(const Activation& activation, std::span<const double> inputs, double noise, Mode mode = Mode::training);
// The second derivatives, row by row: element (i, j) of a square matrix over inputs, then parameters.
std::vector<double> exact_second(const Activation& activation, std::span<const double> inputs, double noise,
                                 Mode mode = Mode::training);

// ---- Over spans ----------------------------------------------------------------------------------------------------

struct RunOptions {
  Mode mode = Mode::evaluation;
  NoiseKey noise = {};
  int threads = 1;
  Precision precision = Precision::exact;
  // Channel-wise parameters: element i belongs to channel (i / inner) % channels. With channels > 1, `parameters`
  // holds for each parameter in turn either one value or `channels` values (see Call for a lower-level way).
  std::size_t channels = 1;
  std::size_t inner = 1;
  std::vector<std::vector<double>> parameters = {};  // empty: the activation's own
};

// y = phi(x). Lengths must agree. In place (y and x the same memory) is fine.
template <Element T>
void forward(const Activation& activation, std::span<const T> x, std::span<T> y, const RunOptions& options = {});
// y = phi(a, b), two arrays.
template <Element T>
void forward(const Activation& activation, std::span<const T> a, std::span<const T> b, std::span<T> y,
             const RunOptions& options = {});
// y = phi(a, b) with both inputs in `packed`, whose rows are 2*half elements; y has rows of `half`.
template <Element T>
void forward(const Activation& activation, Layout layout, std::size_t half, std::span<const T> packed, std::span<T> y,
             const RunOptions& options = {});

// dx = dy * dphi/dx. In place (dx the same memory as x or dy) is fine.
template <Element T>
void backward(const Activation& activation, std::span<const T> x, std::span<const T> dy, std::span<T> dx,
              const RunOptions& options = {});
template <Element T>
void backward(const Activation& activation, std::span<const T> a, std::span<const T> b, std::span<const T> dy,
              std::span<T> da, std::span<T> db, const RunOptions& options = {});
template <Element T>
void backward(const Activation& activation, Layout layout, std::size_t half, std::span<const T> packed,
              std::span<const T> dy, std::span<T> dpacked, const RunOptions& options = {});

// As backward for one input, and the gradient of every parameter: result[k] has one value, or one per channel.
template <Element T>
std::vector<std::vector<double>> backward_all(const Activation& activation, std::span<const T> x, std::span<const T> dy,
                                              std::span<T> dx, const RunOptions& options = {});

// ---- The general call, for engines ---------------------------------------------------------------------------------

// Element (r, j) lies at data[r*row_stride + j*step], counted in elements.
template <class Pointer>
struct Strided {
  Pointer data = nullptr;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t step = 1;
};
using In = Strided<const void*>;
using Out = Strided<void*>;

// Runs task(0) ... task(count - 1), in any order and on any threads, and returns when all are done.
using Parallel = std::function<void(std::size_t count, const std::function<void(std::size_t)>& task)>;
// On `threads` threads of a pool that is kept between calls; 1 runs on the calling thread.
Parallel on_threads(int threads);

// Everything a call may need. Elements are numbered row by row: i = r*length + j; noise and channels go by i.
struct Call {
  const Function* function = nullptr;
  Type type = Type::float32;  // of inputs, outputs and gradients
  std::size_t rows = 1;
  std::size_t length = 0;
  In input[max_inputs];

  // One value, or one for each channel if per_channel; in double.
  struct Value {
    const double* data = nullptr;
    bool per_channel = false;
  };
  Value parameter[max_parameters];
  std::size_t channels = 1;
  std::size_t inner = 1;

  Mode mode = Mode::evaluation;
  Precision precision = Precision::exact;
  NoiseKey noise;
  std::uint64_t first = 0;             // the number of element 0 in the noise's stream
  const Parallel* parallel = nullptr;  // null: the calling thread

  Out y;               // forward
  In dy;               // backward, second
  Out dx[max_inputs];  // backward: gradients of the inputs; second: what flows into the inputs
  // backward, second: gradients of parameters, one value or `channels`; null: not wanted. Where the learned ones alone
  // are wanted that is faster than all.
  double* dp[max_parameters] = {};

  // second (double backward): gradients with respect to backward's results; null data counts as zeros.
  In ddx[max_inputs];
  const double* ddp[max_parameters] = {};
  Out ddy;
};
// Shapes and pointers are the caller's promise; only the function's arity is checked.
void forward(const Call& call);
void backward(const Call& call);
void second(const Call& call);

// Between float and the 16-bit types, rounding to nearest even. Lengths must agree.
void convert(std::span<const float> in, std::span<bfloat16> out);
void convert(std::span<const float> in, std::span<float16> out);
void convert(std::span<const bfloat16> in, std::span<float> out);
void convert(std::span<const float16> in, std::span<float> out);

// ---- The machine ---------------------------------------------------------------------------------------------------

// The SIMD targets compiled in and supported here, best first ("AVX3", "AVX2", "SCALAR", "NEON"...).
std::vector<std::string> targets();
std::string target();
// Forces a target for the whole process, for tests and comparisons; an empty name gives back the best. Throws Error.
void use_target(std::string_view name);

// ---- The property sheet, computed ----------------------------------------------------------------------------------

struct Saturation {
  bool saturates = false;  // the slope goes to 0
  bool hard = false;       // and is 0 from `from` on
  double from = 0;
};
// Computed from the definition at the activation's parameters, at evaluation. One-input functions only.
struct Properties {
  double low, high;                // the range, over the whole line
  double limit_left, limit_right;  // at -infinity and infinity (NaN: none)
  bool monotonic;
  Saturation left, right;  // Gulcehre et al. 2016, section 2
  double mean, deviation;  // of the output under N(0,1)
  double slope_square;     // E[phi'^2] under N(0,1)
  // 1/sqrt(E[phi(z)^2]), z ~ N(0,1): scale weights of variance gain^2/fan_in keep the second moment from layer to
  // layer.
  double gain;
  double zero_share;          // P(phi(z) = 0), z ~ N(0,1)
  double lipschitz;           // the largest slope (infinity: unbounded)
  int smoothness;             // continuous derivatives: -1 a jump, 0 a kink, 1 a jump of the second derivative, 2 more
  std::vector<double> kinks;  // where the value or the slope jumps
};
Properties properties(const Activation& activation);

}  // namespace ogee
