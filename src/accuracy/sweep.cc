#include "accuracy/sweep.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <span>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "accuracy/compare.h"
#include "accuracy/points.h"
#include "kernels/noise.h"
#include "kernels/ragged.h"
#include "registry/catalogue.h"

namespace ogee::accuracy {
namespace {

constexpr std::size_t piece = 4096;            // points a task: all arrays of a batch stay in the caches
constexpr std::size_t batch = 32 * piece;      // points of all targets between two changes of target
constexpr std::size_t parameter_piece = 1024;  // points a call where every point has its own gradient of parameters

Format format_of(Type type) {
  return type == Type::bfloat16 ? bfloat16_format : type == Type::float16 ? float16_format : float32_format;
}

constexpr NoiseKey noise_key{7, 11};

// While it lives, and if it is wanted, this thread's results below DBL_MIN are zero. Such numbers cost some processors
// a hundred times what others do, half of all floats are so large that exponentials of them end there, and no float is
// near. For exact values of one input only: what is measured must be computed as ever, and a second input may be
// infinite, which makes something of a tiny factor but nothing of a zero.
class NoSubnormals {
 public:
#ifdef __SSE2__
  explicit NoSubnormals(bool wanted) : before_(_mm_getcsr()) {
    constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x40;
    if (wanted) _mm_setcsr(before_ | flush_to_zero | denormals_are_zero);
  }
  ~NoSubnormals() { _mm_setcsr(before_); }
#else
  explicit NoSubnormals(bool /*wanted*/) {}
  ~NoSubnormals() {}
#endif
  NoSubnormals(const NoSubnormals&) = delete;
  NoSubnormals& operator=(const NoSubnormals&) = delete;

 private:
#ifdef __SSE2__
  unsigned before_;
#endif
};

// How near, as a share of it, is near a declared root.
constexpr double root_window = 0.1;

// The points of a sweep, as floats that the type represents exactly.
struct Points {
  std::vector<std::vector<float>> input;  // one array an input
  std::uint64_t first = 0;                // the first point's number, for the noise
  std::size_t size() const { return input[0].size(); }
};

// What is measured: the value, or a derivative by argument number `argument`.
struct Quantity {
  bool derivative = false;
  std::size_t argument = 0;
};

// One activation on its way through the sweep.
class Sweep {
 public:
  Sweep(const Activation& activation, const Plan& plan, Type type)
      : activation_(activation),
        spec_(activation.spec()),
        plan_(plan),
        type_(type),
        targets_(plan.targets.empty() ? simd_targets() : plan.targets),
        parallel_(on_threads(plan.threads)) {
    mode_ = spec_.noise == Noise::none ? Mode::evaluation : Mode::training;
  }

  std::vector<Finding> run() {
    const std::size_t parameters = spec_.parameters.size();
    quantities_.push_back({false, 0});
    for (std::size_t k = 0; k < spec_.inputs; ++k) quantities_.push_back({true, k});
    const bool line = spec_.inputs == 1;
    if (line) {
      mode_ = Mode::evaluation;
      start();
      sweep_line();
      std::vector<Finding> all = finish();
      if (spec_.noise != Noise::none) {
        mode_ = Mode::training;
        start();
        sweep_product(plan_.samples);
        merge(all, finish());
      }
      add_parameters(all, parameters);
      return all;
    }
    start();
    sweep_product(plan_.samples);
    std::vector<Finding> all = finish();
    add_parameters(all, parameters);
    return all;
  }

 private:
  struct Worst {
    double ulp = 0;
    std::vector<double> x;
    double got = 0, expected = 0;
  };

  void start() {
    worst_.assign(targets_.size() * quantities_.size(), {});
    checked_ = 0;
  }

  std::vector<Finding> finish() const {
    std::vector<Finding> result;
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
      for (std::size_t t = 0; t < targets_.size(); ++t) {
        const Worst& w = worst_[t * quantities_.size() + q];
        Finding f;
        f.function = activation_.text();
        f.direction = quantities_[q].derivative ? "derivative" : "value";
        f.argument = quantities_[q].derivative ? argument_name(quantities_[q].argument) : "";
        f.type = type_;
        f.target = targets_[t];
        f.max_ulp = w.ulp;
        f.bound = bound(quantities_[q]);
        f.worst_x = w.x;
        f.got = w.got;
        f.expected = w.expected;
        f.checked = checked_;
        result.push_back(std::move(f));
      }
    }
    return result;
  }

