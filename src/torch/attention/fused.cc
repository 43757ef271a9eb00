// A decoder's loop by the core's kernels. What inputs and sources give to the gates is there before the loop; the
// gradients of weights and values are one product each after the loop back.
#include <algorithm>
#include <numeric>

#include "kernels/attention/step.h"
#include "torch/attention/decode.h"
#include "torch/recurrent/parts.h"
#include "torch/recurrent/products.h"
#include "torch/recurrent/sequence.h"

namespace ogee::torch_call::attention {
namespace {

using kernels::recurrent::Gate;
using recurrent::data_of;
using recurrent::multiplied;
using recurrent::multiply_into;
using recurrent::packed;
using recurrent::PackedTensor;
using recurrent::Slices;

template <class T>
T* data(const at::Tensor& t) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) : nullptr;
}

// From the public order r, z, n to the kernels', n, r, z, and back.
at::Tensor candidate_first(const at::Tensor& t, std::int64_t units) {
  return at::cat({t.narrow(-1, 2 * units, units), t.narrow(-1, 0, 2 * units)}, -1);
}
at::Tensor candidate_last(const at::Tensor& t, std::int64_t units) {
  return at::cat({t.narrow(-1, units, 2 * units), t.narrow(-1, 0, units)}, -1);
}

// The part of the pre-activations that the product with h adds to, and that which inputs and sources give to.
at::Tensor from_h(const Decoding& d, const at::Tensor& sums) {
  return d.is_lstm() ? sums : sums.narrow(-1, d.units(), 3 * d.units());
}
at::Tensor from_x(const Decoding& d, const at::Tensor& sums) {
  return d.is_lstm() ? sums : sums.narrow(-1, 0, 3 * d.units());
}
// From the kernels' order to the public one.
at::Tensor in_order(const Decoding& d, const at::Tensor& t) { return d.is_lstm() ? t : candidate_last(t, d.units()); }
// The cell state to begin with.
at::Tensor first_cell(const Decoding& d) {
  if (!d.is_lstm()) return {};
  return d.c.defined() ? d.c.contiguous() : at::zeros({d.batch(), d.units()}, d.x.options());
}

at::Tensor flat(const at::Tensor& t) { return t.reshape({t.size(0) * t.size(1), t.size(2)}); }

// What both directions need of a decoding.
template <class T>
class Loop {
 public:
  explicit Loop(const Decoding& decoding)
      : d(decoding),
        gates(recurrent::gates_of<T>(d.layer.activations, d.layer.learned, units_of(d))),
        values(d.is_lstm() ? d.source.values.contiguous() : candidate_first(d.source.values, d.units())),
        score(d.layer.weight_score.contiguous()),
        // A source's work is far more than a row's: pieces of few sources.
        sources(d.sources(), d.units() * d.queries()),
        rows(d.batch(), d.units()) {
    if (d.key.defined()) {
      const auto* words = d.key.data_ptr<std::int64_t>();
      noise_ = {static_cast<std::uint64_t>(words[0]), static_cast<std::uint64_t>(words[1])};
    }
  }

  kernels::recurrent::Step<T> cell(std::int64_t time) const {
    kernels::recurrent::Step<T> step{};
    step.units = static_cast<std::size_t>(d.units());
    step.gates = gates.data();
    step.mode = d.key.defined() ? Mode::training : Mode::evaluation;
    step.noise = recurrent::stream(noise_, time);
    return step;
  }
  kernels::attention::Step<T> attention(std::int64_t time) const {
    kernels::attention::Step<T> step{};
    step.places = static_cast<std::size_t>(d.places());
    step.units = static_cast<std::size_t>(d.size());
    step.width = static_cast<std::size_t>(d.gates() * d.units());
    step.queries = static_cast<std::size_t>(d.queries());
    step.gate = &gates[d.score_slot()];
    step.mode = d.key.defined() ? Mode::training : Mode::evaluation;
    step.noise = recurrent::stream(noise_, time);
    step.noise.call += d.score_slot();
    step.keys = data_of<T>(d.source.keys);
    step.values = data_of<T>(values);
    step.lengths = d.source.lengths.data_ptr<std::int64_t>();
    step.score = data_of<T>(score);
    step.stride = static_cast<std::ptrdiff_t>(4 * d.units());
    return step;
  }

  const Decoding& d;
  const std::vector<Gate<T>> gates;
  const at::Tensor values, score;
  const Slices sources, rows;

 private:
  static std::vector<std::int64_t> units_of(const Decoding& d) {
    std::vector<std::int64_t> units(d.score_slot(), d.units());
    units.push_back(d.size());
    return units;
  }
  NoiseKey noise_;
};

