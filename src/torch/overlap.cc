#include "ogee/torch_overlap.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>

#include "kernels/sparse/overlap.h"

namespace ogee {
namespace {

using kernels::sparse::Overlap;
using kernels::sparse::OverlapRows;
using kernels::sparse::OverlapUnits;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* names[] = {"ruzicka", "tanimoto", "l1_tanimoto"};

Overlap overlap_named(std::string_view name) {
  for (int i = 0; i < 3; ++i) {
    if (name == names[i]) return static_cast<Overlap>(i);
  }
  TORCH_CHECK_VALUE(false, "ogee::overlap_linear: no overlap is named '", std::string(name),
                    "'; there are ruzicka, tanimoto and l1_tanimoto");
}

// A share of the work that is worth another thread: about so many products.
constexpr std::int64_t grain = 32768;

// What both directions read. Undefined `begin`: the values are a dense matrix.
struct Matrix {
  at::Tensor begin, columns, values;
  std::int64_t rows, features;

  template <class T>
  OverlapRows<T> as() const {
    OverlapRows<T> result;
    if (begin.defined()) {
      result.begin = begin.data_ptr<std::int64_t>();
      result.column = columns.data_ptr<std::int64_t>();
    }
    result.values = values.data_ptr<T>();
    result.features = static_cast<std::size_t>(features);
    return result;
  }
  std::int64_t per_row() const { return rows == 0 ? 1 : 1 + values.numel() / rows; }
};

struct Units {
  at::Tensor weight, bias, size;
  Overlap overlap;
  std::int64_t count() const { return weight.size(1); }

  template <class T>
  OverlapUnits<T> as() const {
    return {overlap, static_cast<std::size_t>(count()), weight.data_ptr<T>(),
            bias.defined() ? bias.data_ptr<T>() : nullptr, size.data_ptr<T>()};
  }
};

template <class F>
void in_parallel(std::int64_t count, std::int64_t work, F f) {
  at::parallel_for(0, count, std::max<std::int64_t>(1, grain / std::max<std::int64_t>(1, work)),
                   [&](std::int64_t first, std::int64_t last) {
                     f(static_cast<std::size_t>(first), static_cast<std::size_t>(last));
                   });
}
// Threads take blocks of units that fill whole lines of the cache.
template <class F>
void over_units(std::int64_t units, std::int64_t work, F f) {
  constexpr std::int64_t block = 16;
  in_parallel((units + block - 1) / block, work * block, [&](std::size_t first, std::size_t last) {
    f(first * block, std::min(last * block, static_cast<std::size_t>(units)));
  });
}

void measure(Units& units, std::int64_t features) {
  units.size = at::empty({units.count()}, units.weight.options());
  AT_DISPATCH_FLOATING_TYPES(units.weight.scalar_type(), "ogee::overlap_linear", [&] {
    over_units(units.count(), features, [&](std::size_t first, std::size_t last) {
      kernels::sparse::overlap_sizes<scalar_t>(
          units.overlap, units.weight.data_ptr<scalar_t>(), static_cast<std::size_t>(features),
          static_cast<std::size_t>(units.count()), first, last, units.size.data_ptr<scalar_t>());
    });
  });
}

// Undefined where an input of the node stands for none.
at::Tensor given(const at::Tensor& t) { return t.numel() > 0 ? t.detach().contiguous() : at::Tensor(); }

// One node of the graph: places begin, columns, values, weight, bias. An autograd function takes no undefined tensors:
// those that are not there (a dense matrix's begin and columns, a bias) are empty ones.
class OverlapFunction : public torch::autograd::Function<OverlapFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& begin, const at::Tensor& columns,
                            const at::Tensor& values, const at::Tensor& weight, const at::Tensor& bias,
                            std::int64_t overlap) {
    Matrix x{given(begin), columns.detach().contiguous(), values.detach().contiguous(), 0, weight.size(0)};
    x.rows = x.begin.defined() ? begin.numel() - 1 : x.values.numel() / std::max<std::int64_t>(1, x.features);
    Units units{weight.detach().contiguous(), given(bias), {}, static_cast<Overlap>(overlap)};
    measure(units, x.features);
    const at::Tensor z = at::empty({x.rows, units.count()}, units.weight.options());
    AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "ogee::overlap_linear", [&] {
      const auto rows = x.as<scalar_t>();
      const auto w = units.as<scalar_t>();
      in_parallel(x.rows, x.per_row() * units.count(), [&](std::size_t first, std::size_t last) {
        kernels::sparse::overlap_forward(rows, w, first, last, z.data_ptr<scalar_t>());
      });
    });
    context->save_for_backward({begin, columns, values, weight, bias});
    context->saved_data["overlap"] = overlap;
    context->saved_data["size"] = units.size;
    return z;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "ogee::overlap_linear: has no gradients of gradients");
    const variable_list saved = context->get_saved_variables();
    Matrix x{given(saved[0]), saved[1].detach().contiguous(), saved[2].detach().contiguous(), 0, saved[3].size(0)};
    x.rows = gradients[0].size(0);
    const Units units{saved[3].detach().contiguous(), given(saved[4]), context->saved_data["size"].toTensor(),
                      static_cast<Overlap>(context->saved_data["overlap"].toInt())};
    const at::Tensor dz = gradients[0].contiguous();
    at::Tensor dvalues, dweight, dbias;
    if (context->needs_input_grad(2)) dvalues = at::empty_like(x.values);
    if (context->needs_input_grad(3)) dweight = at::zeros_like(units.weight);
    if (units.bias.defined() && context->needs_input_grad(4)) dbias = at::zeros_like(units.bias);
    AT_DISPATCH_FLOATING_TYPES(dz.scalar_type(), "ogee::overlap_linear", [&] {
      const auto rows = x.as<scalar_t>();
      const auto w = units.as<scalar_t>();
      const auto* g = dz.data_ptr<scalar_t>();
      if (dweight.defined() || dbias.defined()) {
        // By units, not by rows: no two threads add to the same number, so that sums do not depend on their count.
        over_units(units.count(), x.features + x.values.numel(), [&](std::size_t first, std::size_t last) {
          kernels::sparse::overlap_backward_weights(rows, w, static_cast<std::size_t>(x.rows), g, first, last,
                                                    dweight.defined() ? dweight.data_ptr<scalar_t>() : nullptr,
                                                    dbias.defined() ? dbias.data_ptr<scalar_t>() : nullptr);
        });
      }
      if (dvalues.defined()) {
        in_parallel(x.rows, x.per_row() * units.count(), [&](std::size_t first, std::size_t last) {
          kernels::sparse::overlap_backward_values(rows, w, first, last, g, dvalues.data_ptr<scalar_t>());
        });
      }
    });
    return {at::Tensor(), at::Tensor(), dvalues, dweight, dbias, at::Tensor()};
  }
};

