// ogee::attend: checks, the choice between the fused and the composed form, and the node of autograd's graph.
#include "torch/attention/decode.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "torch/apply.h"
#include "torch/derivatives.h"
#include "torch/node.h"
#include "torch/recurrent/autocast.h"

namespace ogee::torch_call::attention {

const std::vector<std::string>& slot_names(Cell cell) {
  static const std::vector<std::string> gru{"reset_gate", "update_gate", "candidate", "score"};
  static const std::vector<std::string> lstm{"input_gate",  "forget_gate", "candidate",
                                             "output_gate", "cell_output", "score"};
  return cell == Cell::lstm ? lstm : gru;
}

std::vector<at::Tensor> Decoding::tensors() const {
  std::vector<at::Tensor> all{
      x, h, c, source.keys, source.values, layer.weight_hh, layer.bias_hh, layer.weight_query, layer.weight_score};
  all.insert(all.end(), layer.learned.begin(), layer.learned.end());
  return all;
}

Decoding Decoding::from(const Decoding& like, const std::vector<at::Tensor>& t) {
  Decoding d{like.layer, t[0], t[1], t[2], {t[3], t[4], like.source.lengths}, like.key};
  d.layer.weight_hh = t[5];
  d.layer.bias_hh = t[6];
  d.layer.weight_query = t[7];
  d.layer.weight_score = t[8];
  d.layer.learned.assign(t.begin() + own_tensors, t.end());
  return d;
}

namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

constexpr const char* prefix = "ogee::attend: ";

class Checks {
 public:
  explicit Checks(const Decoding& decoding) : d_(decoding), l_(decoding.layer) {}

  void run() {
    TORCH_CHECK(d_.x.defined() && d_.x.dim() == 3, prefix, "x must have 3 dimensions [time, batch, features]",
                d_.x.defined() ? ", not " + std::to_string(d_.x.dim()) : std::string(", but is undefined"));
    TORCH_CHECK(d_.steps() >= 1, prefix, "x has no time steps");
    TORCH_CHECK(l_.cell != Cell::mgu, prefix, "the cell is an mgu; expected a gru or an lstm");
    TORCH_CHECK(d_.is_lstm() || !d_.c.defined(), prefix, "c is given, but a gru has no cell state");
    const std::pair<const char*, const at::Tensor*> needed[] = {
        {"weight_hh", &l_.weight_hh},       {"weight_query", &l_.weight_query},
        {"weight_score", &l_.weight_score}, {"h", &d_.h},
        {"keys", &d_.source.keys},          {"values", &d_.source.values},
        {"lengths", &d_.source.lengths}};
    for (const auto& [what, t] : needed) TORCH_CHECK(t->defined(), prefix, what, " is undefined");
    TORCH_CHECK(l_.weight_hh.dim() == 2 && l_.weight_hh.size(1) >= 1, prefix, "weight_hh must have 2 dimensions");
    TORCH_CHECK(l_.weight_query.dim() == 2 && l_.weight_query.size(0) >= 1, prefix,
                "weight_query must have 2 dimensions");
    TORCH_CHECK(d_.source.keys.dim() == 3, prefix, "keys must have 3 dimensions [sources, places, size]");
    const std::int64_t units = d_.units(), sources = d_.sources(), places = d_.places(), size = d_.size();
    const std::int64_t wide = d_.gates() * units;
    shape("weight_hh", l_.weight_hh, {wide, units});
    shape("x", d_.x, {d_.steps(), d_.batch(), wide});
    shape("bias_hh", l_.bias_hh, {wide});
    shape("weight_query", l_.weight_query, {size, units});
    shape("weight_score", l_.weight_score, {size});
    shape("h", d_.h, {d_.batch(), units});
    shape("c", d_.c, {d_.batch(), units});
    shape("keys", d_.source.keys, {sources, places, size});
    shape("values", d_.source.values, {sources, places, wide});
    TORCH_CHECK(sources >= 1 && d_.batch() % sources == 0, prefix, "the batch, ", d_.batch(),
                ", must be a multiple of the sources, ", sources);
    lengths(sources, places);
    activations(units, size);
  }

