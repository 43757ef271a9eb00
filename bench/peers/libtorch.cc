// LibTorch's own operators: forward into an output that is there, their backward kernels called directly, and both
// through autograd.
#include "bench/speed/tensors.h"
//
#include <torch/version.h>

#include <map>
#include <string_view>

#include "bench/speed/arrays.h"
#include "bench/speed/peers.h"

namespace ogee::bench {
namespace {

using at::Tensor;

struct Operator {
  // What a user calls; autograd records it.
  std::function<Tensor(const Activation& f, const Tensor& x)> apply;
  // y = phi(x) into y's memory.
  std::function<void(const Activation& f, Tensor& y, const Tensor& x)> forward;
  // dx = dy*phi'(x) into dx's memory, or a new tensor where LibTorch has no other form. `kept` is what forward kept:
  // x, or for some y. Null: through autograd only.
  std::function<Tensor(const Activation& f, Tensor& dx, const Tensor& dy, const Tensor& kept)> backward;
  bool keeps_output = false;
};

double get(const Activation& f, std::string_view name, double otherwise = 0) {
  return parameter_or(f, name, otherwise);
}

using Of = const Activation&;
using In = const Tensor&;
using Out = Tensor&;

const std::map<std::string_view, Operator>& operators() {
  constexpr double selu_alpha = 1.6732632423543772, selu_scale = 1.0507009873554805;
  static const std::map<std::string_view, Operator> all = {
      {"relu",
       {[](Of, In x) { return at::relu(x); }, [](Of, Out y, In x) { at::clamp_min_out(y, x, 0); },
        [](Of, Out dx, In dy, In x) { return at::threshold_backward_out(dx, dy, x, 0); }}},
      {"relu6",
       {[](Of, In x) { return at::relu6(x); }, [](Of, Out y, In x) { at::hardtanh_out(y, x, 0, 6); },
        [](Of, Out dx, In dy, In x) { return at::hardtanh_backward_out(dx, dy, x, 0, 6); }}},
      {"clipped_relu",
       {[](Of f, In x) { return at::hardtanh(x, 0, get(f, "ceiling")); },
        [](Of f, Out y, In x) { at::hardtanh_out(y, x, 0, get(f, "ceiling")); },
        [](Of f, Out dx, In dy, In x) { return at::hardtanh_backward_out(dx, dy, x, 0, get(f, "ceiling")); }}},
      {"leaky_relu",
       {[](Of f, In x) { return at::leaky_relu(x, get(f, "slope")); },
        [](Of f, Out y, In x) { at::leaky_relu_out(y, x, get(f, "slope")); },
        [](Of f, Out dx, In dy, In x) { return at::leaky_relu_backward_out(dx, dy, x, get(f, "slope"), false); }}},
      {"threshold",
       {[](Of f, In x) { return at::threshold(x, get(f, "threshold"), get(f, "value")); },
        [](Of f, Out y, In x) { at::threshold_out(y, x, get(f, "threshold"), get(f, "value")); },
        [](Of f, Out dx, In dy, In x) { return at::threshold_backward_out(dx, dy, x, get(f, "threshold")); }}},
      {"hardtanh",
       {[](Of f, In x) { return at::hardtanh(x, get(f, "low"), get(f, "high")); },
        [](Of f, Out y, In x) { at::hardtanh_out(y, x, get(f, "low"), get(f, "high")); },
        [](Of f, Out dx, In dy, In x) { return at::hardtanh_backward_out(dx, dy, x, get(f, "low"), get(f, "high")); }}},
      {"hard_sigmoid",
       {[](Of, In x) { return at::hardsigmoid(x); }, [](Of, Out y, In x) { at::hardsigmoid_out(y, x); },
        [](Of, Out dx, In dy, In x) { return at::hardsigmoid_backward_out(dx, dy, x); }}},
      {"hard_swish",
       {[](Of, In x) { return at::hardswish(x); }, [](Of, Out y, In x) { at::hardswish_out(y, x); },
        [](Of, Out dx, In dy, In x) { return at::hardswish_backward_out(dx, dy, x); }}},
      {"softshrink",
       {[](Of f, In x) { return at::softshrink(x, get(f, "lambda")); },
        [](Of f, Out y, In x) { at::softshrink_out(y, x, get(f, "lambda")); },
        [](Of f, Out dx, In dy, In x) { return at::softshrink_backward_out(dx, dy, x, get(f, "lambda")); }}},
      {"hardshrink",
       {[](Of f, In x) { return at::hardshrink(x, get(f, "lambda")); },
        [](Of f, Out y, In x) { at::hardshrink_out(y, x, get(f, "lambda")); },
        [](Of f, Out dx, In dy, In x) { return at::hardshrink_backward_out(dx, dy, x, get(f, "lambda")); }}},
      {"sigmoid",
       {[](Of, In x) { return at::sigmoid(x); }, [](Of, Out y, In x) { at::sigmoid_out(y, x); },
        [](Of, Out dx, In dy, In y) { return at::sigmoid_backward_out(dx, dy, y); }, true}},
      {"tanh",
       {[](Of, In x) { return at::tanh(x); }, [](Of, Out y, In x) { at::tanh_out(y, x); },
        [](Of, Out dx, In dy, In y) { return at::tanh_backward_out(dx, dy, y); }, true}},
      {"log_sigmoid",
       {[](Of, In x) { return at::log_sigmoid(x); }, [](Of, Out y, In x) { at::log_sigmoid_out(y, x); },
        // Its CPU kernel also wants the buffer that its forward fills; so it is timed through autograd.
        nullptr}},
      {"softplus",
       {[](Of f, In x) { return at::softplus(x, get(f, "beta")); },
        [](Of f, Out y, In x) { at::softplus_out(y, x, get(f, "beta")); },
        [](Of f, Out dx, In dy, In x) { return at::softplus_backward_out(dx, dy, x, get(f, "beta"), 20); }}},
      {"elu",
       {[](Of f, In x) { return at::elu(x, get(f, "alpha")); },
        [](Of f, Out y, In x) { at::elu_out(y, x, get(f, "alpha")); },
        [](Of f, Out dx, In dy, In x) { return at::elu_backward_out(dx, dy, get(f, "alpha"), 1, 1, false, x); }}},
      {"selu",
       {[](Of, In x) { return at::selu(x); }, [](Of, Out y, In x) { at::elu_out(y, x, selu_alpha, selu_scale); },
        [](Of, Out dx, In dy, In x) { return at::elu_backward_out(dx, dy, selu_alpha, selu_scale, 1, false, x); }}},
      {"celu",
       {[](Of f, In x) { return at::celu(x, get(f, "alpha")); },
        [](Of f, Out y, In x) { at::elu_out(y, x, get(f, "alpha"), 1, 1 / get(f, "alpha")); },
        [](Of f, Out dx, In dy, In x) {
          return at::elu_backward_out(dx, dy, get(f, "alpha"), 1, 1 / get(f, "alpha"), false, x);
        }}},
      {"silu",
       {[](Of, In x) { return at::silu(x); }, [](Of, Out y, In x) { at::silu_out(y, x); },
        [](Of, Out dx, In dy, In x) { return at::silu_backward_out(dx, dy, x); }}},
      {"gelu",
       {[](Of, In x) { return at::gelu(x); }, [](Of, Out y, In x) { at::gelu_out(y, x); },
        [](Of, Out dx, In dy, In x) { return at::gelu_backward_out(dx, dy, x); }}},
      {"gelu_tanh",
       {[](Of, In x) { return at::gelu(x, "tanh"); }, [](Of, Out y, In x) { at::gelu_out(y, x, "tanh"); },
        [](Of, Out dx, In dy, In x) { return at::gelu_backward_out(dx, dy, x, "tanh"); }}},
      {"mish",
       {[](Of, In x) { return at::mish(x); }, [](Of, Out y, In x) { at::mish_out(y, x); },
        [](Of, Out, In dy, In x) { return at::mish_backward(dy, x); }}},
      {"erf", {[](Of, In x) { return at::erf(x); }, [](Of, Out y, In x) { at::erf_out(y, x); }, nullptr}},
      {"arctan", {[](Of, In x) { return at::atan(x); }, [](Of, Out y, In x) { at::atan_out(y, x); }, nullptr}},
      {"normal_cdf",
       {[](Of, In x) { return at::special_ndtr(x); }, [](Of, Out y, In x) { at::special_ndtr_out(y, x); }, nullptr}},
  };
  return all;
}

class LibTorch final : public Peer {
 public:
  std::string name() const override { return "LibTorch"; }
  std::string version() const override {
    // What it says of itself is many lines; one of them names the instructions its kernels use.
    const std::string config = at::show_config(), key = "CPU capability usage: ";
    const std::size_t begin = config.find(key);
    if (begin == std::string::npos) return TORCH_VERSION;
    const std::size_t from = begin + key.size();
    return std::string(TORCH_VERSION) + ", " + config.substr(from, config.find('\n', from) - from);
  }

