// What the sparse feed-forward block computes, forward and backward, whichever of its two ways pays.
#pragma once

#include <ATen/core/ivalue.h>  // first: in C++20 Clang needs it whole before LibTorch 1.13's lists
//
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/sparse/cost.h"
#include "ogee/torch_sparse.h"
#include "torch/call.h"
#include "torch/node.h"
#include "torch/recurrent/products.h"

namespace ogee::nn::sparse_block {

using sparse::Active;
using sparse::Unit;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Places: x, weight_in, weight_up, weight_out, bias_in, bias_up, bias_out; undefined where there is none. x has two
// dimensions here.
enum Place : std::size_t { X, In, Up, Out, BiasIn, BiasUp, BiasOut, places };
struct Block {
  std::array<at::Tensor, places> t;
  Unit unit;
  SparsePath path;
  at::Tensor out_as_linear = {};  // Out as nn::Linear holds it, or undefined

  bool gated() const { return sparse::is_gated(unit); }
  std::int64_t tokens() const { return t[X].size(0); }
  std::int64_t units() const { return t[In].size(0); }
  std::int64_t dim() const { return t[In].size(1); }
  c10::optional<at::Tensor> optional(Place place) const {
    return t[place].defined() ? c10::optional<at::Tensor>(t[place]) : c10::nullopt;
  }
  at::Tensor linear(Place weight, Place bias) const { return at::linear(t[X], t[weight], optional(bias)); }
  at::Tensor hidden(const at::Tensor& gate, const at::Tensor& up) const {
    switch (unit) {
      case Unit::relu: return at::relu(gate);
      case Unit::squared_relu: return at::relu(gate).square();
      case Unit::reglu: return at::relu(gate).mul(up);
      default: return at::relu(gate).mul(at::relu(up));
    }
  }
  at::Tensor after(const at::Tensor& h) const {
    if (out_as_linear.defined()) return at::linear(h, out_as_linear, optional(BiasOut));
    return t[BiasOut].defined() ? at::addmm(t[BiasOut], h, t[Out]) : at::mm(h, t[Out]);
  }
  // As LibTorch composes it, recorded by autograd where that is on.
  at::Tensor composed() const { return after(hidden(linear(In, BiasIn), gated() ? linear(Up, BiasUp) : at::Tensor())); }
};

template <class W>
std::span<const W> span_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {static_cast<const W*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())};
}
template <class W>
std::span<W> writable(const at::Tensor& tensor) {
  return {static_cast<W*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())};
}

// One type's kernels on tensors.
template <class W>
class Products {
 public:
  using A = sparse::Wide<W>;
  static constexpr at::ScalarType wide_type = std::is_same_v<W, double> ? at::kDouble : at::kFloat;
  static constexpr Type type = std::is_same_v<W, double>  ? Type::float64
                               : std::is_same_v<W, float> ? Type::float32
                                                          : Type::bfloat16;

  explicit Products(const Block& block) : block_(block), dim_(static_cast<std::size_t>(block.dim())) {
    options_.parallel = &torch_call::on_torch_threads();
    options_.threads = static_cast<std::size_t>(at::get_num_threads());
    if (at::in_parallel_region()) options_ = {};
  }

  at::Tensor wide(const at::Tensor& tensor) const {
    return tensor.defined() ? tensor.to(wide_type).contiguous() : tensor;
  }
  std::vector<A> dot(const Active& active, const at::Tensor& wide_x, Place weight, Place bias) const {
    std::vector<A> values(active.pairs());
    const at::Tensor w = block_.t[weight].contiguous(), b = bias == places ? at::Tensor() : wide(block_.t[bias]);
    sparse::rows_dot<W>(active, span_of<A>(wide_x), span_of<W>(w), dim_, span_of<A>(b), values, options_);
    return values;
  }
  at::Tensor sum(const Active& active, const std::vector<A>& values, Place weight, Place bias) const {
    const auto shape = {static_cast<std::int64_t>(active.tokens()), block_.dim()};
    const at::Tensor y = at::empty(shape, block_.t[weight].options().dtype(wide_type));
    const at::Tensor w = block_.t[weight].contiguous(), b = bias == places ? at::Tensor() : wide(block_.t[bias]);
    sparse::rows_sum<W>(active, values, span_of<W>(w), dim_, span_of<A>(b), writable<A>(y), options_);
    return y;
  }
  at::Tensor outer(const Active& active, const std::vector<A>& values, const at::Tensor& wide_x) const {
    const at::Tensor dw = at::empty({block_.units(), block_.dim()}, block_.t[In].options());
    sparse::rows_outer<W>(active, values, span_of<A>(wide_x), dim_, writable<W>(dw), options_);
    return dw;
  }

