// What the measuring programs of this directory share: their options, exit statuses, and an end before the end.
#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>

#include "timing.h"

namespace ogee::bench {

struct Common {
  std::int64_t dim, hidden;
  int rounds;
  bool json = false;
};
inline void add_common(CLI::App& app, Common& o) {
  app.add_option("--dim", o.dim)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--hidden", o.hidden)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--rounds", o.rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--json", o.json, "Everything as JSON");
}

// As shells have it for SIGINT.
inline constexpr int status_interrupted = 130;

// The status of run(), which is 1 where a goal is missed; 2 where the command line is wrong, 1 where something fails.
template <class Run>
int run_program(CLI::App& app, int argc, char** argv, Run run) {
  try {
    app.parse(argc, argv);
    return run();
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "{}: {} (see --help)\n", app.get_name(), e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), e.what());
    return 1;
  }
}

}  // namespace ogee::bench
