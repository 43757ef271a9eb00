// A layer over a sequence by the core's kernels. The products with x, of all time steps, are one product before the
// loop over time; the gradients of the weights are one product after the loop back.
#include <algorithm>
#include <numeric>

#include "torch/recurrent/parts.h"
#include "torch/recurrent/products.h"
#include "torch/recurrent/sequence.h"

namespace ogee::torch_call::recurrent {
namespace {

using kernels::recurrent::Gate;
using kernels::recurrent::Step;

template <class T>
std::vector<Gate<T>> gates_of(const Sequence& s) {
  return recurrent::gates_of<T>(s.layer.activations, s.layer.learned,
                                std::vector<std::int64_t>(s.layer.activations.size(), s.units()));
}

at::Tensor sum_of_biases(const Sequence& s) {
  const RecurrentLayer& l = s.layer;
  if (!l.bias_ih.defined()) return l.bias_hh;
  return l.bias_hh.defined() ? l.bias_ih.add(l.bias_hh) : l.bias_ih;
}

at::Tensor part(const at::Tensor& t, std::int64_t from, std::int64_t count) {
  return t.defined() ? t.narrow(0, from, count) : t;
}

// The pre-activations as far as x and the biases go, [time*batch, width]. GRU and MGU: n from x, the gates, n from h,
// so that a step's product with h adds to what lies together.
template <class T>
at::Tensor sums_of_inputs(const Sequence& s) {
  const RecurrentLayer& l = s.layer;
  const std::int64_t units = s.units(), gates = s.gates();
  const at::Tensor x = s.x.reshape({s.steps() * s.batch(), s.x.size(2)});
  const at::Tensor sums = at::empty({x.size(0), (s.is_lstm() ? 4 : gates + 2) * units}, x.options());
  if (s.is_lstm()) {
    multiply_into(sums, x, packed<T>(l.weight_ih.t()), sum_of_biases(s));
    return sums;
  }
  const std::int64_t wide = gates * units;
  const PackedTensor<T> to_gates = packed<T>(l.weight_ih.narrow(0, 0, wide).t()),
                        to_candidate = packed<T>(l.weight_ih.narrow(0, wide, units).t());
  multiply_into(sums.narrow(1, units, wide), x, to_gates, part(sum_of_biases(s), 0, wide));
  multiply_into(sums.narrow(1, 0, units), x, to_candidate, part(l.bias_ih, wide, units));
  at::Tensor from_h = sums.narrow(1, units + wide, units);
  if (l.bias_hh.defined()) {
    from_h.copy_(l.bias_hh.narrow(0, wide, units).expand_as(from_h));
  } else {
    from_h.zero_();
  }
  return sums;
}
// The part of the pre-activations that the product with h adds to.
at::Tensor from_h(const Sequence& s, const at::Tensor& sums) {
  return s.is_lstm() ? sums : sums.narrow(-1, s.units(), (s.gates() + 1) * s.units());
}

template <class T>
Step<T> step_of(const Sequence& s, const std::vector<Gate<T>>& gates, const at::Tensor& peephole, NoiseKey noise,
                std::int64_t time) {
  Step<T> step{};
  step.units = static_cast<std::size_t>(s.units());
  step.gates = gates.data();
  step.mode = s.key.defined() ? Mode::training : Mode::evaluation;
  step.peephole = data_of<T>(peephole);
  step.noise = stream(noise, time);
  return step;
}

template <class T>
RecurrentOutput forward_as(const Sequence& s, Kept* kept) {
  const std::int64_t steps = s.steps(), batch = s.batch(), units = s.units();
  const std::vector<Gate<T>> gates = gates_of<T>(s);
  const at::Tensor flat_sums = sums_of_inputs<T>(s), sums = flat_sums.view({steps, batch, flat_sums.size(1)});
  const PackedTensor<T> w = packed<T>(s.layer.weight_hh.t());
  const at::Tensor peephole = s.layer.peephole.defined() ? s.layer.peephole.contiguous() : at::Tensor();
  const at::Tensor y = at::empty({steps, batch, units}, s.x.options());
  // Without a backward to come, each cell state takes the place of the one before.
  at::Tensor c;
  if (s.is_lstm()) c = at::empty({kept != nullptr ? steps : 1, batch, units}, s.x.options());
  const at::Tensor zeros =
      s.h.defined() && (s.c.defined() || !s.is_lstm()) ? at::Tensor() : at::zeros({batch, units}, s.x.options());
  at::Tensor h_before = s.h.defined() ? s.h.contiguous() : zeros;
  at::Tensor c_before = s.c.defined() ? s.c.contiguous() : zeros;
  const Slices slices(batch, units);
  const NoiseKey noise = read_key(s);
  for (std::int64_t k = 0; k < steps; ++k) {
    const std::int64_t t = s.time(k);
    const at::Tensor now = sums.select(0, t), h_now = y.select(0, t);
    if (k > 0 || s.h.defined()) {
      const at::Tensor sums_of_h = from_h(s, now);
      multiply_into(sums_of_h, h_before, w, sums_of_h);
    }
    const at::Tensor c_now = s.is_lstm() ? c.select(0, kept != nullptr ? t : 0) : at::Tensor();
    Step<T> step = step_of(s, gates, peephole, noise, t);
    step.sums = data_of<T>(now);
    step.before = data_of<T>(s.is_lstm() ? c_before : h_before);
    step.c = s.is_lstm() ? static_cast<T*>(c_now.data_ptr()) : nullptr;
    step.h = static_cast<T*>(h_now.data_ptr());
    slices.run([&](std::size_t, std::size_t first, std::size_t last) {
      if (s.is_lstm()) {
        kernels::recurrent::lstm_forward(step, first, last);
      } else {
        kernels::recurrent::gru_forward(step, s.layer.cell == Cell::mgu, first, last);
      }
    });
    h_before = h_now;
    c_before = c_now;
  }
  if (kept != nullptr) *kept = {sums, c};
  return {y, h_before.clone(), s.is_lstm() ? c_before.clone() : at::Tensor()};
}

template <class T>
class Backward {
 public:
  Backward(const Sequence& sequence, const Kept& kept, const at::Tensor& y)
      : s(sequence),
        kept_(kept),
        y_(y),
        gates_(gates_of<T>(sequence)),
        noise_(read_key(sequence)),
        slices_(sequence.batch(), sequence.units()),
        units_(static_cast<std::size_t>(sequence.units())) {
    if (s.layer.peephole.defined()) peephole_ = s.layer.peephole.contiguous();
    for (const Gate<T>& gate : gates_) totals_width_ += gate.places.size() * units_;
    learned_width_ = totals_width_;
    if (peephole_.defined()) totals_width_ += 3 * units_;
  }

