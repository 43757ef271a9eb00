// The program's verbs, one file each. Each adds its subcommand; what it returns when run is the exit status: 0 success,
// 1 the work failed or fell short, 2 usage or bad input.
#pragma once

#include <CLI/CLI.hpp>

namespace ogee::cli {

void add_list(CLI::App& app, int& status);
void add_show(CLI::App& app, int& status);
void add_eval(CLI::App& app, int& status);
void add_accuracy(CLI::App& app, int& status);
void add_bench(CLI::App& app, int& status);
void add_compare(CLI::App& app, int& status);
void add_report(CLI::App& app, int& status);
void add_claims(CLI::App& app, int& status);
void add_watch(CLI::App& app, int& status);

}  // namespace ogee::cli