// The pre-activations of a step as far as x and the biases go.
void start(const Decoding& d, const at::Tensor& x, const at::Tensor& now) {
  const at::Tensor& bias = d.layer.bias_hh;
  if (d.is_lstm()) {
    now.copy_(x);
    if (bias.defined()) now.add_(bias);
    return;
  }
  const std::int64_t units = d.units();
  now.narrow(1, 0, units).copy_(x.narrow(1, 2 * units, units));
  now.narrow(1, units, 2 * units).copy_(x.narrow(1, 0, 2 * units));
  at::Tensor only_h = now.narrow(1, 3 * units, units);
  if (bias.defined()) {
    now.narrow(1, units, 2 * units).add_(bias.narrow(0, 0, 2 * units));
    only_h.copy_(bias.narrow(0, 2 * units, units).expand_as(only_h));
  } else {
    only_h.zero_();
  }
}

template <class T>
AttentionOutput forward_as(const Decoding& d, Kept* kept) {
  const Loop<T> loop(d);
  const std::int64_t steps = d.steps(), batch = d.batch(), units = d.units();
  // Without a backward to come, each step takes the place of the one before.
  const std::int64_t room = kept != nullptr ? steps : 1;
  const at::Tensor sums = at::empty({room, batch, 4 * units}, d.x.options());
  const at::Tensor queries = at::empty({room, batch, d.size()}, d.x.options());
  const at::Tensor y = at::empty({steps, batch, units}, d.x.options());
  const at::Tensor weights = at::empty({steps, batch, d.places()}, d.x.options());
  const PackedTensor<T> w = packed<T>(d.layer.weight_hh.t()), to_query = packed<T>(d.layer.weight_query.t());
  const at::Tensor c = d.is_lstm() ? at::empty({room, batch, units}, d.x.options()) : at::Tensor();
  at::Tensor h = d.h.contiguous(), c_before = first_cell(d);
  for (std::int64_t t = 0; t < steps; ++t) {
    const at::Tensor now = sums.select(0, kept != nullptr ? t : 0), query = queries.select(0, kept != nullptr ? t : 0);
    const at::Tensor x = d.x.select(0, t);
    start(d, x, now);
    multiply_into(from_h(d, now), h, w, from_h(d, now));
    multiply_into(query, h, to_query);
    kernels::attention::Step<T> look = loop.attention(t);
    look.query = data_of<T>(query);
    look.weights = data<T>(weights.select(0, t));
    look.context = data<T>(now);
    loop.sources.run(
        [&](std::size_t, std::size_t first, std::size_t last) { kernels::attention::forward(look, first, last); });
    const at::Tensor h_now = y.select(0, t);
    kernels::recurrent::Step<T> cell = loop.cell(t);
    cell.sums = data_of<T>(now);
    const at::Tensor c_now = d.is_lstm() ? c.select(0, kept != nullptr ? t : 0) : at::Tensor();
    cell.before = data_of<T>(d.is_lstm() ? c_before : h);
    cell.c = data<T>(c_now);
    cell.h = data<T>(h_now);
    loop.rows.run([&](std::size_t, std::size_t first, std::size_t last) {
      if (d.is_lstm())
        kernels::recurrent::lstm_forward(cell, first, last);
      else
        kernels::recurrent::gru_forward(cell, false, first, last);
    });
    h = h_now;
    c_before = c_now;
  }
  if (kept != nullptr) *kept = {sums, queries, c};
  return {y, weights, d.is_lstm() ? c_before.clone() : at::Tensor()};
}

template <class T>
class Backward {
 public:
  Backward(const Decoding& decoding, const Kept& kept, const AttentionOutput& out)
      : d(decoding), kept_(kept), out_(out), loop_(decoding), h_first_(d.h.contiguous()), c_first_(first_cell(d)) {
    const auto units = static_cast<std::size_t>(d.units()), size = static_cast<std::size_t>(d.size());
    for (std::size_t k = 0; k < d.score_slot(); ++k) cell_width_ += loop_.gates[k].places.size() * units;
    look_width_ = (1 + loop_.gates[d.score_slot()].places.size()) * size;
  }