  // Back through time: fills d_sums_, and the gradients by the first states.
  void run(const at::Tensor& dy, const at::Tensor& dh, const at::Tensor& dc, bool totals_wanted, bool may_overwrite) {
    const std::int64_t steps = s.steps();
    for (const Gate<T>& gate : gates_) may_overwrite = may_overwrite && !gate.reads_again();
    d_sums_ = may_overwrite ? kept_.sums : at::empty_like(kept_.sums);
    if (totals_wanted) totals_.assign(slices_.count() * totals_width_, 0.0);
    // dh_ and before_ change places: a step reads the one and writes the other.
    const auto room = [&] { return at::empty({s.batch(), s.units()}, s.x.options()); };
    at::Tensor dh_more = dh.defined() ? dh.contiguous() : at::Tensor(), dh_next = room(), spare = room();
    at::Tensor dc_now = dc.defined() ? dc.contiguous() : at::Tensor();
    dc_ = s.is_lstm() ? room() : at::Tensor();
    at::Tensor zeros;
    if (!s.h.defined() || (s.is_lstm() && !s.c.defined())) zeros = at::zeros({s.batch(), s.units()}, s.x.options());
    const at::Tensor h_first = s.h.defined() ? s.h.contiguous() : zeros;
    const at::Tensor c_first = s.c.defined() ? s.c.contiguous() : zeros;
    const PackedTensor<T> w = packed<T>(s.layer.weight_hh);
    for (std::int64_t k = steps - 1; k >= 0; --k) {
      const std::int64_t t = s.time(k);
      const at::Tensor now = kept_.sums.select(0, t), d_now = d_sums_.select(0, t);
      Step<T> step = step_of(s, gates_, peephole_, noise_, t);
      at::Tensor before, c_now, dy_now;
      if (s.is_lstm()) {
        before = k > 0 ? kept_.c.select(0, s.time(k - 1)) : c_first;
        c_now = kept_.c.select(0, t);
        step.c = static_cast<T*>(c_now.data_ptr());
        step.dc = data_of<T>(dc_now);
        step.d_before = static_cast<T*>(dc_.data_ptr());
      } else {
        before = k > 0 ? y_.select(0, s.time(k - 1)) : h_first;
        step.d_before = static_cast<T*>(dh_next.data_ptr());
      }
      if (dy.defined()) dy_now = dy.select(0, t);
      step.sums = data_of<T>(now);
      step.before = data_of<T>(before);
      step.dh = data_of<T>(dy_now);
      step.dh_more = data_of<T>(dh_more);
      step.d_sums = static_cast<T*>(d_now.data_ptr());
      slices_.run([&](std::size_t slice, std::size_t first, std::size_t last) {
        Step<T> own = step;
        if (totals_wanted) own.totals = totals_.data() + slice * totals_width_;
        if (s.is_lstm()) {
          kernels::recurrent::lstm_backward(own, first, last);
        } else {
          kernels::recurrent::gru_backward(own, s.layer.cell == Cell::mgu, first, last);
        }
      });
      dc_now = dc_;
      if (s.is_lstm()) {
        if (k > 0 || s.h.defined()) multiply_into(dh_next, d_now, w);
      } else {
        multiply_into(dh_next, from_h(s, d_now), w, dh_next);
      }
      dh_more = dh_next;
      std::swap(dh_next, spare);
    }
    dh_ = dh_more;
  }

