// Short programs to be executed by reading them: Learning to Execute (Zaremba and Sutskever 2014, 1410.4615), as
// Gulcehre et al. (2016) use it. A text is a program and, behind its last line, what it prints and a full stop.
#pragma once

#include <cstdint>
#include <string>

#include "data/generated.h"

namespace ogee::data {

struct Programs {
  std::int64_t length = 2;   // digits of the numbers: from 1 to 10^length
  std::int64_t nesting = 1;  // operations, each on the last one's result
};

// Python: "v=31;\nfor x in range(4):v+=57\nprint((v-12))\n247."
std::string draw_program(const Programs& task, Draw& draw);
// Where the answer begins.
std::size_t answer_of(const std::string& text);

}  // namespace ogee::data
