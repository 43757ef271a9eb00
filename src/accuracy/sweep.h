// How exact the kernels are: every function's value and derivatives, on every SIMD target, against exact values.
//
// The exact values are those of the double kernels, whose own error (tests/core/golden_test.cc and
// tests/cli/test_double_suffices.py: against many-digit arithmetic) is a small fraction of a float's unit. Functions of
// one input are swept over bit patterns at their default parameters, at evaluation; functions of two inputs, noisy
// ones in training and the derivatives by parameters over random points of the product space, edges included. Noisy
// functions in training are sums with the noise, channel limits of a value and a slope's product: beyond the contract,
// errors count there in units of the largest of the terms that the definition names (`terms`), if that is larger than
// the value. All else is measured strictly, but near declared roots (Spec::roots).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::accuracy {

struct Plan {
  std::vector<Activation> activations;        // empty: all
  std::vector<Type> types = {Type::float32};  // float64 is the yardstick, not to be measured
  std::vector<std::string> targets;           // empty: every SIMD target here
  std::uint64_t stride = 100003;              // every so-manieth float; 1: all
  std::uint64_t samples = 1 << 16;            // points of a product space
  Precision precision = Precision::exact;
  int threads = 1;
  std::function<void(const std::string& text)> progress;  // told what is being measured, if set
};

struct Finding {
  std::string function;
  std::string direction;  // "value" or "derivative"
  std::string argument;   // of a derivative: "x", "a", "b" or the parameter's name
  Type type;
  std::string target;
  double max_ulp = 0;
  double bound = 0;             // the contract: 2 for values, 4 for derivatives; 1 for 16-bit types
  std::vector<double> worst_x;  // inputs, then the noise if there is one
  double got = 0, expected = 0;
  std::uint64_t checked = 0;
  bool holds() const { return max_ulp <= bound; }
};

// One activation's findings, in the order value, derivatives; for each type and target. Throws Error on an unknown
// target or type. Forces targets for the whole process while it runs.
std::vector<Finding> measure(const Activation& activation, const Plan& plan);

// The SIMD targets of this machine: all but the one-lane fallback, unless there is nothing else.
std::vector<std::string> simd_targets();

std::string_view name_of(Type type);

}  // namespace ogee::accuracy
