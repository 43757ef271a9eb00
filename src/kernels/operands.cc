#include "kernels/operands.h"

#include <cstdint>

#include "kernels/cache.h"

namespace ogee::kernels {

OperandArrays::OperandArrays(Pass pass, const Spec& spec, const Call& call, std::size_t own)
    : type_(call.type), shape_{call.rows, call.length} {
  for (std::size_t k = 0; k < spec.inputs; ++k) add(input_0 + k, call.input[k]);
  if (pass == Pass::forward) {
    add(y_out, call.y);
  } else {
    add(dy_in, call.dy);
    for (std::size_t k = 0; k < spec.inputs; ++k) add(dx_0 + k, call.dx[k]);
  }
  if (pass == Pass::second) {
    for (std::size_t k = 0; k < spec.inputs; ++k) add(ddx_0 + k, call.ddx[k]);
    add(ddy_out, call.ddy);
  }
  bool collapsible = true;
  const auto length = static_cast<std::ptrdiff_t>(shape_.length);
  for (const Array& a : arrays_) {
    if (a.data != nullptr && a.row_stride != length * a.step) collapsible = false;
  }
  if (collapsible || shape_.rows == 1) {
    shape_ = {1, shape_.rows * shape_.length};
    for (Array& a : arrays_) a.row_stride = 0;
  }
  const bool gathered = shape_.rows > 1 && shape_.length < short_row;
  for (Array& a : arrays_) {
    a.staged = gathered || a.step != 1 || size_of(type_) != own;
    any_staged_ = any_staged_ || (a.staged && a.data != nullptr);
  }
  cut_at_rows_ = shape_.rows > 1 && !gathered;
}

bool OperandArrays::contiguous() const {
  bool all = shape_.rows == 1;
  for (const Array& a : arrays_) all = all && (a.data == nullptr || a.step == 1);
  return all;
}

bool OperandArrays::stream(std::size_t own, std::size_t width) const {
  const std::size_t bytes = shape_.rows * shape_.length * own;
  std::size_t touched = 0, alignment = width * own;
  std::uintptr_t offset = alignment;
  for (std::size_t which = 0; which < operand_count; ++which) {
    const Array& a = arrays_[which];
    if (a.data == nullptr) continue;
    touched += bytes;
    if (which < y_out) continue;
    const std::uintptr_t here = reinterpret_cast<std::uintptr_t>(a.data) % alignment;
    if (offset != alignment && here != offset) return false;
    offset = here;
  }
  return streams(touched) && offset % own == 0;
}

bool OperandArrays::stream_narrow() const {
  if (size_of(type_) != 2 || shape_.rows != 1) return false;
  std::size_t touched = 0;
  for (std::size_t which = 0; which < operand_count; ++which) {
    const Array& a = arrays_[which];
    if (a.data == nullptr) continue;
    touched += 2 * shape_.length;
    if (which >= y_out && (a.step != 1 || reinterpret_cast<std::uintptr_t>(a.data) % 64 != 0)) return false;
  }
  return streams(touched);
}

}  // namespace ogee::kernels
