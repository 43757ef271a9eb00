#include "models/script_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "ogee/ogee.h"

namespace ogee::models {

bool names_a_script(const std::string& model) {
  return model.ends_with(".pt") || model.ends_with(".pth") || model.ends_with(".ts");
}

std::string read_script(const std::string& path) {
  std::error_code code;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, code)) throw Error(path + ": cannot be read");
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) throw Error(path + ": cannot be read");
  return bytes.str();
}

torch::jit::Module parse_script(const std::string& bytes, const std::string& path) {
  // Each model gets classes and functions of its own, but the reader registers names that all share.
  static std::mutex reading;
  const std::lock_guard lock(reading);
  try {
    std::istringstream stream(bytes);
    return torch::jit::load(stream, torch::kCPU);
  } catch (const std::exception& e) {
    if (const std::string reason = reason_of(e); reason.find("Unknown builtin op") != std::string::npos)
      throw Error(fmt::format("{}: was saved by a newer LibTorch than {}: {}", path, TORCH_VERSION, reason));
    throw Error(fmt::format("{}: is no TorchScript file (torch.jit.save makes them): {}", path, reason_of(e)));
  }
}

std::string reason_of(const std::exception& e) {
  const auto* error = dynamic_cast<const c10::Error*>(&e);
  std::string text = error ? error->what_without_backtrace() : e.what();
  // Errors inside a script end with the one that was thrown.
  if (const std::size_t at = text.rfind("RuntimeError: "); at != std::string::npos) text = text.substr(at + 14);
  text.erase(0, text.find_first_not_of(" \n"));
  return text.substr(0, text.find('\n'));
}

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

at::Tensor fitted_output(const c10::IValue& result, std::int64_t examples, const data::Dataset& data) {
  c10::IValue first = result;
  if (first.isTuple() && !first.toTuple()->elements().empty()) first = first.toTuple()->elements()[0];
  if (!first.isTensor()) throw Error("its result is no tensor");
  const at::Tensor output = first.toTensor();
  const auto refuse = [&](const std::string& expected) {
    return Error(fmt::format("its results have the shape {}, expected {}", shape_text(output.sizes()), expected));
  };
  const std::int64_t outputs = data.outputs();
  switch (data.goal) {
    case data::Goal::captions: throw Error("captions need a model that says sentences of pictures: expected captioner");
    case data::Goal::translation: throw Error("translation needs a model that translates: expected attention");
    case data::Goal::classification:
      if (output.dim() != 2 || output.size(0) != examples || output.size(1) < outputs)
        throw refuse(fmt::format("[{}, {}] for {} classes", examples, outputs, outputs));
      return output;
    case data::Goal::language:
      if (output.dim() != 3 || output.size(0) != examples || output.size(1) != data.shape[0] ||
          output.size(2) < outputs)
        throw refuse(fmt::format("[{}, {}, {}] for {} tokens", examples, data.shape[0], outputs, outputs));
      return output;
    case data::Goal::recall:
      if (output.sizes() != at::IntArrayRef({examples, data.shape[0], outputs}))
        throw refuse(fmt::format("[{}, {}, {}] for {} bits a step", examples, data.shape[0], outputs, outputs));
      return output;
    case data::Goal::regression:
    case data::Goal::forecasting:
      if (output.numel() != examples * outputs)
        throw refuse(fmt::format("{} number{} for each of {} examples", outputs, outputs == 1 ? "" : "s", examples));
      return output.reshape({examples, outputs});
  }
  throw refuse("a goal that is known");
}

bool wants_rows(torch::jit::Module& model, const data::Dataset& data) {
  const torch::NoGradGuard no_gradients;
  const at::Tensor x = data.train.x.narrow(0, 0, std::min<std::int64_t>(2, data.train.size()));
  torch::jit::Module copy = model.clone();
  copy.eval();
  try {
    fitted_output(copy.forward({x}), x.size(0), data);
    return false;
  } catch (const Error&) {
    throw;  // it took them as they are
  } catch (const std::exception&) {
    if (!data.images()) throw;
    try {
      fitted_output(copy.forward({x.flatten(1)}), x.size(0), data);
      return true;
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
    }
    throw;
  }
}

}  // namespace ogee::models