  std::optional<Work> prepare(const Case& c) const override {
    at::set_num_threads(c.threads);
    const std::string_view name = c.spec().name;
    if (name == "prelu") return prelu(c);
    if (name == "rrelu") return rrelu(c);
    if (name == "glu") return glu(c);
    const auto found = operators().find(name);
    if (found == operators().end()) return std::nullopt;
    // Its operator has no slope to choose.
    if (name == "hard_sigmoid" && !has_default_parameters(*c.activation)) return std::nullopt;
    const Operator& op = found->second;
    const Activation f = *c.activation;
    const Tensor x = tensor_of(c, c.input[0]), dy = tensor_of(c, c.dy);
    const RecordedForward recorded = [&op, f](const std::vector<Tensor>& inputs, const std::vector<Tensor>&) {
      return op.apply(f, inputs[0]);
    };
    if (c.direction == Direction::training) return training_work(c, recorded);
    if (c.direction == Direction::backward && op.backward == nullptr) return recorded_backward_work(c, recorded);
    const bool backward = c.direction == Direction::backward;
    void* to = backward ? c.dx[0] : c.y;
    auto out = std::make_shared<Tensor>(tensor_of(c, to));
    if (!backward) {
      return Work{[=, &op] {
        const at::NoGradGuard no_grad;
        op.forward(f, *out, x);
      }};
    }
    Tensor kept = x;
    if (op.keeps_output) {
      const at::NoGradGuard no_grad;
      kept = op.apply(f, x);
    }
    auto result = std::make_shared<Tensor>();
    return Work{[=, &op] {
                  const at::NoGradGuard no_grad;
                  *result = op.backward(f, *out, dy, kept);
                },
                [=] {
                  if (result->data_ptr() != to) copy_to(c, *result, to);
                }};
  }