  void run(const at::Tensor& dy, const at::Tensor& d_weights, const at::Tensor& dc, bool keys_wanted) {
    const std::int64_t units = d.units();
    d_sums_ = at::empty_like(kept_.sums);
    d_queries_ = at::empty_like(kept_.queries);
    if (keys_wanted) d_keys_ = at::zeros_like(d.source.keys);
    cell_totals_.assign(loop_.rows.count() * cell_width_, 0.0);
    look_totals_.assign(loop_.sources.count() * look_width_, 0.0);
    const auto room = [&] { return at::empty({d.batch(), units}, d.x.options()); };
    at::Tensor dh_more, dh_next = room(), spare = room(), dc_now = dc;
    if (d.is_lstm()) dc_ = room();
    const PackedTensor<T> w = packed<T>(d.layer.weight_hh), to_query = packed<T>(d.layer.weight_query);
    for (std::int64_t t = d.steps() - 1; t >= 0; --t) {
      const at::Tensor now = kept_.sums.select(0, t), d_now = d_sums_.select(0, t), d_query = d_queries_.select(0, t);
      const at::Tensor before = t > 0 ? out_.y.select(0, t - 1) : h_first_;
      const at::Tensor dy_now = dy.defined() ? dy.select(0, t) : at::Tensor();
      kernels::recurrent::Step<T> cell = loop_.cell(t);
      cell.sums = data_of<T>(now);
      at::Tensor c_now, c_before;
      if (d.is_lstm()) {
        c_now = kept_.c.select(0, t);
        c_before = t > 0 ? kept_.c.select(0, t - 1) : c_first_;
        cell.c = data<T>(c_now);
        cell.dc = data_of<T>(dc_now);
      }
      cell.before = data_of<T>(d.is_lstm() ? c_before : before);
      cell.dh = data_of<T>(dy_now);
      cell.dh_more = data_of<T>(dh_more);
      cell.d_sums = data<T>(d_now);
      cell.d_before = data<T>(d.is_lstm() ? dc_ : dh_next);
      loop_.rows.run([&](std::size_t slice, std::size_t first, std::size_t last) {
        kernels::recurrent::Step<T> own = cell;
        own.totals = cell_totals_.data() + slice * cell_width_;
        if (d.is_lstm())
          kernels::recurrent::lstm_backward(own, first, last);
        else
          kernels::recurrent::gru_backward(own, false, first, last);
      });
      kernels::attention::Step<T> look = loop_.attention(t);
      look.query = data_of<T>(kept_.queries.select(0, t));
      look.weights = data<T>(out_.weights.select(0, t));
      look.d_weights = d_weights.defined() ? data_of<T>(d_weights.select(0, t)) : nullptr;
      look.d_context = data_of<T>(d_now);
      look.d_query = data<T>(d_query);
      look.d_keys = data<T>(d_keys_);
      loop_.sources.run([&](std::size_t slice, std::size_t first, std::size_t last) {
        kernels::attention::Step<T> own = look;
        own.totals = look_totals_.data() + slice * look_width_;
        kernels::attention::backward(own, first, last);
      });
      dc_now = dc_;
      if (d.is_lstm())
        multiply_into(dh_next, d_now, w);
      else
        multiply_into(dh_next, from_h(d, d_now), w, dh_next);
      multiply_into(dh_next, d_query, to_query, dh_next);
      dh_more = dh_next;
      std::swap(dh_next, spare);
    }
    dh_ = dh_more;
  }

  at::Tensor by_x() const { return in_order(d, from_x(d, d_sums_)); }
  at::Tensor by_h() const { return dh_; }
  at::Tensor by_c() const { return dc_; }
  at::Tensor by_keys() const { return d_keys_; }
  at::Tensor by_values() const {
    // [sources, places, rows] x [sources, rows, gates*units], all time steps and queries of a source its rows.
    const auto by_source = [&](const at::Tensor& t) {
      return t.reshape({d.steps(), d.sources(), d.queries(), t.size(2)}).transpose(0, 1).flatten(1, 2);
    };
    return in_order(d, at::bmm(by_source(out_.weights).transpose(1, 2), by_source(from_x(d, d_sums_))));
  }
  at::Tensor by_weight_hh() const { return by_states(from_h(d, d_sums_)); }
  at::Tensor by_bias_hh() const { return flat(from_h(d, d_sums_)).sum(0); }
  at::Tensor by_weight_query() const { return by_states(d_queries_); }
  at::Tensor by_weight_score() const { return as_tensor(d.layer.weight_score, total(look_totals_, look_width_, 0)); }
  at::Tensor by_learned(std::size_t which) const {
    const at::Tensor& p = d.layer.learned[which];
    std::size_t next = 0, from = 0;
    for (std::size_t k = 0; k <= d.score_slot(); ++k) {
      const auto count = loop_.gates[k].places.size();
      const auto size = static_cast<std::size_t>(k == d.score_slot() ? d.size() : d.units());
      if (k == d.score_slot()) from = size;  // behind the score's own
      if (which < next + count) {
        from += (which - next) * size;
        const bool scoring = k == d.score_slot();
        return as_tensor(
            p, scoring ? total(look_totals_, look_width_, from, size) : total(cell_totals_, cell_width_, from, size));
      }
      next += count;
      from += count * size;
    }
    TORCH_INTERNAL_ASSERT(false, "no such parameter");
  }