void check_units(const at::Tensor& values, const at::Tensor& weight, const at::Tensor& bias, Overlap overlap) {
  TORCH_CHECK(weight.dim() == 2, "ogee::overlap_linear: expected a weight [features, units], not ", weight.sizes());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == weight.size(1)),
              "ogee::overlap_linear: expected a bias [", weight.size(1), "], one for each unit, not ", bias.sizes());
  for (const at::Tensor* t : {&values, &weight, &bias}) {
    if (!t->defined()) continue;
    TORCH_CHECK(t->device().is_cpu(), "ogee::overlap_linear: works on the CPU, not on ", t->device(),
                "; compose_overlap_linear works anywhere");
    TORCH_CHECK(
        t->scalar_type() == weight.scalar_type() && (t->scalar_type() == at::kFloat || t->scalar_type() == at::kDouble),
        "ogee::overlap_linear: expected float32 or float64 throughout, not ", t->scalar_type(), " and ",
        weight.scalar_type());
  }
  if (overlap == Overlap::l1_tanimoto && values.numel() > 0) {
    const at::NoGradGuard no_grad;
    const double low = values.min().item<double>(), high = values.max().item<double>();
    TORCH_CHECK_VALUE(low >= 0 && high <= 1, "ogee::overlap_linear: l1_tanimoto is for x in [0, 1], found ",
                      low >= 0 ? high : low);
  }
}

at::Tensor or_empty(const at::Tensor& bias, const at::Tensor& weight) {
  return bias.defined() ? bias : at::empty({0}, weight.options());
}

}  // namespace

torch::Tensor overlap_linear_of_rows(const torch::Tensor& begin, const torch::Tensor& columns,
                                     const torch::Tensor& values, const torch::Tensor& weight,
                                     const torch::Tensor& bias, std::string_view overlap) {
  const Overlap kind = overlap_named(overlap);
  check_units(values, weight, bias, kind);
  TORCH_CHECK(begin.dim() == 1 && begin.numel() >= 1 && begin.scalar_type() == at::kLong && columns.dim() == 1 &&
                  columns.scalar_type() == at::kLong && values.dim() == 1 && values.numel() == columns.numel(),
              "ogee::overlap_linear: expected begin [rows + 1] and columns [n], int64, and values [n], not ",
              begin.sizes(), ", ", columns.sizes(), " and ", values.sizes());
  const at::Tensor b = begin.contiguous(), c = columns.contiguous();
  const auto* starts = b.data_ptr<std::int64_t>();
  const std::int64_t n = values.numel(), rows = begin.numel() - 1, features = weight.size(0);
  TORCH_CHECK(starts[0] == 0 && starts[rows] == n, "ogee::overlap_linear: expected rows from 0 to ", n, ", not from ",
              starts[0], " to ", starts[rows]);
  for (std::int64_t r = 0; r < rows; ++r) {
    TORCH_CHECK(starts[r] <= starts[r + 1], "ogee::overlap_linear: row ", r, " ends before it begins");
  }
  const auto* column = c.data_ptr<std::int64_t>();
  for (std::int64_t k = 0; k < n; ++k) {
    TORCH_CHECK_INDEX(column[k] >= 0 && column[k] < features, "ogee::overlap_linear: column ", column[k],
                      " is out of range, expected 0 to ", features - 1);
  }
  return OverlapFunction::apply(b, c, values, weight, or_empty(bias, weight), static_cast<std::int64_t>(kind));
}