  static void merge(std::vector<Finding>& into, const std::vector<Finding>& from) {
    for (std::size_t i = 0; i < into.size(); ++i) {
      const std::uint64_t checked = into[i].checked + from[i].checked;
      if (from[i].max_ulp > into[i].max_ulp) into[i] = from[i];
      into[i].checked = checked;
    }
  }

  std::string argument_name(std::size_t argument) const {
    if (argument >= spec_.inputs) return std::string(spec_.parameters[argument - spec_.inputs].name);
    return spec_.inputs == 1 ? "x" : argument == 0 ? "a" : "b";
  }

  // Gradients of parameters, from random points, fewer of them: each is a call of its own.
  void add_parameters(std::vector<Finding>& all, std::size_t parameters) {
    if (parameters == 0) return;
    quantities_.clear();
    for (std::size_t k = 0; k < parameters; ++k) quantities_.push_back({true, spec_.inputs + k});
    start();
    sweep_product(std::min<std::uint64_t>(plan_.samples, std::max<std::uint64_t>(plan_.samples / 64, 1 << 14)));
    const std::vector<Finding> more = finish();
    all.insert(all.end(), more.begin(), more.end());
  }

  bool of_parameters() const { return quantities_[0].derivative && quantities_[0].argument >= spec_.inputs; }

  void sweep_line() {
    Points points;
    points.input.resize(1);
    std::vector<float>& x = points.input[0];
    if (type_ != Type::float32) {
      for (std::uint32_t bits = 0; bits < 65536; ++bits) x.push_back(widened(type_, bits));
      run_points(points);
      return;
    }
    x = edges(spec_, type_);
    run_points(points);
    constexpr std::uint64_t all = std::uint64_t{1} << 32;
    const std::uint64_t count = (all + plan_.stride - 1) / plan_.stride;
    for (std::uint64_t begin = 0; begin < count; begin += batch) {
      const std::uint64_t n = std::min<std::uint64_t>(batch, count - begin);
      x.resize(n);
      parallel_((n + piece - 1) / piece, [&](std::size_t task) {
        const std::uint64_t end = std::min<std::uint64_t>(n, (task + 1) * piece);
        for (std::uint64_t i = task * piece; i < end; ++i) {
          x[i] = std::bit_cast<float>(static_cast<std::uint32_t>((begin + i) * plan_.stride));
        }
      });
      run_points(points);
      if (plan_.progress && count > batch) {
        plan_.progress(activation_.text() + " " + std::to_string(100 * (begin + n) / count) + " %");
      }
    }
  }

  void sweep_product(std::uint64_t samples) {
    std::mt19937_64 random(20261121);
    std::normal_distribution<float> normal(0, 3);
    const std::vector<float> special = edges(spec_, type_);
    Points points;
    points.input.resize(spec_.inputs);
    const auto draw = [&]() -> float {
      switch (random() % 8) {
        case 0: return special[random() % special.size()];
        case 1: return narrowed(type_, std::bit_cast<float>(static_cast<std::uint32_t>(random())));  // any exponent
        case 2:
          return narrowed(type_, static_cast<float>(std::exp2(static_cast<double>(random() % 4000) / 125.0 - 24)) *
                                     ((random() & 1) != 0 ? 1.0f : -1.0f));
        default: return narrowed(type_, normal(random));
      }
    };
    for (std::uint64_t begin = 0; begin < samples; begin += batch) {
      const std::uint64_t n = std::min<std::uint64_t>(batch, samples - begin);
      for (auto& column : points.input) {
        column.resize(n);
        for (float& v : column) v = draw();
      }
      points.first = begin;
      run_points(points);
    }
  }

  // Memory of one thread, kept from call to call: an exhaustive sweep makes millions of them.
  template <class T>
  struct Scratch {
    std::vector<std::vector<T>> input;
    std::vector<T> ones, value, gradient[max_inputs];
  };
  template <class T>
  static Scratch<T>& scratch() {
    thread_local Scratch<T> memory;
    return memory;
  }

