// Runs every function's kernels once each, for Callgrind to count their instructions (./dev instructions): float32, one
// thread, target AVX2 (Valgrind knows no AVX-512), 16,384 elements.
//
// Callgrind writes one file of counts for each kernel, described by the line that the kernel has in
// bench/instructions.txt: "gelu backward". Standard output says what the counts belong to. Outside of Valgrind the
// program runs the same kernels and counts nothing.
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "hwy/highway.h"
#include "ogee/ogee.h"

namespace {

constexpr std::size_t elements = 16384;

// Numbers in [-6, 6], the same on every machine: what a network's units see, tails included.
std::vector<float> numbers(std::uint32_t state) {
  std::vector<float> result(elements);
  for (float& x : result) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * (12.0f / 16777216.0f) - 6.0f;
  }
  return result;
}

// The first run settles what happens once: the choice of the target, buffers that are kept.
template <class Work>
void count(const std::string& name, const Work& work) {
  work();
  CALLGRIND_ZERO_STATS;
  work();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
}

struct Arrays {
  std::vector<float> input[2] = {numbers(1), numbers(2)}, dy = numbers(3);
  std::vector<float> y = dy, dx[2] = {dy, dy};
};

void count_function(const ogee::Function& function, Arrays& arrays) {
  const ogee::Activation activation(function);
  const ogee::Spec& spec = activation.spec();
  ogee::Call call;
  call.function = &function;
  call.length = elements;
  call.dy = {arrays.dy.data()};
  call.y = {arrays.y.data()};
  for (std::size_t k = 0; k < spec.inputs; ++k) {
    call.input[k] = {arrays.input[k].data()};
    call.dx[k] = {arrays.dx[k].data()};
  }
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) call.parameter[k].data = &activation.parameters()[k];

  const std::string name(spec.name);
  if (spec.noise != ogee::Noise::none) {
    count(name + " evaluation", [&] { ogee::forward(call); });
    call.mode = ogee::Mode::training;
    call.noise = {1, 2};
  }
  count(name + " forward", [&] { ogee::forward(call); });
  count(name + " backward", [&] { ogee::backward(call); });
  if (!spec.parameters.empty()) {
    double gradients[ogee::max_parameters] = {};
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) call.dp[k] = &gradients[k];
    count(name + " parameters", [&] { ogee::backward(call); });
  }
}

template <class Narrow>
void count_conversions(const std::string& name, Arrays& arrays) {
  std::vector<Narrow> narrow(elements);
  count("convert to_" + name, [&] { ogee::convert(arrays.dy, narrow); });
  count("convert from_" + name, [&] { ogee::convert(narrow, arrays.y); });
}

}  // namespace

int main() {
  try {
    ogee::use_target("AVX2");
    std::printf("compiler %s %s\n", HWY_COMPILER_CLANG ? "clang" : "g++", __VERSION__);
    std::printf("highway %d.%d.%d\n", HWY_MAJOR, HWY_MINOR, HWY_PATCH);
    std::printf("target %s\n", ogee::target().c_str());
    std::printf("elements %zu\n", elements);
    Arrays arrays;
    for (const ogee::Function* function : ogee::functions()) count_function(*function, arrays);
    count_conversions<ogee::bfloat16>("bfloat16", arrays);
    count_conversions<ogee::float16>("float16", arrays);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "instructions: %s\n", e.what());
    return 2;
  }
}
