// What an activation function is, in data: the constant that stands beside each definition in src/functions/.
// Plain C++20 without SIMD or macros.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string_view>

namespace ogee {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// The largest number of inputs and parameters a function may have (the safe rational of degree 5/4 has ten).
inline constexpr std::size_t max_inputs = 2;
inline constexpr std::size_t max_parameters = 10;

enum class Role {
  fixed,    // an attribute, the same for the whole layer; a gradient is still to be had
  learned,  // trained with the network, one value per channel or one per layer
};

// A parameter theta of phi(x; theta). Lanes receive parameters in this order, after the inputs.
struct Parameter {
  std::string_view name;
  double value;  // the default
  Role role = Role::fixed;
  double low = -infinity;  // the values that make sense, both ends included
  double high = infinity;
  // Learned ones start uniformly in value +- spread when a module creates them, a noisy unit's p in 0 +- spread.
  double spread = 0;
};

// The noise e of phi(x; theta; e), one independent draw per element.
enum class Noise { none, uniform, normal };

// Another name; it may fix one parameter ("very_leaky_relu" is leaky_relu with slope 1/5.5).
struct Alias {
  std::string_view name;
  std::string_view parameter = {};
  double value = 0;
};

// A point where the derivative jumps, at default parameters, and the derivative chosen there.
struct Kink {
  double at;
  double slope;
};

// A constexpr vector of at most N elements, so that a Spec can be written as one braced constant.
template <class T, std::size_t N>
class List {
 public:
  constexpr List() = default;
  constexpr List(std::initializer_list<T> values) {
    for (const T& value : values) items_[count_++] = value;
  }
  constexpr std::size_t size() const { return count_; }
  constexpr bool empty() const { return count_ == 0; }
  constexpr const T& operator[](std::size_t i) const { return items_[i]; }
  constexpr const T* begin() const { return items_; }
  constexpr const T* end() const { return items_ + count_; }

 private:
  T items_[N] = {};
  std::size_t count_ = 0;
};

struct Spec {
  std::string_view name;
  std::string_view formula;
  std::size_t inputs = 1;
  List<Parameter, max_parameters> parameters = {};
  Noise noise = Noise::none;
  // The value that stands for the noise at evaluation, where the function is deterministic.
  double noise_at_evaluation = 0;
  List<Alias, 4> aliases = {};
  List<Kink, 8> kinks = {};
  // Isolated points other than 0 where the derivative (or the value) vanishes because terms cancel: there the
  // error is counted in units of the larger term.
  List<double, 4> roots = {};
  // `nan(base=tanh)` finds the function named nan_tanh: {"nan", "base", "tanh"}.
  std::string_view group = {};
  std::string_view variant = {};
  std::string_view choice = {};
  // False where the derivative is chosen by definition (straight-through), so that no limit of differences is it.
  bool differentiable = true;
  std::string_view source = {};
};

}  // namespace ogee