 private:
  const Block& block_;
  std::size_t dim_;
  sparse::Options options_;
};

// What an active unit's pre-activations make of it. In place of g (and u): nothing else is needed later.
template <class A>
std::vector<A> hidden_values(Unit unit, const std::vector<A>& g, const std::vector<A>& u) {
  std::vector<A> h = g;
  for (std::size_t p = 0; p < h.size(); ++p) {
    if (unit == Unit::squared_relu) h[p] *= g[p];
    if (sparse::is_gated(unit)) h[p] *= u[p];
  }
  return h;
}

template <class A>
void keep_only(const std::vector<std::uint8_t>& keep, std::vector<A>& values) {
  std::size_t kept = 0;
  for (std::size_t p = 0; p < values.size(); ++p) {
    if (keep[p] != 0) values[kept++] = values[p];
  }
  values.resize(kept);
}

// Of the active pairs; g and u: gate and up where the unit has one.
template <class A>
struct Kept {
  Active active;
  std::vector<A> g, u;
};

// Against `dense` products of LibTorch's, and one that takes Out as it lies where there is one.
template <class W>
bool sparse_pays(const Block& block, const Active& active, std::size_t sums, std::size_t dots, std::size_t outers,
                 std::size_t dense, bool in_place = false) {
  if (block.path != SparsePath::automatic) return block.path == SparsePath::sparse;
  const sparse::Costs& costs = sparse::default_costs(Products<W>::type);
  const auto dim = static_cast<std::size_t>(block.dim());
  return sparse::sparse_cost(costs, Products<W>::type, active, dim, sums, dots, outers) <
         sparse::dense_cost(costs, active.tokens(), active.units(), dim, dense) +
             (in_place ? sparse::in_place_cost(Products<W>::type, active.tokens(), active.units(), dim) : 0);
}

struct Outcome {
  bool sparse = false;
  double sparsity = 0;
};

template <class W>
class SparseNode final : public torch_call::OgeeNode {
 public:
  using A = sparse::Wide<W>;
  std::string name() const override { return "OgeeSparseFeedForwardBackward"; }

  void save(const Block& block) {
    for (const at::Tensor& t : block.t) {
      add_edge(t);
      present_.push_back(t.defined());
      tensors_.emplace_back(t, false);
    }
    unit_ = block.unit;
    path_ = block.path;
  }
  void save(Kept<A>&& kept) { kept_ = std::make_unique<Kept<A>>(std::move(kept)); }
  void save(const at::Tensor& gate, const at::Tensor& up) {
    gate_ = SavedVariable(gate, false);
    if (up.defined()) up_ = SavedVariable(up, false);
    has_up_ = up.defined();
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list results(places);
    if (!gradients[0].defined()) return results;
    TORCH_CHECK(!freed_,
                "ogee::nn::SparseFeedForward: backward a second time, but what it needs was freed; give "
                "retain_graph the first time");
    Block block{{}, unit_, path_};
    for (std::size_t i = 0; i < places; ++i) {
      if (present_[i]) block.t[i] = tensors_[i].unpack();
    }
    if (at::GradMode::is_enabled()) return through_composed(block, gradients[0]);
    const at::Tensor dy = gradients[0].contiguous();
    if (wants(BiasOut)) results[BiasOut] = dy.sum(0);
    const std::size_t inner = block.gated() ? 2 : 1;
    if (kept_ != nullptr && sparse_pays<W>(block, kept_->active, inner, 1, 1 + inner, 2 + 2 * inner)) {
      sparsely(block, dy, results);
    } else {
      densely(block, dy, results);
    }
    return results;
  }

 protected:
  void released() override {
    for (SavedVariable& v : tensors_) v.reset_data();
    gate_.reset_data();
    up_.reset_data();
    kept_.reset();
    freed_ = true;
  }

 private:
  bool wants(Place place) { return present_[place] && task_should_compute_output(place); }

