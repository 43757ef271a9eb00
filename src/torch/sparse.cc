// The module of the feed-forward block that skips what its activation set to zero.
#include "ogee/torch_sparse.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include <cmath>
#include <memory>
#include <utility>

#include "torch/apply.h"
#include "torch/sparse_block.h"

namespace ogee::nn {
namespace {

using sparse_block::Block;
using sparse_block::Outcome;
using sparse_block::run;

bool autocasting(const at::Tensor& x) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  return at::autocast::is_autocast_enabled(x.device().type());
#else
  return x.is_cpu() ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
#endif
}

}  // namespace

SparseFeedForwardImpl::SparseFeedForwardImpl(SparseFeedForwardOptions options_)
    : options(std::move(options_)), unit(sparse::unit_named(options.unit())) {
  TORCH_CHECK(options.dim() >= 1 && options.hidden() >= 0,
              "ogee::nn::SparseFeedForward: dim must be at least 1 and hidden at least 0, not ", options.dim(), " and ",
              options.hidden());
  if (options.hidden() == 0) options.hidden(4 * options.dim());
  reset();
}

SparseFeedForwardImpl::SparseFeedForwardImpl(SparseFeedForwardOptions options_, const torch::Tensor& in,
                                             const torch::Tensor& up, const torch::Tensor& out,
                                             const torch::Tensor& in_bias, const torch::Tensor& up_bias,
                                             const torch::Tensor& out_bias)
    : options(std::move(options_)), unit(sparse::unit_named(options.unit())) {
  const auto take = [&](torch::Tensor& member, const char* name, const torch::Tensor& given) {
    if (given.defined()) member = register_parameter(name, given, given.requires_grad());
  };
  take(weight_in, "weight_in", in);
  take(weight_up, "weight_up", up);
  take(weight_out, "weight_out", out);
  take(bias_in, "bias_in", in_bias);
  take(bias_up, "bias_up", up_bias);
  take(bias_out, "bias_out", out_bias);
}

void SparseFeedForwardImpl::reset() {
  const torch::NoGradGuard no_grad;
  const auto uniform = [&](torch::Tensor& t, const char* name, std::vector<std::int64_t> sizes, std::int64_t fan_in) {
    if (!named_parameters(false).contains(name)) t = register_parameter(name, torch::empty(sizes));
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    t.uniform_(-bound, bound, torch_call::current_generator());
  };
  const std::int64_t dim = options.dim(), hidden = options.hidden();
  uniform(weight_in, "weight_in", {hidden, dim}, dim);
  if (sparse::is_gated(unit)) uniform(weight_up, "weight_up", {hidden, dim}, dim);
  uniform(weight_out, "weight_out", {hidden, dim}, hidden);
  if (!options.bias()) return;
  uniform(bias_in, "bias_in", {hidden}, dim);
  if (sparse::is_gated(unit)) uniform(bias_up, "bias_up", {hidden}, dim);
  uniform(bias_out, "bias_out", {dim}, hidden);
}

void SparseFeedForwardImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::SparseFeedForward(" << options.dim() << ", hidden=" << options.hidden()
         << ", unit=" << std::string(sparse::name_of(unit)) << ", bias=" << (options.bias() ? "true" : "false") << ")";
}

torch::Tensor SparseFeedForwardImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == options.dim(),
              "ogee::nn::SparseFeedForward: the last dimension of x must be ", options.dim(), ", but its shape is ",
              x.sizes());
  const bool cast = autocasting(x);
  TORCH_CHECK(cast || x.scalar_type() == weight_in.scalar_type(), "ogee::nn::SparseFeedForward: x is ", x.scalar_type(),
              ", the weights are ", weight_in.scalar_type());
  const torch::Tensor flat = x.reshape({-1, options.dim()});
  const Block block{{flat, weight_in, weight_up, weight_out, bias_in, bias_up, bias_out}, unit, options.path()};
  Outcome outcome;
  torch::Tensor y;
  if (cast || !x.is_cpu()) {
    y = block.composed();
  } else if (x.scalar_type() == at::kFloat) {
    y = run<float>(block, outcome, [] { return at::Tensor(); });
  } else if (x.scalar_type() == at::kDouble) {
    y = run<double>(block, outcome, [] { return at::Tensor(); });
  } else if (x.scalar_type() == at::kBFloat16) {
    y = run<bfloat16>(block, outcome, [this] { return dense_copy(); });
  } else {
    y = block.composed();
  }
  was_sparse_ = outcome.sparse;
  sparsity_ = outcome.sparsity;
  return y.view(x.sizes());
}

// oneDNN's bfloat16 product turns the matrix round on every call if it lies the other way, which takes longer than the
// product of a few tokens.
torch::Tensor SparseFeedForwardImpl::dense_copy() {
  const std::lock_guard<std::mutex> lock(*copy_mutex_);
  if (!copy_.defined() || copy_of_ != weight_out.data_ptr() || copy_version_ != weight_out._version() ||
      copy_.scalar_type() != weight_out.scalar_type()) {
    copy_ = weight_out.detach().t().contiguous();
    copy_of_ = weight_out.data_ptr();
    copy_version_ = weight_out._version();
  }
  return copy_;
}

SparseFeedForward sparse_feed_forward(std::string_view unit, const torch::nn::Linear& in, const torch::nn::Linear& up,
                                      const torch::nn::Linear& out) {
  const bool gated = sparse::is_gated(sparse::unit_named(unit));
  TORCH_CHECK(gated == !up.is_empty(), "ogee::nn::sparse_feed_forward: ", std::string(unit),
              gated ? " needs a layer for each of its two inputs" : " has one input, but two layers were given");
  const std::int64_t hidden = in->weight.size(0), dim = in->weight.size(1);
  TORCH_CHECK(out->weight.size(0) == dim && out->weight.size(1) == hidden,
              "ogee::nn::sparse_feed_forward: the last layer must map ", hidden, " to ", dim, ", but its weight is ",
              out->weight.sizes());
  TORCH_CHECK(!gated || up->weight.sizes() == in->weight.sizes(),
              "ogee::nn::sparse_feed_forward: the two first layers differ in shape");
  const bool bias = in->bias.defined();
  TORCH_CHECK(out->bias.defined() == bias && (!gated || up->bias.defined() == bias),
              "ogee::nn::sparse_feed_forward: either all layers have a bias or none");
  torch::Tensor transposed = out->weight.detach().t().contiguous();
  transposed.set_requires_grad(out->weight.requires_grad());
  const torch::Tensor none;
  return SparseFeedForward(std::make_shared<SparseFeedForwardImpl>(
      SparseFeedForwardOptions(dim).hidden(hidden).unit(std::string(unit)).bias(bias), in->weight,
      gated ? up->weight : none, transposed, in->bias, gated ? up->bias : none, out->bias));
}

}  // namespace ogee::nn