 private:
  static std::optional<Work> prelu(const Case& c) {
    const RecordedForward recorded = [](const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters) {
      return at::prelu(inputs[0], parameters[0]);
    };
    if (c.direction == Direction::training) return training_work(c, recorded);
    if (c.direction == Direction::backward) return recorded_backward_work(c, recorded);
    return functional(c, recorded);
  }

  // Its results cannot be given memory.
  static Work functional(const Case& c, RecordedForward forward) {
    auto leaves = std::make_shared<Leaves>(leaves_of(c));
    auto result = std::make_shared<Tensor>();
    return Work{[=, forward = std::move(forward)] {
                  const at::NoGradGuard no_grad;
                  *result = at::Tensor();
                  *result = forward(leaves->inputs, leaves->parameters);
                },
                [=] { copy_to(c, *result, c.y); }};
  }

  // rrelu_with_noise hands out the slopes it drew (1 where x is positive).
  static std::optional<Work> rrelu(const Case& c) {
    const double lower = c.activation->parameter("lower"), upper = c.activation->parameter("upper");
    const Tensor x = tensor_of(c, c.input[0]), dy = tensor_of(c, c.dy);
    auto slopes = std::make_shared<Tensor>(at::ones_like(x));
    const auto noise = [=](std::size_t i) {
      const double slope = Arrays::at(c.type, slopes->data_ptr(), i);
      return (slope - lower) / (upper - lower);
    };
    Work work;
    if (c.direction == Direction::training) {
      work = training_work(c, [=](const std::vector<Tensor>& inputs, const std::vector<Tensor>&) {
        return at::rrelu_with_noise(inputs[0], *slopes, lower, upper, /*training=*/true);
      });
    } else if (c.direction == Direction::forward) {
      auto y = std::make_shared<Tensor>(tensor_of(c, c.y));
      work.run = [=] {
        const at::NoGradGuard no_grad;
        at::rrelu_with_noise_out(*y, x, *slopes, lower, upper, /*training=*/true);
      };
    } else {
      {
        const at::NoGradGuard no_grad;
        at::rrelu_with_noise(x, *slopes, lower, upper, /*training=*/true);
      }
      auto dx = std::make_shared<Tensor>();
      work.run = [=] {
        const at::NoGradGuard no_grad;
        *dx = at::rrelu_with_noise_backward(dy, x, *slopes, lower, upper, /*training=*/true, false);
      };
      work.deliver = [=] { copy_to(c, *dx, c.dx[0]); };
    }
    work.noise = noise;
    return work;
  }

  // LibTorch's glu takes one tensor of two halves, value first: it gets a copy of the inputs laid out so.
  static std::optional<Work> glu(const Case& c) {
    if (c.direction == Direction::training) return std::nullopt;  // ours keeps two tensors: compare composed
    const Tensor packed = at::cat({tensor_of(c, c.input[1]), tensor_of(c, c.input[0])});
    if (c.direction == Direction::forward) {
      auto y = std::make_shared<Tensor>(tensor_of(c, c.y));
      return Work{[=] {
        const at::NoGradGuard no_grad;
        at::glu_out(*y, packed, 0);
      }};
    }
    auto dpacked = std::make_shared<Tensor>(at::empty_like(packed));
    const Tensor dy = tensor_of(c, c.dy);
    return Work{[=] {
                  const at::NoGradGuard no_grad;
                  at::glu_backward_out(*dpacked, dy, packed, 0);
                },
                [=] {
                  const auto n = static_cast<std::int64_t>(c.elements);
                  copy_to(c, dpacked->narrow(0, 0, n), c.dx[1]);
                  copy_to(c, dpacked->narrow(0, n, n), c.dx[0]);
                }};
  }
};

}  // namespace

std::optional<Work> libtorch_call(const Case& c) {
  const auto found = operators().find(c.spec().name);
  if (found == operators().end()) return std::nullopt;
  at::set_num_threads(c.threads);
  auto result = std::make_shared<Tensor>();
  const Tensor x = tensor_of(c, c.input[0]);
  return Work{[=, &op = found->second, f = *c.activation] {
                const at::NoGradGuard no_grad;
                *result = Tensor();
                *result = op.apply(f, x);
              },
              [=] { copy_to(c, *result, c.y); }};
}

void add_libtorch(Peers& peers) { peers.push_back(std::make_unique<LibTorch>()); }

}  // namespace ogee::bench
