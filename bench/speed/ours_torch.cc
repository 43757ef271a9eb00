#include "bench/speed/ours.h"
#include "bench/speed/tensors.h"
//
#include "ogee/torch.h"

namespace ogee::bench {
namespace {

// As ogee::apply is called by a user: learned parameters as tensors, the others as the activation has them.
RecordedForward apply_of(const Case& c) {
  ApplyOptions options;
  options.training = true;
  return
      [f = *c.activation, options](const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& parameters) {
        return inputs.size() == 2 ? apply(f, inputs[0], inputs[1], parameters, options)
                                  : apply(f, inputs[0], parameters, options);
      };
}

}  // namespace

Work our_training(const Case& c) {
  at::set_num_threads(c.threads);
  return training_work(c, apply_of(c));
}

Work our_torch_forward(const Case& c) {
  at::set_num_threads(c.threads);
  const Leaves leaves = leaves_of(c);
  auto y = std::make_shared<at::Tensor>();
  return Work{[=, forward = apply_of(c)] {
                const at::NoGradGuard no_grad;
                *y = at::Tensor();
                *y = forward(leaves.inputs, leaves.parameters);
              },
              [=] { copy_to(c, *y, c.y); }};
}

std::function<void()> libtorch_noise(Noise kind, float* out, std::size_t n) {
  at::Tensor tensor = at::from_blob(out, {static_cast<std::int64_t>(n)}, at::TensorOptions().dtype(at::kFloat));
  return [tensor, kind]() mutable {
    const at::NoGradGuard no_grad;
    kind == Noise::normal ? tensor.normal_() : tensor.uniform_();
  };
}

}  // namespace ogee::bench
