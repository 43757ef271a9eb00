// Tables: CSV files, and the digits built into the program.

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/csv.h"
#include "data/embedded.h"
#include "data/loaders.h"
#include "data/parts.h"

namespace ogee::data {
namespace {

Dataset from_table(const Table& table, const Request& request, std::vector<std::int64_t> shape) {
  Dataset set;
  set.name = request.data;
  set.goal = table.goal;
  set.classes = table.classes;
  set.notes = table.notes;
  set.shape = std::move(shape);
  std::vector<std::int64_t> sizes = set.shape;
  sizes.insert(sizes.begin(), static_cast<std::int64_t>(table.rows));
  const at::Tensor x = torch::tensor(table.features).reshape(sizes);
  const at::Tensor y = table.goal == Goal::classification ? torch::tensor(table.labels).to(torch::kLong)
                                                          : torch::tensor(table.values, torch::kDouble);
  std::int64_t from = 0;
  std::vector<Part> files;
  for (const std::size_t rows : table.file_rows) {
    files.push_back(
        {x.narrow(0, from, static_cast<std::int64_t>(rows)), y.narrow(0, from, static_cast<std::int64_t>(rows))});
    from += static_cast<std::int64_t>(rows);
  }
  Examples examples{files[0], {}, {}};
  std::size_t next = 1;
  if (!request.validation.empty()) examples.validation = files[next++];
  if (!request.test.empty()) examples.test = files[next];
  divide(set, examples, request, {0.2, 0.2}, set.images() ? Scale::all : Scale::feature);
  return set;
}

}  // namespace

Dataset load_optdigits(const Request& request) {
  Table table = parse_csv(unpack(embedded_optdigits(), "optdigits"), "optdigits");
  table.notes.clear();  // nothing had to be found out
  return from_table(table, request, {1, 8, 8});
}

Dataset load_csv(const Request& request) {
  std::vector<std::string> more;
  for (const std::string& path : {request.validation, request.test})
    if (!path.empty()) more.push_back(path);
  const Table table = read_csv(request.data, request.target, more);
  return from_table(table, request, {static_cast<std::int64_t>(table.columns)});
}

}  // namespace ogee::data
