// The first operator that made a NaN or an infinity out of finite numbers.
//
// Each operator's results are looked at. One that holds a number that is not finite, while no argument did, is an
// origin; tensors made from it carry its mark, so that whatever arrives at the loss or at a weight's gradient can be
// followed back. Infinities that a program writes on purpose (a mask of minus infinity in front of a softmax) are no
// origin; what becomes NaN because of them is.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "monitor/recognise.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor {

// Where the first number that is not finite lies in a tensor; found < 0: all are finite.
struct Bad {
  std::int64_t position = -1;
  bool is_nan = false;
};
Bad first_bad(const at::Tensor& tensor);

class NonFiniteTrace {
 public:
  // What is kept of a call until its end.
  struct Pending {
    std::vector<at::Tensor> arguments;
    std::vector<std::int64_t> marks;  // of each argument: an origin's number, or the negative constants below
    std::uint64_t began = 0;          // how many marks had been set
    std::string values;               // scalar arguments, in words
  };
  Pending before(const Operator& op, c10::ArrayRef<const c10::IValue> arguments);
  // `layer` is asked only if there is something to tell.
  void after(const Operator& op, const Pending& pending, const std::vector<c10::IValue>& results, std::int64_t step,
             const std::string& node, const std::string& layer);
  // A tensor that matters has arrived: a gradient or a loss. The finding, the first time for each origin.
  std::optional<NonFinite> reached(const at::Tensor& tensor, std::int64_t step, const std::string& what);

 private:
  static constexpr std::int64_t clean = -1, unknown = -2, intended = -3;
  std::int64_t mark_of(const at::Tensor& tensor) const;

  std::mutex mutex_;
  struct Mark {
    std::int64_t origin;
    std::uint64_t set;  // the how-manieth: memory is used again, and a mark from before a call began says nothing of it
  };
  void mark(const at::Tensor& tensor, std::int64_t origin);
  // By memory: autograd's saved tensors and views are other tensors on the same.
  std::map<const c10::StorageImpl*, Mark> marks_;
  std::uint64_t marks_set_ = 0;
  std::vector<NonFinite> origins_;
  std::vector<bool> told_;
};

}  // namespace ogee::monitor
