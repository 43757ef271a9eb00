// Experiments as TOML files (examples/*.toml show every key).
#pragma once

#include <string>

#include "lab/experiment.h"

namespace ogee::lab {

class Table;

// Throws Error: "FILE:LINE:COLUMN: what is wrong, and what was expected".
Experiment read_experiment(const std::string& path);
// The same of a text; `name` stands for the file.
Experiment parse_experiment(const std::string& text, const std::string& name);
// What an experiment consists of, out of a table that may hold more; the caller finishes it.
void take_experiment(Table& table, Experiment& experiment);

// A file that says the same, with every setting; reading it gives an equal experiment. `experiment` must be resolved.
std::string to_toml(const Experiment& experiment);

}  // namespace ogee::lab