 private:
  // The sum over time and batch of the products with the states before.
  at::Tensor by_states(const at::Tensor& gradient) const {
    const std::int64_t later = d.steps() - 1;
    const at::Tensor first = gradient.select(0, 0).t();
    if (later == 0) return multiplied(first, packed<T>(h_first_));
    const at::Tensor dw =
        multiplied(flat(gradient.narrow(0, 1, later)).t(), packed<T>(flat(out_.y.narrow(0, 0, later))));
    multiply_into(dw, first, packed<T>(h_first_), dw);
    return dw;
  }
  // Over all slices, in their order.
  std::vector<double> total(const std::vector<double>& totals, std::size_t width, std::size_t from,
                            std::size_t count) const {
    std::vector<double> sum(count, 0.0);
    for (std::size_t slice = 0; slice * width < totals.size(); ++slice)
      for (std::size_t i = 0; i < count; ++i) sum[i] += totals[slice * width + from + i];
    return sum;
  }
  std::vector<double> total(const std::vector<double>& totals, std::size_t width, std::size_t from) const {
    return total(totals, width, from, static_cast<std::size_t>(d.size()));
  }
  static at::Tensor as_tensor(const at::Tensor& like, const std::vector<double>& sums) {
    const at::Tensor result = at::empty(like.sizes(), like.options());
    T* const out = data<T>(result);
    if (like.numel() == 1)
      *out = static_cast<T>(std::accumulate(sums.begin(), sums.end(), 0.0));
    else
      std::transform(sums.begin(), sums.end(), out, [](double sum) { return static_cast<T>(sum); });
    return result;
  }

  const Decoding& d;
  const Kept& kept_;
  const AttentionOutput& out_;
  const Loop<T> loop_;
  const at::Tensor h_first_, c_first_;
  at::Tensor d_sums_, d_queries_, d_keys_, dh_, dc_;
  std::size_t cell_width_ = 0, look_width_ = 0;
  std::vector<double> cell_totals_, look_totals_;  // of each slice: learned parameters; the score, then its own
};

template <class T>
std::vector<at::Tensor> backward_as(const Decoding& d, const Kept& kept, const AttentionOutput& out,
                                    const at::Tensor& dy, const at::Tensor& d_weights, const at::Tensor& dc,
                                    const std::vector<bool>& wanted) {
  std::vector<at::Tensor> results(wanted.size());
  Backward<T> b(d, kept, out);
  b.run(dy, d_weights, dc, wanted[3]);
  if (wanted[0]) results[0] = b.by_x();
  if (wanted[1]) results[1] = b.by_h();
  if (wanted[2]) results[2] = b.by_c();
  if (wanted[3]) results[3] = b.by_keys();
  if (wanted[4]) results[4] = b.by_values();
  if (wanted[5]) results[5] = b.by_weight_hh();
  if (wanted[6]) results[6] = b.by_bias_hh();
  if (wanted[7]) results[7] = b.by_weight_query();
  if (wanted[8]) results[8] = b.by_weight_score();
  for (std::size_t i = own_tensors; i < wanted.size(); ++i)
    if (wanted[i]) results[i] = b.by_learned(i - own_tensors);
  return results;
}

}  // namespace

AttentionOutput fused_forward(const Decoding& d, Kept* kept) {
  return d.x.scalar_type() == at::kFloat ? forward_as<float>(d, kept) : forward_as<double>(d, kept);
}

std::vector<at::Tensor> fused_backward(const Decoding& d, const Kept& kept, const AttentionOutput& out,
                                       const at::Tensor& dy, const at::Tensor& d_weights, const at::Tensor& dc,
                                       const std::vector<bool>& wanted) {
  const auto whole = [](const at::Tensor& t) { return t.defined() ? t.contiguous() : t; };
  return d.x.scalar_type() == at::kFloat
             ? backward_as<float>(d, kept, out, whole(dy), whole(d_weights), whole(dc), wanted)
             : backward_as<double>(d, kept, out, whole(dy), whole(d_weights), whole(dc), wanted);
}

}  // namespace ogee::torch_call::attention
