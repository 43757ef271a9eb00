// A multivariate series to forecast: a CSV file with a row for each step, in order of time.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <optional>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/csv_rows.h"
#include "data/loaders.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::int64_t usual_context = 96, usual_horizon = 24;

// The first column, if no cell of it is a number: times, or names of the steps.
bool dated(const Sheet& sheet) {
  for (const Row& row : sheet.rows)
    if (number(row.cells[0])) return false;
  return !sheet.rows.empty();
}

void check_order(const Sheet& sheet) {
  for (std::size_t i = 1; i < sheet.rows.size(); ++i) {
    const std::string_view before = trim(sheet.rows[i - 1].cells[0]), now = trim(sheet.rows[i].cells[0]);
    if (is_iso_date(before) && is_iso_date(now) && before.size() == now.size() && now <= before)
      throw Error(fmt::format("{}:{}: column 1 ('{}'): '{}' does not come after '{}'; rows must be in order of time",
                              sheet.path, sheet.rows[i].line, sheet.names[0], now, before));
  }
}

at::Tensor values_of(const Sheet& sheet, std::size_t first_column) {
  const auto columns = static_cast<std::int64_t>(sheet.names.size() - first_column);
  at::Tensor values = torch::empty({static_cast<std::int64_t>(sheet.rows.size()), columns});
  float* out = values.data_ptr<float>();
  for (const Row& row : sheet.rows)
    for (std::size_t i = first_column; i < sheet.names.size(); ++i)
      *out++ = static_cast<float>(finite_number(sheet, row, i));
  return values;
}

struct Form {
  std::int64_t context, horizon;
  std::optional<std::int64_t> target;
};

// One window for each step at which it fits. Views of the one series: they overlap.
Part windows(const at::Tensor& series, const Form& form) {
  const std::int64_t count = series.size(0) - form.context - form.horizon + 1;
  if (count <= 0) return {};
  const at::Tensor answers = form.target ? series.narrow(1, *form.target, 1) : series;
  return {series.unfold(0, form.context, 1).narrow(0, 0, count).transpose(1, 2),
          answers.narrow(0, form.context, series.size(0) - form.context).unfold(0, form.horizon, 1).transpose(1, 2)};
}

double persistence(const Part& part, const Form& form) {
  at::Tensor last = part.x.select(1, form.context - 1);
  if (form.target) last = last.narrow(1, *form.target, 1);
  return (part.y - last.unsqueeze(1)).to(torch::kDouble).square().mean().item<double>();
}

}  // namespace

Dataset load_series(const Request& request) {
  const auto read = [](const std::string& path) { return parse_sheet(read_bytes(path), path); };
  const Sheet sheet = read(request.data);
  Dataset set;
  set.name = request.data;
  set.goal = Goal::forecasting;
  const std::size_t first = dated(sheet) ? 1 : 0;
  if (sheet.names.size() == first)
    throw Error(fmt::format("{}: no column of numbers: its only column, '{}', has none", sheet.path, sheet.names[0]));
  if (first > 0)
    set.notes.push_back(fmt::format("'{}' has no numbers: taken for the time of each row", sheet.names[0]));
  const auto values = [&](const Sheet& part) {
    check_same_columns(part, sheet);
    if (first > 0) check_order(part);
    return values_of(part, first);
  };
  const at::Tensor all = values(sheet);
  at::Tensor validation, test;
  if (!request.validation.empty()) validation = values(read(request.validation));
  if (!request.test.empty()) test = values(read(request.test));

  Form form{request.context > 0 ? request.context : usual_context,
            request.horizon > 0 ? request.horizon : usual_horizon, std::nullopt};
  if (!request.target.empty()) {
    const std::size_t column = find_column(sheet, request.target);
    if (column < first) throw Error(fmt::format("{}: the target '{}' has no numbers", sheet.path, request.target));
    form.target = static_cast<std::int64_t>(column - first);
  }
  const std::int64_t columns = all.size(1);
  set.shape = {form.context, columns};
  set.answers = form.horizon * (form.target ? 1 : columns);

  // Contiguous. A part split off forecasts its own steps only, but may look back into the steps before it, as is the
  // custom; so that its first forecast needs no context of its own.
  const Shares shares = shares_of(request, validation.defined(), test.defined(), {0.2, 0.2});
  const auto rows = static_cast<double>(all.size(0));
  const auto test_from = static_cast<std::int64_t>(std::lround(rows * (1 - shares.test)));
  const auto validation_from = static_cast<std::int64_t>(std::lround(rows * (1 - shares.test - shares.validation)));
  const auto check = [&](std::int64_t steps, std::int64_t context, const char* name) {
    if (steps < context + form.horizon + fewest_windows)
      throw Error(fmt::format("{}: {} rows in the {} part; context {} and horizon {} need {} or more", sheet.path,
                              steps, name, form.context, form.horizon, context + form.horizon + fewest_windows));
  };
  check(validation_from, form.context, "training");
  const at::Tensor trained = all.narrow(0, 0, validation_from);
  const Standard standard = fit_standard(trained, Scale::feature, set.notes);
  if (form.target && trained.select(1, *form.target).eq(trained[0][*form.target]).all().item<bool>())
    throw Error(fmt::format("{}: the target '{}' is constant in the training part", sheet.path, request.target));
  const auto part = [&](const at::Tensor& given, std::int64_t from, std::int64_t to, const char* name) {
    if (given.defined()) {
      check(given.size(0), form.context, name);
      return windows(standard.apply(given), form);
    }
    check(to - from, 0, name);
    return windows(standard.apply(all.narrow(0, from - form.context, to - from + form.context)), form);
  };
  set.train = limited(windows(standard.apply(trained), form), request.train_limit);
  set.validation = part(validation, validation_from, test_from, "validation");
  set.test = part(test, test_from, all.size(0), "test");
  // In standardised units the constant answer is 0.
  set.baseline = set.test.y.to(torch::kDouble).square().mean().item<double>();
  set.notes.push_back(fmt::format("repeating the last step has a test MSE of {:.4g}, always answering the mean {:.4g}",
                                  persistence(set.test, form), set.baseline));
  seal(set);
  return set;
}

}  // namespace ogee::data