 private:
  void shape(const std::string& what, const at::Tensor& t, at::IntArrayRef sizes) {
    if (!t.defined()) return;
    TORCH_CHECK(t.sizes() == sizes, prefix, what, " has shape ", t.sizes(), "; expected ", sizes);
    like_x(what, t);
  }
  void like_x(const std::string& what, const at::Tensor& t) {
    TORCH_CHECK(recurrent::is_autocasting(d_.x) || t.scalar_type() == d_.x.scalar_type(), prefix, what, " is ",
                t.scalar_type(), ", but x is ", d_.x.scalar_type());
    TORCH_CHECK(t.device() == d_.x.device(), prefix, what, " is on ", t.device(), ", but x is on ", d_.x.device());
  }
  void lengths(std::int64_t sources, std::int64_t places) {
    const at::Tensor& t = d_.source.lengths;
    TORCH_CHECK(t.scalar_type() == at::kLong && t.is_cpu() && t.sizes() == at::IntArrayRef({sources}), prefix,
                "lengths must be int64 on the CPU, of shape [", sources, "], not ", t.scalar_type(), " of ", t.sizes());
    const auto length = t.accessor<std::int64_t, 1>();
    for (std::int64_t i = 0; i < sources; ++i)
      TORCH_CHECK(length[i] >= 1 && length[i] <= places, prefix, "the length of source ", i, " is ", length[i],
                  "; expected 1 to ", places);
  }
  void activations(std::int64_t units, std::int64_t size) {
    const std::vector<std::string>& names = slot_names(l_.cell);
    TORCH_CHECK(l_.activations.size() == names.size(), prefix, "has ", names.size(), " activations, but ",
                l_.activations.size(), " were given");
    std::size_t count = 0;
    for (std::size_t k = 0; k < names.size(); ++k) {
      const Spec& spec = l_.activations[k].spec();
      TORCH_CHECK(spec.inputs == 1, prefix, names[k], ": ", spec.name, " takes two inputs; expected one");
      for (const Parameter& p : spec.parameters) {
        if (p.role != Role::learned) continue;
        if (count < l_.learned.size() && l_.learned[count].defined()) {
          const at::Tensor& t = l_.learned[count];
          const std::string what = names[k] + "'s " + std::string(p.name);
          const std::int64_t row = k == d_.score_slot() ? size : units;
          TORCH_CHECK(t.numel() == 1 || (t.dim() == 1 && t.size(0) == row), prefix, what, " has shape ", t.sizes(),
                      "; expected one element or ", row);
          like_x(what, t);
        }
        ++count;
      }
    }
    TORCH_CHECK(l_.learned.empty() || l_.learned.size() == count, prefix, "the activations have ", count,
                " learned parameters, but ", l_.learned.size(), " tensors were given");
  }

  const Decoding& d_;
  const AttentionLayer& l_;
};

// What the kernels are there for: plain tensors, without functorch, subclasses and the like.
bool is_fusible(const std::vector<at::Tensor>& tensors) {
  const at::Tensor& x = tensors[0];
  if (!x.is_cpu() || (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble) || recurrent::is_autocasting(x))
    return false;
  c10::DispatchKeySet keys = c10::impl::tls_local_dispatch_key_set().included_;
  for (const at::Tensor& t : tensors) {
    if (!t.defined()) continue;
    if (has_tangent(t) || t.layout() != at::kStrided) return false;
    keys = keys | t.key_set();
  }
  c10::DispatchKeySet known({c10::DispatchKey::CPU, c10::DispatchKey::AutogradCPU, c10::DispatchKey::ADInplaceOrView,
                             c10::DispatchKey::BackendSelect});
  keys = keys - c10::impl::tls_local_dispatch_key_set().excluded_;
  return (keys.raw_repr() & ~known.raw_repr()) == 0;
}

class AttentionNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeAttentionBackward"; }

  void save(const Decoding& decoding, const std::vector<at::Tensor>& tensors, Kept kept, const AttentionOutput& out) {
    for (const at::Tensor& t : tensors) {
      present_.push_back(t.defined());
      tensors_.emplace_back(t, false);
    }
    like_ = Decoding::from(decoding, std::vector<at::Tensor>(tensors.size()));
    kept_ = std::move(kept);
    y_ = SavedVariable(out.y.detach(), false);  // not itself, which holds this node
    weights_ = SavedVariable(out.weights.detach(), false);
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list t(tensors_.size()), results(tensors_.size());
    if (std::none_of(gradients.begin(), gradients.end(), [](const at::Tensor& g) { return g.defined(); }))
      return results;
    TORCH_CHECK(kept_.sums.defined(), prefix,
                "backward through the same graph a second time, but it was freed the first time; keep it with "
                "retain_graph");
    for (std::size_t i = 0; i < t.size(); ++i)
      if (present_[i]) t[i] = tensors_[i].unpack();
    const Decoding decoding = Decoding::from(like_, t);
    std::vector<bool> wanted;
    for (std::size_t i = 0; i < t.size(); ++i) wanted.push_back(task_should_compute_output(i));
    if (at::GradMode::is_enabled()) return recomputed(decoding, t, wanted, gradients);
    const at::Tensor dc = gradients.size() > 2 ? gradients[2] : at::Tensor();
    return fused_backward(decoding, kept_, {y_.unpack(), weights_.unpack(), {}}, gradients[0], gradients[1], dc,
                          wanted);
  }