torch::Tensor overlap_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                             std::string_view overlap) {
  if (x.layout() == at::kSparseCsr) {
    TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(0),
                "ogee::overlap_linear: expected rows of ", weight.size(0), " features, as the weight has, not ",
                x.sizes());
    return overlap_linear_of_rows(x.crow_indices().to(at::kLong), x.col_indices().to(at::kLong), x.values(), weight,
                                  bias, overlap);
  }
  TORCH_CHECK(x.layout() == at::kStrided, "ogee::overlap_linear: expected a dense x or one in CSR layout, not ",
              x.layout());
  const Overlap kind = overlap_named(overlap);
  check_units(x, weight, bias, kind);
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == weight.size(0), "ogee::overlap_linear: expected x [..., ", weight.size(0),
              "], as the weight has features, not ", x.sizes());
  const at::Tensor none = at::empty({0}, at::kLong);
  const at::Tensor z = OverlapFunction::apply(none, none, x.reshape({-1, weight.size(0)}), weight,
                                              or_empty(bias, weight), static_cast<std::int64_t>(kind));
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  return z.view(sizes);
}

torch::Tensor compose_overlap_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                     std::string_view overlap) {
  const Overlap kind = overlap_named(overlap);
  const at::Tensor dot = x.matmul(weight);
  const at::Tensor linear = bias.defined() ? dot + bias : dot;
  at::Tensor top = dot, bottom;
  if (kind == Overlap::ruzicka) {
    const at::Tensor wide = x.unsqueeze(-1), w = weight.clamp_min(0);
    top = at::minimum(wide, w).sum(-2);
    bottom = at::maximum(wide, w).sum(-2);
  } else if (kind == Overlap::tanimoto) {
    bottom = x.square().sum(-1, true) + weight.square().sum(0) - dot;
  } else {
    bottom = x.abs().sum(-1, true) + weight.abs().sum(0) - dot;
  }
  const at::Tensor empty = bottom == 0;
  return linear.clamp_min(0) * at::where(empty, at::zeros_like(top), top / bottom.masked_fill(empty, 1));
}

namespace nn {

OverlapLinearImpl::OverlapLinearImpl(OverlapLinearOptions options_) : options(std::move(options_)) {
  TORCH_CHECK(options.features() >= 1 && options.units() >= 1,
              "ogee::nn::OverlapLinear: features and units must be at least 1, not ", options.features(), " and ",
              options.units());
  overlap_named(options.overlap());
  reset();
}

void OverlapLinearImpl::reset() {
  const torch::NoGradGuard no_grad;
  const auto held = named_parameters(false);  // none while a clone is made, which takes over the members
  if (!held.contains("weight"))
    weight = register_parameter("weight", torch::empty({options.features(), options.units()}));
  weight.uniform_(0, 1 / std::sqrt(static_cast<double>(options.features())));
  if (!options.bias()) return;
  if (!held.contains("bias")) bias = register_parameter("bias", torch::empty({options.units()}));
  bias.zero_();
}

void OverlapLinearImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::OverlapLinear(" << options.features() << " -> " << options.units() << ", " << options.overlap()
         << (options.bias() ? ")" : ", no bias)");
}

torch::Tensor OverlapLinearImpl::forward(const torch::Tensor& x) {
  return overlap_linear(x, weight, bias, options.overlap());
}

}  // namespace nn

TORCH_LIBRARY_FRAGMENT(ogee, m) {
  m.def("overlap_linear(Tensor x, Tensor weight, Tensor? bias=None, str overlap=\"ruzicka\") -> Tensor",
        [](const at::Tensor& x, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
           const std::string& overlap) {
          return overlap_linear(x, weight, bias.has_value() ? *bias : at::Tensor(), overlap);
        });
}

}  // namespace ogee
