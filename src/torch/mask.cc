#include "torch/mask.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>

#include <algorithm>
#include <utility>

#include "kernels/mask.h"
#include "torch/apply.h"
#include "torch/node.h"

namespace ogee::torch_call {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Elements at a time: slopes that are looked at once stay in the cache. A multiple of 8.
constexpr std::int64_t block = 16384;

at::Tensor flat(const at::Tensor& dense) { return dense.as_strided({dense.numel()}, {1}); }
at::ScalarType arithmetic(at::ScalarType type) { return type == at::kDouble ? at::kDouble : at::kFloat; }
std::uint8_t* bytes(const at::Tensor& bits, std::int64_t element) {
  return bits.data_ptr<std::uint8_t>() + element / 8;
}

bool pack(const at::Tensor& slope, double low, double high, std::uint8_t* bits) {
  const auto n = static_cast<std::size_t>(slope.numel());
  if (slope.scalar_type() == at::kDouble) return kernels::pack_slopes(slope.data_ptr<double>(), n, low, high, bits);
  return kernels::pack_slopes(slope.data_ptr<float>(), n, static_cast<float>(low), static_cast<float>(high), bits);
}

// The gradient, block by block; the 16-bit types by way of float.
at::Tensor through(const SlopeMask& mask, const at::Tensor& dy) {
  const at::Tensor dx = at::empty_strided(mask.like.sizes(), mask.like.strides(), dy.options());
  at::Tensor from = dy;
  if (dy.strides() != dx.strides()) {
    from = at::empty_like(dx);
    from.copy_(dy);
  }
  const at::Tensor in = flat(from), out = flat(dx);
  const at::ScalarType type = arithmetic(dy.scalar_type());
  for (std::int64_t i = 0; i < in.numel(); i += block) {
    const std::int64_t n = std::min(block, in.numel() - i);
    const at::Tensor d = in.narrow(0, i, n).to(type), target = out.narrow(0, i, n);
    const at::Tensor result = target.scalar_type() == type ? target : at::empty_like(d);
    const auto count = static_cast<std::size_t>(n);
    if (type == at::kDouble) {
      kernels::apply_slopes(bytes(mask.bits, i), d.data_ptr<double>(), count, mask.low, mask.high,
                            result.data_ptr<double>());
    } else {
      kernels::apply_slopes(bytes(mask.bits, i), d.data_ptr<float>(), count, static_cast<float>(mask.low),
                            static_cast<float>(mask.high), result.data_ptr<float>());
    }
    if (!result.is_same(target)) target.copy_(result);
  }
  return dx;
}

class MaskNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeMaskBackward"; }
  void save(SlopeMask&& mask) {
    bits_ = SavedVariable(mask.bits, false);
    mask_ = std::move(mask);
    mask_.bits = at::Tensor();
  }
  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!gradients[0].defined()) return variable_list(1);
    SlopeMask mask = mask_;
    mask.bits = bits_.unpack();
    if (!at::GradMode::is_enabled()) return {through(mask, gradients[0])};
    // The slope itself is constant, so its product with dy is all there is to differentiate.
    at::Tensor slope;
    {
      const at::NoGradGuard no_grad;
      slope = through(mask, at::ones_like(gradients[0]));
    }
    return {gradients[0] * slope};
  }

 protected:
  void released() override { bits_.reset_data(); }

 private:
  SlopeMask mask_;
  SavedVariable bits_;
};

MadeNode<MaskNode> node_for(SlopeMask&& mask, const at::Tensor& x) {
  MadeNode<MaskNode> made = make_node<MaskNode>();
  made.node->add_edge(x);
  made.node->save(std::move(mask));
  return made;
}

}  // namespace

std::optional<SlopeMask> mask_of(const Request& r) {
  const at::Tensor& x = r.a;
  if (!x.is_cpu() || r.spec().inputs != 1 || r.draws_noise() || !x.is_non_overlapping_and_dense()) return std::nullopt;
  for (const at::Tensor& p : r.parameters) {
    if (p.numel() != 1 || (at::GradMode::is_enabled() && p.requires_grad())) return std::nullopt;
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  SlopeMask mask;
  mask.like = at::empty_strided(x.sizes(), x.strides(), x.options().device(at::kMeta));
  mask.bits = at::empty({(x.numel() + 7) / 8}, x.options().dtype(at::kByte));
  const at::Tensor all = flat(x);
  const at::ScalarType type = arithmetic(x.scalar_type());
  int found = 0;
  for (std::int64_t i = 0; i < all.numel(); i += block) {
    // In float where x is narrower, as the kernels see it, so that the slope is not rounded.
    const at::Tensor part = all.narrow(0, i, std::min(block, all.numel() - i)).to(type);
    const at::Tensor ones = at::ones({1}, part.options()).expand(part.sizes());
    const at::Tensor slope = kernel_backward(ones,
                                             Request{r.entry,
                                                     part,
                                                     r.b,
                                                     r.parameters,
                                                     r.slots,
                                                     r.values,
                                                     0,
                                                     r.layout,
                                                     r.gate_dim,
                                                     r.training,
                                                     r.key,
                                                     {},
                                                     false},
                                             0)[0]
                                 .to(type);
    if (found == 0) {
      mask.low = mask.high = slope[0].item<double>();
      found = 1;
    }
    if (pack(slope, mask.low, mask.high, bytes(mask.bits, i))) continue;
    if (found == 2) return std::nullopt;
    // The second slope turns up: so far all were the first one, and none will be told apart from now on but by it.
    mask.high = slope.masked_select(slope.ne(mask.low))[0].item<double>();
    found = 2;
    if (i > 0) mask.bits.narrow(0, 0, i / 8).zero_();
    if (!pack(slope, mask.low, mask.high, bytes(mask.bits, i))) return std::nullopt;
  }
  return mask;
}

void attach_mask(SlopeMask mask, const at::Tensor& x, at::Tensor& y) { node_for(std::move(mask), x).attach(y); }

at::Tensor& apply_in_place(const Request& r, at::Tensor& x) {
  const bool wanted = at::GradMode::is_enabled() && x.requires_grad();
  for (const at::Tensor& p : r.parameters) {
    TORCH_CHECK(!at::GradMode::is_enabled() || !p.requires_grad(), r.prefix(),
                "in place, the gradient of a parameter cannot be had: it needs the input");
  }
  TORCH_CHECK(x.is_cpu(), r.prefix(), "in place on the CPU only");
  torch::autograd::check_inplace(x, wanted);
  std::optional<SlopeMask> mask;
  if (wanted) {
    mask = mask_of(r);
    TORCH_CHECK(mask.has_value(), r.prefix(),
                "in place, backward has one bit an element, which tells two slopes apart; here there are more (or a "
                "NaN). Use apply, which keeps the input");
  }
  MadeNode<MaskNode> made{};
  if (wanted) made = node_for(std::move(*mask), x);
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    kernel_forward_in_place(r);
  }
  torch::autograd::increment_version(x);
  if (made.pointer) torch::autograd::rebase_history(x, made.pointer);
  return x;
}

}  // namespace ogee::torch_call