  // Differentiable again: the gradients of the composed form.
  variable_list through_composed(const Block& block, const at::Tensor& dy) {
    variable_list inputs, results(places);
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < places; ++i) {
      if (!present_[i] || !task_should_compute_output(i)) continue;
      inputs.push_back(block.t[i]);
      which.push_back(i);
    }
    const variable_list found = torch::autograd::grad({block.composed()}, inputs, {dy}, true, true, true);
    for (std::size_t k = 0; k < which.size(); ++k) results[which[k]] = found[k];
    return results;
  }

  void densely(const Block& block, const at::Tensor& dy, variable_list& results) {
    at::Tensor gate, up;
    if (kept_ != nullptr) {
      const auto spread = [&](const std::vector<A>& values) {
        const at::Tensor all = at::empty({block.tokens(), block.units()}, dy.options().dtype(Products<W>::wide_type));
        kept_->active.template scatter<A>(values, writable<A>(all));
        return all.to(dy.scalar_type());
      };
      gate = spread(kept_->g);
      if (block.gated()) up = spread(kept_->u);
    } else {
      gate = gate_.unpack();
      if (has_up_) up = up_.unpack();
    }
    if (wants(Out)) results[Out] = block.hidden(gate, up).t().mm(dy);
    if (!wants(X) && !wants(In) && !wants(Up) && !wants(BiasIn) && !wants(BiasUp)) return;
    const at::Tensor dh = dy.mm(block.t[Out].t());
    at::Tensor dg, du;
    switch (unit_) {
      case Unit::relu: dg = at::threshold_backward(dh, gate, 0); break;
      case Unit::squared_relu: dg = at::relu(gate).mul_(2).mul_(dh); break;
      case Unit::reglu:
        dg = at::threshold_backward(dh.mul(up), gate, 0);
        du = at::relu(gate).mul_(dh);
        break;
      case Unit::drelu_glu:
        dg = at::threshold_backward(at::relu(up).mul_(dh), gate, 0);
        du = at::threshold_backward(at::relu(gate).mul_(dh), up, 0);
    }
    inward(block, results, In, BiasIn, dg);
    if (du.defined()) inward(block, results, Up, BiasUp, du);
  }
  void inward(const Block& block, variable_list& results, Place weight, Place bias, const at::Tensor& d) {
    if (wants(weight)) results[weight] = d.t().mm(block.t[X]);
    if (wants(bias)) results[bias] = d.sum(0);
    if (wants(X)) results[X] = results[X].defined() ? results[X].addmm_(d, block.t[weight]) : d.mm(block.t[weight]);
  }

  void sparsely(const Block& block, const at::Tensor& dy, variable_list& results) {
    const Products<W> products(block);
    const Active& active = kept_->active;
    const at::Tensor wide_dy = products.wide(dy);
    if (wants(Out)) {
      results[Out] = products.outer(active, hidden_values(unit_, kept_->g, kept_->u), wide_dy);
    }
    if (!wants(X) && !wants(In) && !wants(Up) && !wants(BiasIn) && !wants(BiasUp)) return;
    std::vector<A> dg = products.dot(active, wide_dy, Out, places), du;
    if (block.gated()) du = dg;
    for (std::size_t p = 0; p < dg.size(); ++p) {
      if (unit_ == Unit::squared_relu) dg[p] *= 2 * kept_->g[p];
      if (!block.gated()) continue;
      dg[p] *= kept_->u[p];
      du[p] *= kept_->g[p];
    }
    const at::Tensor wide_x = products.wide(block.t[X]);
    at::Tensor dx;
    const auto inward_sparsely = [&](Place weight, Place bias, const std::vector<A>& d) {
      if (wants(weight)) results[weight] = products.outer(active, d, wide_x);
      if (wants(bias)) {
        const at::Tensor db = at::zeros({block.units()}, dy.options().dtype(Products<W>::wide_type));
        const std::span<A> sums = writable<A>(db);
        for (std::size_t p = 0; p < d.size(); ++p) sums[active.index()[p]] += d[p];
        results[bias] = db.to(block.t[bias].scalar_type());
      }
      if (wants(X)) {
        const at::Tensor part = products.sum(active, d, weight, places);
        dx = dx.defined() ? dx.add_(part) : part;
      }
    };
    inward_sparsely(In, BiasIn, dg);
    if (block.gated()) inward_sparsely(Up, BiasUp, du);
    if (dx.defined()) results[X] = dx.to(dy.scalar_type());
  }

  std::vector<SavedVariable> tensors_;
  std::vector<bool> present_;
  SavedVariable gate_, up_;
  bool has_up_ = false, freed_ = false;
  std::unique_ptr<Kept<A>> kept_;
  Unit unit_ = Unit::relu;
  SparsePath path_ = SparsePath::automatic;
};

// The few batches for which reading all rows ourselves may beat LibTorch's product.
inline constexpr std::int64_t small_batch = 16;

