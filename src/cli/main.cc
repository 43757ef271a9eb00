// ogee: the command line.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <string>

#include "cli/verbs.h"
#include "ogee/ogee.h"

int main(int argc, char** argv) {
  CLI::App app{"Ogee: activation functions for C++, and a laboratory to choose among them."};
  app.set_version_flag("--version", OGEE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  ogee list                          every function\n"
      "  ogee show 'swish(beta=1.5)'        formula, source, computed properties\n"
      "  ogee eval gelu --input x.f32 --output y.f32\n"
#if OGEE_WITH_LIBTORCH
      "  ogee compare                       a fair comparison on handwritten digits, in half a minute\n"
      "  ogee watch -- ./train              what activations do to a network that trains\n"
#endif
      "Exit status: 0 success, 1 the work failed or fell short, 2 usage or bad input.");
  int status = 0;
  ogee::cli::add_list(app, status);
  ogee::cli::add_show(app, status);
  ogee::cli::add_eval(app, status);
  ogee::cli::add_accuracy(app, status);
#if OGEE_WITH_LIBTORCH
  ogee::cli::add_bench(app, status);
  ogee::cli::add_compare(app, status);
  ogee::cli::add_report(app, status);
  ogee::cli::add_claims(app, status);
  ogee::cli::add_watch(app, status);
#else
  for (const std::string verb : {"bench", "compare", "report", "claims", "watch"}) {
    CLI::App* missing = app.add_subcommand(verb)->group("")->prefix_command();
    missing->callback([verb] { throw ogee::Error(verb + " needs LibTorch, which this program was built without"); });
  }
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "ogee: {} (see ogee --help)\n", e.what());
    return 2;
  } catch (const ogee::Error& e) {
    fmt::print(stderr, "ogee: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "ogee: {}\n", e.what());
    return 1;
  }
  return status;
}