  // Quantities of n points, arithmetic in T (float, double, or a 16-bit type's bits), results widened.
  template <class T, class Out>
  void compute(Type type, const std::vector<const T*>& input, std::uint64_t number, std::size_t n,
               std::vector<std::vector<Out>>& out) const {
    Call call;
    call.function = &activation_.function();
    call.type = type;
    call.length = n;
    call.mode = mode_;
    call.noise = noise_key;
    call.first = number;
    call.precision = plan_.precision;
    for (std::size_t k = 0; k < spec_.inputs; ++k) call.input[k] = {input[k]};
    for (std::size_t k = 0; k < spec_.parameters.size(); ++k) call.parameter[k] = {&activation_.parameters()[k], false};
    out.resize(quantities_.size());
    for (auto& column : out) column.resize(n);
    Scratch<T>& memory = scratch<T>();
    if (memory.ones.size() != n || memory.ones[0] != one<T>(type)) memory.ones.assign(n, one<T>(type));
    if (of_parameters()) return compute_parameters(call, memory.ones, n, out);
    constexpr bool direct = std::is_same_v<T, Out>;
    std::vector<T>& value = results<direct>(out[0], memory.value);
    value.resize(n);
    call.y = {value.data()};
    forward(call);
    call.dy = {memory.ones.data()};
    for (std::size_t k = 0; k < spec_.inputs; ++k) {
      std::vector<T>& gradient = results<direct>(out[1 + k], memory.gradient[k]);
      gradient.resize(n);
      call.dx[k] = {gradient.data()};
    }
    backward(call);
    if constexpr (!direct) {
      widen(type, value, out[0]);
      for (std::size_t k = 0; k < spec_.inputs; ++k) widen(type, memory.gradient[k], out[1 + k]);
    }
  }
  // Where the kernels write: the results themselves, or memory from which they are widened.
  template <bool direct, class T, class Out>
  static std::vector<T>& results(std::vector<Out>& out, std::vector<T>& memory) {
    if constexpr (direct) {
      return out;
    } else {
      return memory;
    }
  }

  template <class T, class Out>
  void compute_parameters(Call& call, const std::vector<T>& ones, std::size_t n,
                          std::vector<std::vector<Out>>& out) const {
    std::vector<T> unused(std::max(n, kernels::most_width));
    const std::size_t count = spec_.parameters.size();
    std::vector<std::vector<double>> values(count), sums(count);
    call.channels = n;
    call.inner = 1;
    call.dy = {ones.data()};
    for (std::size_t k = 0; k < spec_.inputs; ++k) call.dx[k] = {unused.data()};
    for (std::size_t k = 0; k < count; ++k) {
      values[k].assign(n,
                       static_cast<float>(activation_.parameters()[k]));  // as float kernels get them, one an element
      sums[k].resize(n);
      call.parameter[k] = {values[k].data(), true};
      call.dp[k] = sums[k].data();
    }
    backward(call);
    // Every other point once more as a call of its own: parameters that are the same for all elements of a call may
    // have other kernels, and the learned ones alone have. As shorter calls are summed apart, it is followed by ones,
    // into which nothing flows.
    Call one = call;
    one.length = kernels::most_width;
    one.channels = 1;
    std::vector<T> padded[max_inputs], flow(one.length, T{0});
    for (auto& column : padded) column.assign(one.length, ones[0]);
    flow[0] = ones[0];
    one.dy = {flow.data()};
    for (std::size_t i = 0; i < n; i += 2) {
      for (std::size_t k = 0; k < spec_.inputs; ++k) {
        padded[k][0] = static_cast<const T*>(call.input[k].data)[i];
        one.input[k] = {padded[k].data()};
      }
      one.first = call.first + i;
      for (std::size_t k = 0; k < count; ++k) {
        one.parameter[k] = {&values[k][i], false};
        one.dp[k] = i % 4 == 0 || spec_.parameters[k].role == Role::learned ? &sums[k][i] : nullptr;
      }
      backward(one);
    }
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
      const std::vector<double>& sum = sums[quantities_[q].argument - spec_.inputs];
      for (std::size_t i = 0; i < n; ++i) out[q][i] = static_cast<Out>(sum[i]);
    }
  }