// The product with Out on the dense path. A BLAS packs Out, whose rows are the units', before it multiplies, which for
// few tokens takes longer than the product.
template <class W>
bool sums_in_place(const Block& block) {
  return !std::is_same_v<W, bfloat16> && sparse::in_place_pays(static_cast<std::size_t>(block.tokens())) &&
         block.t[Out].is_contiguous() && block.tokens() > 0 && block.t[Out].numel() > 0;
}
template <class W>
at::Tensor dense_sum(const Block& block, const at::Tensor& h) {
  if constexpr (!std::is_same_v<W, bfloat16>) {
    if (sums_in_place<W>(block)) {
      at::Tensor y = at::empty({h.size(0), block.dim()}, h.options());
      torch_call::recurrent::multiply_into(y, h, torch_call::recurrent::from_memory<W>(block.t[Out]), block.t[BiasOut]);
      return y;
    }
  }
  return block.after(h);
}

// Runs the block; `dense_out` gives Out as nn::Linear holds it, or an undefined tensor, where the dense path is taken.
template <class W, class DenseOut>
at::Tensor run(Block block, Outcome& outcome, const DenseOut& dense_out) {
  using A = sparse::Wide<W>;
  torch_call::MadeNode<SparseNode<W>> made{};
  if (at::GradMode::is_enabled()) {
    bool needed = false;
    for (const at::Tensor& t : block.t) needed = needed || (t.defined() && t.requires_grad());
    if (needed) {
      made = torch_call::make_node<SparseNode<W>>();
      made.node->save(block);
    }
  }
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const Products<W> products(block);
    const auto tokens = static_cast<std::size_t>(block.tokens()), units = static_cast<std::size_t>(block.units());
    const at::Tensor wide_x = products.wide(block.t[X]);
    at::Tensor gate;
    if (block.path != SparsePath::dense && block.tokens() <= small_batch) {
      const Active all = Active::all(tokens, units);
      if (sparse_pays<W>(block, all, 0, 1, 0, 1)) {
        std::vector<A> values = products.dot(all, wide_x, In, BiasIn);
        gate = at::empty({block.tokens(), block.units()}, wide_x.options());
        std::copy(values.begin(), values.end(), writable<A>(gate).begin());
      }
    }
    if (!gate.defined()) gate = block.linear(In, BiasIn);
    const at::Tensor wide_gate = products.wide(gate);
    Kept<A> kept;
    if (block.path != SparsePath::dense) {
      kept.active = Active::positive<A>(span_of<A>(wide_gate), tokens, units);
      const bool in_place = sums_in_place<W>(block);
      outcome.sparse = sparse_pays<W>(block, kept.active, 1, block.gated() ? 1 : 0, 0,
                                      (block.gated() ? 1 : 0) + (in_place ? 0 : 1), in_place);
      outcome.sparsity = 1 - static_cast<double>(kept.active.pairs()) / std::max<double>(1, double(tokens * units));
    }
    if (outcome.sparse) {
      kept.g = kept.active.template gather<A>(span_of<A>(wide_gate));
      std::vector<std::uint8_t> keep(kept.g.size());
      const auto narrow = [&](auto wanted) {
        bool all = true;
        for (std::size_t p = 0; p < keep.size(); ++p) all = (keep[p] = wanted(p)) && all;
        return !all;
      };
      if (block.gated()) {
        kept.u = products.dot(kept.active, wide_x, Up, BiasUp);
        // A negative second factor leaves neither a value nor a gradient. A NaN stays.
        if (block.unit == Unit::drelu_glu && narrow([&](std::size_t p) { return !(kept.u[p] <= 0); })) {
          kept.active = kept.active.only(keep);
          keep_only(keep, kept.g);
          keep_only(keep, kept.u);
        }
      }
      std::vector<A> h = hidden_values(block.unit, kept.g, kept.u);
      keep.resize(h.size());
      if (narrow([&](std::size_t p) { return h[p] != 0; })) {
        keep_only(keep, h);
        y = products.sum(kept.active.only(keep), h, Out, BiasOut);
      } else {
        y = products.sum(kept.active, h, Out, BiasOut);
      }
      y = y.to(block.t[X].scalar_type());
      if (made.pointer) made.node->save(std::move(kept));
    } else {
      gate = gate.to(block.t[X].scalar_type());
      const at::Tensor up = block.gated() ? block.linear(Up, BiasUp) : at::Tensor();
      if (!made.pointer) block.out_as_linear = dense_out();
      y = dense_sum<W>(block, block.hidden(gate, up));
      if (made.pointer) made.node->save(gate, up);
    }
  }
  made.attach(y);
  return y;
}

}  // namespace ogee::nn::sparse_block