  at::Tensor by_x() const {
    const at::Tensor d = flat(d_sums_);
    if (s.is_lstm()) return multiplied(d, packed<T>(s.layer.weight_ih)).view_as(s.x);
    const std::int64_t units = s.units(), wide = s.gates() * units;
    const at::Tensor dx = multiplied(d.narrow(1, units, wide), packed<T>(s.layer.weight_ih.narrow(0, 0, wide)));
    multiply_into(dx, d.narrow(1, 0, units), packed<T>(s.layer.weight_ih.narrow(0, wide, units)), dx);
    return dx.view_as(s.x);
  }
  at::Tensor by_h() const { return dh_; }
  at::Tensor by_c() const { return dc_; }
  at::Tensor by_weight_ih() const {
    const at::Tensor d = flat(d_sums_);
    const PackedTensor<T> x = packed<T>(flat(s.x));
    if (s.is_lstm()) return multiplied(d.t(), x);
    const std::int64_t units = s.units(), wide = s.gates() * units;
    const at::Tensor dw = at::empty_like(s.layer.weight_ih, at::MemoryFormat::Contiguous);
    multiply_into(dw.narrow(0, 0, wide), d.narrow(1, units, wide).t(), x);
    multiply_into(dw.narrow(0, wide, units), d.narrow(1, 0, units).t(), x);
    return dw;
  }
  at::Tensor by_weight_hh() const {
    const std::int64_t later = s.steps() - 1, shift = s.layer.reverse ? 0 : 1;
    const at::Tensor d = from_h(s, d_sums_);
    const at::Tensor dw =
        multiplied(flat(d.narrow(0, shift, later)).t(), packed<T>(flat(y_.narrow(0, 1 - shift, later))));
    if (s.h.defined()) multiply_into(dw, d.select(0, s.time(0)).t(), packed<T>(s.h), dw);
    return dw;
  }
  // One sum serves both biases of an LSTM.
  const at::Tensor& sum_over_all() {
    if (!sum_.defined()) sum_ = flat(d_sums_).sum(0);
    return sum_;
  }
  at::Tensor by_bias_ih() {
    if (s.is_lstm()) return sum_over_all();
    const std::int64_t units = s.units(), wide = s.gates() * units;
    return at::cat({sum_over_all().narrow(0, units, wide), sum_over_all().narrow(0, 0, units)});
  }
  at::Tensor by_bias_hh() { return s.is_lstm() ? sum_over_all() : from_h(s, sum_over_all()).clone(); }
  at::Tensor by_peephole() const {
    const std::vector<double> sums = total(learned_width_, 3 * units_);
    const at::Tensor d = at::empty({3, s.units()}, s.x.options());
    std::transform(sums.begin(), sums.end(), static_cast<T*>(d.data_ptr()),
                   [](double sum) { return static_cast<T>(sum); });
    return d;
  }
  at::Tensor by_learned(std::size_t which) const {
    const at::Tensor& p = s.layer.learned[which];
    const std::vector<double> sums = total(which * units_, units_);
    const at::Tensor d = at::empty(p.sizes(), p.options());
    T* const out = static_cast<T*>(d.data_ptr());
    if (p.numel() == 1) {
      *out = static_cast<T>(std::accumulate(sums.begin(), sums.end(), 0.0));
    } else {
      std::transform(sums.begin(), sums.end(), out, [](double sum) { return static_cast<T>(sum); });
    }
    return d;
  }