  template <class T>
  static T one(Type type) {
    if constexpr (std::is_same_v<T, std::uint16_t>) {
      return type == Type::bfloat16 ? 0x3f80 : 0x3c00;
    } else {
      (void)type;
      return 1;
    }
  }
  template <class T, class Out>
  static void widen(Type type, const std::vector<T>& in, std::vector<Out>& out) {
    if constexpr (std::is_same_v<T, std::uint16_t>) {
      std::vector<float> wide(in.size());
      if (type == Type::bfloat16) {
        convert(std::span(reinterpret_cast<const bfloat16*>(in.data()), in.size()), std::span(wide));
      } else {
        convert(std::span(reinterpret_cast<const float16*>(in.data()), in.size()), std::span(wide));
      }
      std::copy(wide.begin(), wide.end(), out.begin());
    } else {
      std::copy(in.begin(), in.end(), out.begin());
    }
  }

  // Every target on these points.
  void run_points(const Points& points) {
    const std::size_t n = points.size();
    const std::size_t step = of_parameters() ? parameter_piece : piece;
    const std::size_t tasks = (n + step - 1) / step;
    if (exact_.size() < tasks) exact_.resize(tasks);
    use_target("");
    parallel_(tasks, [&](std::size_t task) {
      const std::size_t begin = task * step, count = std::min(step, n - begin);
      std::vector<std::vector<double>>& wide = scratch<double>().input;
      wide.resize(spec_.inputs);
      std::vector<const double*> input;
      for (std::size_t k = 0; k < spec_.inputs; ++k) {
        const auto from = points.input[k].begin() + static_cast<std::ptrdiff_t>(begin);
        wide[k].assign(from, from + static_cast<std::ptrdiff_t>(count));
        input.push_back(wide[k].data());
      }
      const NoSubnormals while_exact(spec_.inputs == 1);
      compute(Type::float64, input, points.first + begin, count, exact_[task]);
    });
    for (std::size_t t = 0; t < targets_.size(); ++t) {
      use_target(targets_[t]);
      parallel_(tasks, [&](std::size_t task) {
        const std::size_t begin = task * step, count = std::min(step, n - begin);
        thread_local std::vector<std::vector<float>> got;
        std::vector<const float*> input;
        for (const auto& column : points.input) input.push_back(column.data() + begin);
        if (type_ == Type::float32) {
          compute(Type::float32, input, points.first + begin, count, got);
        } else {
          std::vector<std::vector<std::uint16_t>>& narrow = scratch<std::uint16_t>().input;
          narrow.clear();
          for (const float* column : input) narrow.push_back(bits16({column, count}));
          std::vector<const std::uint16_t*> bits;
          for (const auto& column : narrow) bits.push_back(column.data());
          compute(type_, bits, points.first + begin, count, got);
        }
        compare(t, input, exact_[task], got, points.first + begin, count);
      });
    }
    use_target("");
    checked_ += n;
  }

  std::vector<std::uint16_t> bits16(std::span<const float> wide) const {
    std::vector<std::uint16_t> result(wide.size());
    if (type_ == Type::bfloat16) {
      convert(wide, std::span(reinterpret_cast<bfloat16*>(result.data()), result.size()));
    } else {
      convert(wide, std::span(reinterpret_cast<float16*>(result.data()), result.size()));
    }
    return result;
  }

