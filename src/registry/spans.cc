// The typed interface over spans, on top of Call.
#include <cmath>

#include "kernels/convert.h"
#include "registry/catalogue.h"

namespace ogee {
namespace {

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, float>) return Type::float32;
  if constexpr (std::is_same_v<T, double>) return Type::float64;
  if constexpr (std::is_same_v<T, bfloat16>) return Type::bfloat16;
  if constexpr (std::is_same_v<T, float16>) return Type::float16;
}

void expect(bool condition, const Activation& activation, const std::string& what) {
  if (!condition) throw Error(std::string(activation.spec().name) + ": " + what);
}
void expect_inputs(const Activation& activation, std::size_t inputs) {
  if (activation.spec().inputs == inputs) return;
  expect(activation.spec().inputs == inputs, activation,
         "takes " + std::to_string(activation.spec().inputs) + " input(s), not " + std::to_string(inputs));
}
void expect_length(const Activation& activation, const char* what, std::size_t length, std::size_t wanted) {
  if (length == wanted) return;  // before any text is put together
  expect(length == wanted, activation,
         std::string(what) + " has " + std::to_string(length) + " elements where " + std::to_string(wanted) +
             " were expected");
}

// A call under construction, and what it points to.
struct Prepared {
  Call call;
  Parallel parallel;
};

template <class T>
void prepare(Prepared& prepared, const Activation& activation, std::size_t length, const RunOptions& options) {
  Call& call = prepared.call;
  call.function = &activation.function();
  call.type = type_of<T>();
  call.length = length;
  call.mode = options.mode;
  call.noise = options.noise;
  call.precision = options.precision;
  const auto& parameters = activation.spec().parameters;
  expect(options.parameters.empty() || options.parameters.size() == parameters.size(), activation,
         "expected values for " + std::to_string(parameters.size()) + " parameters, not " +
             std::to_string(options.parameters.size()));
  expect(options.channels > 0 && options.inner > 0, activation, "channels and inner must be at least 1");
  call.channels = options.channels;
  call.inner = options.inner;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (options.parameters.empty()) {
      call.parameter[k] = {&activation.parameters()[k], false};
      continue;
    }
    const std::vector<double>& values = options.parameters[k];
    expect(values.size() == 1 || values.size() == options.channels, activation,
           std::string(parameters[k].name) + " has " + std::to_string(values.size()) +
               " values where 1 or one for each of " + std::to_string(options.channels) + " channels were expected");
    call.parameter[k] = {values.data(), values.size() > 1};
  }
  if (options.threads != 1) {
    prepared.parallel = on_threads(options.threads);
    call.parallel = &prepared.parallel;
  }
}

// Whether a call needs none of what `prepare` arranges for.
template <class T>
bool is_plain(const Activation& activation, std::size_t n, const RunOptions& options) {
  if constexpr (!std::is_floating_point_v<T>) return false;
  const bool silent = options.mode == Mode::evaluation || activation.spec().noise == Noise::none;
  return n <= kernels::longest_plain && options.threads == 1 && silent && options.parameters.empty() &&
         options.channels == 1 && options.inner == 1;
}
template <class T>
void run_plain(kernels::Pass pass, const Activation& activation, const kernels::Plain<T>& plain) {
  if constexpr (std::is_floating_point_v<T>) {
    kernels::run_plain<T>(pass, activation.spec(), activation.function().place, plain);
  }
}

template <class Pointer>
void place_packed(Strided<Pointer>* halves, Pointer data, std::size_t element, Layout layout, std::size_t half) {
  const auto h = static_cast<std::ptrdiff_t>(half);
  const auto offset = [&](std::ptrdiff_t elements) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
    return static_cast<Pointer>(static_cast<Byte*>(data) + elements * static_cast<std::ptrdiff_t>(element));
  };
  if (layout == Layout::interleaved) {
    halves[0] = {data, 2 * h, 2};
    halves[1] = {offset(1), 2 * h, 2};
  } else {
    const std::ptrdiff_t gate = layout == Layout::gate_first ? 0 : h;
    halves[0] = {offset(gate), 2 * h, 1};
    halves[1] = {offset(h - gate), 2 * h, 1};
  }
}

std::size_t check_packed(const Activation& activation, Layout layout, std::size_t half, std::size_t packed,
                         std::size_t result) {
  expect_inputs(activation, 2);
  expect(layout != Layout::two, activation, "layout `two` means two arrays; a packed one was given");
  expect(half > 0, activation, "half must be at least 1");
  expect(packed % (2 * half) == 0, activation,
         std::to_string(packed) + " packed elements are no multiple of 2*half = " + std::to_string(2 * half));
  expect_length(activation, "the result", result, packed / 2);
  return packed / (2 * half);
}