 protected:
  void released() override {
    for (SavedVariable& v : tensors_) v.reset_data();
    y_.reset_data();
    weights_.reset_data();
    kept_ = {};
  }

 private:
  // Gradients that know how they came about, for those who differentiate again: those of the composed form.
  static variable_list recomputed(const Decoding& decoding, const variable_list& t, const std::vector<bool>& wanted,
                                  const variable_list& gradients) {
    const AttentionOutput out = composed(decoding, false);
    variable_list outputs, upstream, inputs, results(t.size());
    const at::Tensor all[] = {out.y, out.weights, out.c};
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) continue;
      outputs.push_back(all[i]);
      upstream.push_back(gradients[i]);
    }
    for (std::size_t i = 0; i < t.size(); ++i)
      if (wanted[i] && t[i].defined()) inputs.push_back(t[i]);
    variable_list found = torch::autograd::grad(outputs, inputs, upstream, true, true, true);
    for (std::size_t i = 0, next = 0; i < t.size(); ++i)
      if (wanted[i] && t[i].defined()) results[i] = found[next++];
    return results;
  }

  Decoding like_;  // without its tensors
  std::vector<bool> present_;
  std::vector<SavedVariable> tensors_;
  Kept kept_;
  SavedVariable y_, weights_;
};

AttentionOutput run(Decoding d) {
  if (!is_fusible(d.tensors())) return composed(d, true);
  d.source.keys = d.source.keys.contiguous();
  const std::vector<at::Tensor> tensors = d.tensors();
  MadeNode<AttentionNode> made{};
  if (at::GradMode::is_enabled()) {
    bool needed = false;
    for (const at::Tensor& t : tensors) needed = needed || (t.defined() && t.requires_grad());
    if (needed) made = make_node<AttentionNode>();
  }
  Kept kept;
  AttentionOutput out;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    out = fused_forward(d, made.pointer ? &kept : nullptr);
  }
  if (made.pointer) {
    for (const at::Tensor& t : tensors) made.node->add_edge(t);
    made.attach(out.y);
    made.attach(out.weights);
    if (out.c.defined()) made.attach(out.c);
    made.node->save(d, tensors, std::move(kept), out);
  }
  return out;
}

Decoding checked(const AttentionLayer& layer, const at::Tensor& x, const at::Tensor& h, const AttentionSource& source,
                 const at::Tensor& c) {
  Decoding d{layer, x, h, c, source, {}};
  Checks(d).run();
  d.source.lengths = source.lengths.contiguous();
  bool noisy = false;
  for (const Activation& a : layer.activations) noisy = noisy || a.spec().noise != Noise::none;
  if (layer.training && noisy) d.key = draw_key(x);
  return d;
}

}  // namespace

}  // namespace ogee::torch_call::attention

namespace ogee {

AttentionOutput attend(const AttentionLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                       const AttentionSource& source, const torch::Tensor& c) {
  return torch_call::attention::run(torch_call::attention::checked(layer, x, h, source, c));
}
AttentionOutput compose_attend(const AttentionLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                               const AttentionSource& source, const torch::Tensor& c) {
  return torch_call::attention::composed(torch_call::attention::checked(layer, x, h, source, c), true);
}

torch::Tensor reverse_padded(const torch::Tensor& x, const torch::Tensor& lengths) {
  TORCH_CHECK(x.defined() && x.dim() >= 2 && lengths.defined() && lengths.scalar_type() == at::kLong &&
                  lengths.is_cpu() && lengths.sizes() == at::IntArrayRef({x.size(1)}),
              "ogee::reverse_padded: expected x [time, batch, ...] and lengths [batch], int64 on the CPU");
  const std::int64_t steps = x.size(0), batch = x.size(1);
  const at::Tensor from = at::empty({steps * batch}, lengths.options());
  const auto length = lengths.accessor<std::int64_t, 1>();
  auto* const place = from.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch; ++i) {
    TORCH_CHECK(length[i] >= 0 && length[i] <= steps, "ogee::reverse_padded: the length of example ", i, " is ",
                length[i], "; expected 0 to ", steps);
    for (std::int64_t t = 0; t < steps; ++t) place[t * batch + i] = (t < length[i] ? length[i] - 1 - t : t) * batch + i;
  }
  return x.flatten(0, 1).index_select(0, from.to(x.device())).view(x.sizes());
}

}  // namespace ogee