  void compare(std::size_t target, const std::vector<const float*>& input,
               const std::vector<std::vector<double>>& exact, const std::vector<std::vector<float>>& got,
               std::uint64_t number, std::size_t n) {
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
      Worst& known = worst_[target * quantities_.size() + q];
      double most;
      {
        const std::lock_guard lock(mutex_);
        most = known.ulp;
      }
      if (type_ == Type::float32 && !(worst(got[q].data(), exact[q].data(), n, most) > most)) continue;
      const std::size_t at = find(input, exact, got, number, n, q, most);
      if (at == n) continue;
      const std::lock_guard lock(mutex_);
      if (most > known.ulp) {
        known.ulp = most;
        known.x.clear();
        for (const float* column : input) known.x.push_back(column[at]);
        known.got = got[q][at];
        known.expected = exact[q][at];
      }
    }
  }

  // The contract's bound, in units in the last place.
  double bound(const Quantity& quantity) const { return type_ != Type::float32 ? 1 : quantity.derivative ? 4 : 2; }

  // The first point with an error above `most`, and above all others, which becomes `most`; n if there is none. Beyond
  // the bound, terms may cancel: there the unit is asked for.
  std::size_t find(const std::vector<const float*>& input, const std::vector<std::vector<double>>& exact,
                   const std::vector<std::vector<float>>& got, std::uint64_t number, std::size_t n, std::size_t q,
                   double& most) const {
    std::size_t at = n;
    const Format format = format_of(type_);
    for (std::size_t i = 0; i < n; ++i) {
      double error = error_in_ulp(got[q][i], exact[q][i], format);
      if (error > most && error > bound(quantities_[q])) {
        error = error_in_ulp(got[q][i], exact[q][i], format, term(input, i, number + i, q));
      }
      if (error > most) {
        most = error;
        at = i;
      }
    }
    return at;
  }

  // Sums that vanish along whole curves: of noisy functions in training, in the plane of input and noise; of channel
  // limits in that of their inputs. There, as near any root where terms cancel, the unit is that of the largest of the
  // terms that the definition names, and of a derivative that of their derivatives. At evaluation there is no noise and
  // no such leave.
  double named_term(const std::vector<const float*>& input, std::size_t i, std::uint64_t number, std::size_t q) const {
    float e = 0;
    if (spec_.noise != Noise::none) {
      if (mode_ != Mode::training) return 0;
      kernels::fill_noise(spec_.noise, noise_key, number, 1, &e);
    }
    double x[max_inputs];
    for (std::size_t k = 0; k < spec_.inputs; ++k) x[k] = input[k][i];
    std::vector<double> direction(spec_.inputs + spec_.parameters.size(), 0.0);
    if (quantities_[q].derivative) direction[quantities_[q].argument] = 1;
    return activation_.function().reference.largest_term(x, activation_.parameters().data(), e,
                                                         quantities_[q].derivative ? direction.data() : nullptr);
  }

  // Near a declared root r of the quantity f, the terms that cancel there: |x f'(x)|, at the edge of the neighbourhood
  // where it is larger (at a double root f' is 0, too).
  double term(const std::vector<const float*>& input, std::size_t i, std::uint64_t number, std::size_t q) const {
    double most = named_term(input, i, number, q);
    const double x = input[0][i];
    for (double root : spec_.roots) {
      if (std::fabs(x - root) >= root_window * std::fabs(root)) continue;
      for (double edge : {1 - root_window, 1 + root_window}) {
        std::vector<double> at;
        for (const float* column : input) at.push_back(column[i]);
        at[0] = root * edge;
        double change;
        if (quantities_[q].derivative) {
          const std::size_t total = spec_.inputs + spec_.parameters.size();
          change = exact_second(activation_, at, 0, mode_)[quantities_[q].argument * total];
        } else {
          change = ogee::exact(activation_, at, 0, mode_).derivatives[0];
        }
        most = std::max(most, std::fabs(at[0] * change));
      }
    }
    return most;
  }

  const Activation& activation_;
  const Spec& spec_;
  const Plan& plan_;
  Type type_;
  std::vector<std::string> targets_;
  Parallel parallel_;
  Mode mode_;
  std::vector<Quantity> quantities_;
  std::vector<Worst> worst_;
  std::vector<std::vector<std::vector<double>>> exact_;  // a task's quantities
  std::uint64_t checked_ = 0;
  std::mutex mutex_;
};

}  // namespace

std::vector<std::string> simd_targets() {
  std::vector<std::string> result;
  for (const std::string& name : targets()) {
    if (name != "SCALAR" && name != "EMU128") result.push_back(name);
  }
  return result.empty() ? targets() : result;
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::float32: return "f32";
    case Type::float64: return "f64";
    case Type::bfloat16: return "bf16";
    case Type::float16: return "f16";
  }
  return "";
}

std::vector<Finding> measure(const Activation& activation, const Plan& plan) {
  if (plan.stride == 0) throw Error("accuracy: the stride must be at least 1");
  std::vector<Finding> result;
  for (Type type : plan.types) {
    if (type == Type::float64) throw Error("accuracy: f64 is the yardstick; f32, bf16 and f16 can be measured");
    if (plan.progress) plan.progress(activation.text() + " " + std::string(name_of(type)));
    Sweep sweep(activation, plan, type);
    const std::vector<Finding> findings = sweep.run();
    result.insert(result.end(), findings.begin(), findings.end());
  }
  return result;
}

}  // namespace ogee::accuracy
