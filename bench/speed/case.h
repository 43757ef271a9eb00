// One thing to be timed: a function, a direction, a type, a length, and the arrays that all who are timed share.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "ogee/ogee.h"

namespace ogee::bench {

// forward: y from x. backward: dx from x (or what the peer keeps of forward) and dy. training: forward, then backward
// with a given dy, recorded by autograd, gradients of learned parameters included.
enum class Direction { forward, backward, training };

struct Case {
  const Activation* activation;  // lives as long as what is made from the case
  Direction direction;
  Type type;
  std::size_t elements;
  int threads;
  const void* input[max_inputs];  // read by all
  const void* dy;
  void* y;  // written by all in turn
  void* dx[max_inputs];

  const Spec& spec() const { return activation->spec(); }
};

// What one competitor does for a case.
struct Work {
  std::function<void()> run;
  // After a run: copies results that lie elsewhere (a tensor of LibTorch's own making) into the case's arrays. Empty
  // where run writes them there itself.
  std::function<void()> deliver = {};
  // The noise that the last run drew for an element, as the definition's last argument. Noisy functions only.
  std::function<double(std::size_t)> noise = {};
};

class Peer {
 public:
  Peer() = default;
  virtual ~Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  virtual std::string name() const = 0;
  // The version of the library behind it, as it says itself.
  virtual std::string version() const = 0;
  // Why it cannot be used in this process; empty if it can.
  virtual std::string absent() const { return {}; }
  // True for expressions put together from a library's operators, which is what a user without the function writes.
  virtual bool composed() const { return false; }
  // Nothing if it has no such function, direction or type. Throws only on a failure of its own.
  virtual std::optional<Work> prepare(const Case& c) const = 0;
};

std::size_t bytes_of(Type type);
const char* name_of(Type type);
const char* name_of(Direction direction);

// True where every parameter has its default value: most peers know no other.
bool has_default_parameters(const Activation& activation);
// The parameter's value in float or double arithmetic is the caller's; 0 where the function has no such parameter.
double parameter_or(const Activation& activation, std::string_view name, double otherwise);

}  // namespace ogee::bench