template <class T>
In contiguous(std::span<const T> s) {
  return {s.data(), static_cast<std::ptrdiff_t>(s.size()), 1};
}
template <class T>
Out contiguous(std::span<T> s) {
  return {s.data(), static_cast<std::ptrdiff_t>(s.size()), 1};
}

}  // namespace

namespace {

template <class A, class B>
void expect_same_length(std::span<A> in, std::span<B> out) {
  if (in.size() != out.size()) {
    throw Error("convert: " + std::to_string(in.size()) + " elements into " + std::to_string(out.size()));
  }
}

}  // namespace

// The 16-bit structs hold nothing but their bits.
static_assert(sizeof(bfloat16) == 2 && sizeof(float16) == 2);
void convert(std::span<const float> in, std::span<bfloat16> out) {
  expect_same_length(in, out);
  kernels::float_to_bfloat16(in.data(), in.size(), reinterpret_cast<std::uint16_t*>(out.data()));
}
void convert(std::span<const float> in, std::span<float16> out) {
  expect_same_length(in, out);
  kernels::float_to_float16(in.data(), in.size(), reinterpret_cast<std::uint16_t*>(out.data()));
}
void convert(std::span<const bfloat16> in, std::span<float> out) {
  expect_same_length(in, out);
  kernels::bfloat16_to_float(reinterpret_cast<const std::uint16_t*>(in.data()), in.size(), out.data());
}
void convert(std::span<const float16> in, std::span<float> out) {
  expect_same_length(in, out);
  kernels::float16_to_float(reinterpret_cast<const std::uint16_t*>(in.data()), in.size(), out.data());
}

void forward(const Call& call) {
  kernels::run(kernels::Pass::forward, *call.function->spec, call.function->place, call);
}
void backward(const Call& call) {
  kernels::run(kernels::Pass::backward, *call.function->spec, call.function->place, call);
}
void second(const Call& call) { kernels::run(kernels::Pass::second, *call.function->spec, call.function->place, call); }

template <Element T>
void forward(const Activation& activation, std::span<const T> x, std::span<T> y, const RunOptions& options) {
  expect_inputs(activation, 1);
  expect_length(activation, "y", y.size(), x.size());
  if (is_plain<T>(activation, x.size(), options)) {
    return run_plain<T>(
        kernels::Pass::forward, activation,
        {{x.data(), nullptr}, nullptr, y.data(), {}, activation.parameters().data(), x.size(), options.precision});
  }
  Prepared p;
  prepare<T>(p, activation, x.size(), options);
  p.call.input[0] = contiguous(x);
  p.call.y = contiguous(y);
  forward(p.call);
}

template <Element T>
void forward(const Activation& activation, std::span<const T> a, std::span<const T> b, std::span<T> y,
             const RunOptions& options) {
  expect_inputs(activation, 2);
  expect_length(activation, "b", b.size(), a.size());
  expect_length(activation, "y", y.size(), a.size());
  if (is_plain<T>(activation, a.size(), options)) {
    return run_plain<T>(
        kernels::Pass::forward, activation,
        {{a.data(), b.data()}, nullptr, y.data(), {}, activation.parameters().data(), a.size(), options.precision});
  }
  Prepared p;
  prepare<T>(p, activation, a.size(), options);
  p.call.input[0] = contiguous(a);
  p.call.input[1] = contiguous(b);
  p.call.y = contiguous(y);
  forward(p.call);
}

template <Element T>
void forward(const Activation& activation, Layout layout, std::size_t half, std::span<const T> packed, std::span<T> y,
             const RunOptions& options) {
  const std::size_t rows = check_packed(activation, layout, half, packed.size(), y.size());
  Prepared p;
  prepare<T>(p, activation, half, options);
  p.call.rows = rows;
  place_packed<const void*>(p.call.input, packed.data(), sizeof(T), layout, half);
  p.call.y = {y.data(), static_cast<std::ptrdiff_t>(half), 1};
  forward(p.call);
}

template <Element T>
void backward(const Activation& activation, std::span<const T> x, std::span<const T> dy, std::span<T> dx,
              const RunOptions& options) {
  expect_inputs(activation, 1);
  expect_length(activation, "dy", dy.size(), x.size());
  expect_length(activation, "dx", dx.size(), x.size());
  if (is_plain<T>(activation, x.size(), options)) {
    return run_plain<T>(kernels::Pass::backward, activation,
                        {{x.data(), nullptr},
                         dy.data(),
                         nullptr,
                         {dx.data(), nullptr},
                         activation.parameters().data(),
                         x.size(),
                         options.precision});
  }
  Prepared p;
  prepare<T>(p, activation, x.size(), options);
  p.call.input[0] = contiguous(x);
  p.call.dy = contiguous(dy);
  p.call.dx[0] = contiguous(dx);
  backward(p.call);
}

