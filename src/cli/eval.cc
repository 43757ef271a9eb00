// ogee eval: a function over raw arrays.
#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Options {
  std::string activation, output, dtype = "f32", target;
  std::vector<std::string> inputs;
  bool derivative = false, training = false;
  std::uint64_t seed = 0;
  int threads = 1;
};

std::vector<char> read_file(const std::string& path, std::size_t element) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(path + ": cannot be read: " + std::strerror(errno));
  const auto size = static_cast<std::size_t>(file.tellg());
  if (size % element != 0) {
    throw Error(fmt::format("{}: {} bytes are no whole number of {}-byte elements", path, size, element));
  }
  std::vector<char> bytes(size);
  file.seekg(0);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) throw Error(path + ": cannot be read to its end");
  return bytes;
}

template <Element T>
void evaluate(const Options& options) {
  const Activation activation(options.activation);
  const Spec& spec = activation.spec();
  if (options.inputs.size() != spec.inputs) {
    throw Error(fmt::format("{} takes {} --input file(s), {} given", spec.name, spec.inputs, options.inputs.size()));
  }
  std::vector<std::vector<char>> bytes;
  for (const std::string& path : options.inputs) bytes.push_back(read_file(path, sizeof(T)));
  const std::size_t n = bytes[0].size() / sizeof(T);
  for (std::size_t k = 1; k < bytes.size(); ++k) {
    if (bytes[k].size() != bytes[0].size()) {
      throw Error(fmt::format("{} has {} elements, {} has {}: they must agree", options.inputs[0], n, options.inputs[k],
                              bytes[k].size() / sizeof(T)));
    }
  }

  // Derivatives: one array for each argument. A parameter's is per element, so each element is its own channel.
  const std::size_t arrays = options.derivative ? spec.inputs + spec.parameters.size() : 1;
  std::vector<T> result(arrays * n);
  Call call;
  call.function = &activation.function();
  call.type = std::is_same_v<T, float>      ? Type::float32
              : std::is_same_v<T, double>   ? Type::float64
              : std::is_same_v<T, bfloat16> ? Type::bfloat16
                                            : Type::float16;
  call.length = n;
  call.mode = options.training ? Mode::training : Mode::evaluation;
  call.noise = {options.seed, 0};
  const Parallel parallel = on_threads(options.threads);
  call.parallel = &parallel;
  for (std::size_t k = 0; k < spec.inputs; ++k) call.input[k] = {bytes[k].data()};
  std::vector<std::vector<double>> values, sums;
  if (!options.derivative) {
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) call.parameter[k] = {&activation.parameters()[k], false};
    call.y = {result.data()};
    forward(call);
  } else {
    std::vector<T> ones(n);
    for (std::size_t i = 0; i < n; ++i) {
      if constexpr (std::is_floating_point_v<T>) {
        ones[i] = 1;
      } else {
        ones[i].bits = std::is_same_v<T, bfloat16> ? 0x3f80 : 0x3c00;
      }
    }
    call.dy = {ones.data()};
    for (std::size_t k = 0; k < spec.inputs; ++k) call.dx[k] = {result.data() + k * n};
    call.channels = n > 0 ? n : 1;
    values.resize(spec.parameters.size());
    sums.resize(spec.parameters.size());
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
      values[k].assign(call.channels, activation.parameters()[k]);
      sums[k].resize(call.channels);
      call.parameter[k] = {values[k].data(), true};
      call.dp[k] = sums[k].data();
    }
    // One slice of elements at a time: the accumulators are one per element.
    constexpr std::size_t piece = 16384;
    const std::size_t total = n;
    for (std::size_t begin = 0; begin < total; begin += piece) {
      Call part = call;
      part.length = std::min(piece, total - begin);
      part.channels = part.length;
      part.parallel = nullptr;
      const auto shift = static_cast<std::ptrdiff_t>(begin);
      for (std::size_t k = 0; k < spec.inputs; ++k) {
        part.input[k].data = static_cast<const T*>(call.input[k].data) + shift;
        part.dx[k].data = static_cast<T*>(call.dx[k].data) + shift;
      }
      part.dy.data = ones.data() + shift;
      part.first = begin;
      for (std::size_t k = 0; k < spec.parameters.size(); ++k) part.dp[k] = sums[k].data() + shift;
      backward(part);
    }
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
      T* out = result.data() + (spec.inputs + k) * n;
      if constexpr (std::is_same_v<T, double>) {
        std::copy(sums[k].begin(), sums[k].begin() + static_cast<std::ptrdiff_t>(n), out);
      } else {
        std::vector<float> narrow(sums[k].begin(), sums[k].begin() + static_cast<std::ptrdiff_t>(n));
        if constexpr (std::is_same_v<T, float>) {
          std::copy(narrow.begin(), narrow.end(), out);
        } else {
          convert(std::span<const float>(narrow), std::span<T>(out, n));
        }
      }
    }
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  if (!file) throw Error(options.output + ": cannot be written: " + std::strerror(errno));
  file.write(reinterpret_cast<const char*>(result.data()), static_cast<std::streamsize>(result.size() * sizeof(T)));
  file.close();
  if (!file) throw std::runtime_error(options.output + ": writing failed: " + std::strerror(errno));
}

}  // namespace

void add_eval(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("eval", "A function over raw little-endian arrays");
  verb->add_option("activation", options->activation, "Name, with attributes in parentheses if wanted")->required();
  verb->add_option("--input", options->inputs, "Array to read; twice for gated functions (gate first)")->required();
  verb->add_option("--output", options->output, "Array to write")->required();
  verb->add_flag("--derivative", options->derivative,
                 "Write the partial derivatives, inputs first, then parameters, one array after another");
  verb->add_option("--dtype", options->dtype, "Element type of the arrays")
      ->check(CLI::IsMember({"f32", "f64", "bf16", "f16"}))
      ->capture_default_str();
  verb->add_option("--target", options->target, "Force a SIMD target (default: the best one here)");
  verb->add_flag("--training", options->training, "Draw the noise of noisy functions (default: evaluation)");
  verb->add_option("--seed", options->seed, "Seed of the noise")->capture_default_str();
  verb->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->footer(
      "Examples:\n"
      "  ogee eval gelu --input x.f32 --output y.f32\n"
      "  ogee eval 'leaky_relu(slope=0.2)' --input x.f64 --output d.f64 --dtype f64 --derivative\n"
      "  ogee eval swiglu --input gate.bf16 --input value.bf16 --output y.bf16 --dtype bf16");
  verb->callback([options, &status] {
    if (!options->target.empty()) use_target(options->target);
    if (options->dtype == "f32") evaluate<float>(*options);
    if (options->dtype == "f64") evaluate<double>(*options);
    if (options->dtype == "bf16") evaluate<bfloat16>(*options);
    if (options->dtype == "f16") evaluate<float16>(*options);
    status = 0;
  });
}

}  // namespace ogee::cli