 private:
  static at::Tensor flat(const at::Tensor& t) { return t.reshape({t.size(0) * t.size(1), t.size(2)}); }
  // Over all slices, in their order.
  std::vector<double> total(std::size_t from, std::size_t count) const {
    std::vector<double> sum(count, 0.0);
    for (std::size_t slice = 0; slice < slices_.count(); ++slice) {
      for (std::size_t i = 0; i < count; ++i) sum[i] += totals_[slice * totals_width_ + from + i];
    }
    return sum;
  }

  const Sequence& s;
  const Kept& kept_;
  const at::Tensor& y_;
  std::vector<Gate<T>> gates_;
  NoiseKey noise_;
  Slices slices_;
  std::size_t units_;
  at::Tensor peephole_, d_sums_, dh_, dc_, sum_;
  std::size_t learned_width_ = 0, totals_width_ = 0;
  std::vector<double> totals_;  // of each slice: learned parameters, peepholes
};

template <class T>
std::vector<at::Tensor> backward_as(const Sequence& s, const Kept& kept, const at::Tensor& y, const at::Tensor& dy,
                                    const at::Tensor& dh, const at::Tensor& dc, const Wanted& wanted,
                                    bool may_overwrite) {
  std::vector<at::Tensor> results(wanted.of.size());
  bool totals = false;
  for (std::size_t i = own_tensors - 1; i < wanted.of.size(); ++i) totals = totals || wanted.of[i];
  Backward<T> b(s, kept, y);
  b.run(dy, dh, dc, totals, may_overwrite);
  if (wanted.of[0]) results[0] = b.by_x();
  if (wanted.of[1]) results[1] = b.by_h();
  if (wanted.of[2]) results[2] = b.by_c();
  if (wanted.of[3]) results[3] = b.by_weight_ih();
  if (wanted.of[4]) results[4] = b.by_weight_hh();
  if (wanted.of[5]) results[5] = b.by_bias_ih();
  if (wanted.of[6]) results[6] = b.by_bias_hh();
  if (wanted.of[7]) results[7] = b.by_peephole();
  for (std::size_t i = own_tensors; i < wanted.of.size(); ++i) {
    if (wanted.of[i]) results[i] = b.by_learned(i - own_tensors);
  }
  return results;
}

}  // namespace

RecurrentOutput fused_forward(const Sequence& s, Kept* kept) {
  return s.x.scalar_type() == at::kFloat ? forward_as<float>(s, kept) : forward_as<double>(s, kept);
}

std::vector<at::Tensor> fused_backward(const Sequence& s, const Kept& kept, const at::Tensor& y, at::Tensor dy,
                                       const at::Tensor& dh, const at::Tensor& dc, const Wanted& wanted,
                                       bool may_overwrite) {
  if (dy.defined()) dy = dy.contiguous();
  return s.x.scalar_type() == at::kFloat ? backward_as<float>(s, kept, y, dy, dh, dc, wanted, may_overwrite)
                                         : backward_as<double>(s, kept, y, dy, dh, dc, wanted, may_overwrite);
}

}  // namespace ogee::torch_call::recurrent