template <Element T>
void backward(const Activation& activation, std::span<const T> a, std::span<const T> b, std::span<const T> dy,
              std::span<T> da, std::span<T> db, const RunOptions& options) {
  expect_inputs(activation, 2);
  expect_length(activation, "b", b.size(), a.size());
  expect_length(activation, "dy", dy.size(), a.size());
  expect_length(activation, "da", da.size(), a.size());
  expect_length(activation, "db", db.size(), a.size());
  if (is_plain<T>(activation, a.size(), options)) {
    return run_plain<T>(kernels::Pass::backward, activation,
                        {{a.data(), b.data()},
                         dy.data(),
                         nullptr,
                         {da.data(), db.data()},
                         activation.parameters().data(),
                         a.size(),
                         options.precision});
  }
  Prepared p;
  prepare<T>(p, activation, a.size(), options);
  p.call.input[0] = contiguous(a);
  p.call.input[1] = contiguous(b);
  p.call.dy = contiguous(dy);
  p.call.dx[0] = contiguous(da);
  p.call.dx[1] = contiguous(db);
  backward(p.call);
}

template <Element T>
void backward(const Activation& activation, Layout layout, std::size_t half, std::span<const T> packed,
              std::span<const T> dy, std::span<T> dpacked, const RunOptions& options) {
  const std::size_t rows = check_packed(activation, layout, half, packed.size(), dy.size());
  expect_length(activation, "dpacked", dpacked.size(), packed.size());
  Prepared p;
  prepare<T>(p, activation, half, options);
  p.call.rows = rows;
  place_packed<const void*>(p.call.input, packed.data(), sizeof(T), layout, half);
  place_packed<void*>(p.call.dx, dpacked.data(), sizeof(T), layout, half);
  p.call.dy = {dy.data(), static_cast<std::ptrdiff_t>(half), 1};
  backward(p.call);
}

template <Element T>
std::vector<std::vector<double>> backward_all(const Activation& activation, std::span<const T> x, std::span<const T> dy,
                                              std::span<T> dx, const RunOptions& options) {
  expect_inputs(activation, 1);
  expect_length(activation, "dy", dy.size(), x.size());
  expect_length(activation, "dx", dx.size(), x.size());
  Prepared p;
  prepare<T>(p, activation, x.size(), options);
  p.call.input[0] = contiguous(x);
  p.call.dy = contiguous(dy);
  p.call.dx[0] = contiguous(dx);
  std::vector<std::vector<double>> sums(activation.parameters().size());
  for (std::size_t k = 0; k < sums.size(); ++k) {
    sums[k].resize(p.call.parameter[k].per_channel ? options.channels : 1);
    p.call.dp[k] = sums[k].data();
  }
  backward(p.call);
  return sums;
}

#define OGEE_INSTANTIATE(T)                                                                                            \
  template void forward<T>(const Activation&, std::span<const T>, std::span<T>, const RunOptions&);                    \
  template void forward<T>(const Activation&, std::span<const T>, std::span<const T>, std::span<T>,                    \
                           const RunOptions&);                                                                         \
  template void forward<T>(const Activation&, Layout, std::size_t, std::span<const T>, std::span<T>,                   \
                           const RunOptions&);                                                                         \
  template void backward<T>(const Activation&, std::span<const T>, std::span<const T>, std::span<T>,                   \
                            const RunOptions&);                                                                        \
  template void backward<T>(const Activation&, std::span<const T>, std::span<const T>, std::span<const T>,             \
                            std::span<T>, std::span<T>, const RunOptions&);                                            \
  template void backward<T>(const Activation&, Layout, std::size_t, std::span<const T>, std::span<const T>,            \
                            std::span<T>, const RunOptions&);                                                          \
  template std::vector<std::vector<double>> backward_all<T>(const Activation&, std::span<const T>, std::span<const T>, \
                                                            std::span<T>, const RunOptions&);
OGEE_INSTANTIATE(float)
OGEE_INSTANTIATE(double)
OGEE_INSTANTIATE(bfloat16)
OGEE_INSTANTIATE(float16)
#undef OGEE_INSTANTIATE

}  // namespace ogee
