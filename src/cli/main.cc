// ogee: the command line.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <string>

#include "cli/verbs.h"
#include "ogee/ogee.h"

namespace {

// The program and the verbs that were recognised before the parser gave up: whose help lists what would have been
// right.
std::string verbs_parsed(const CLI::App& app) {
  std::string text = "ogee";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    text += " " + at->get_name();
  }
  return text;
}

// The first argument, if it should be a verb and is none: the parser would answer `ogee channels --help` as if nothing
// were wrong.
std::string unknown_verb(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  const std::string first = argv[1];
  const auto is_it = [&](const CLI::App* verb) { return verb->check_name(first); };
  return app.get_subcommands(is_it).empty() ? first : "";
}

}  // namespace

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
  if (const std::string unknown = unknown_verb(app, argc, argv); !unknown.empty()) {
    fmt::print(stderr, "ogee: no verb '{}' (see ogee --help)\n", unknown);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "ogee: {} (see {} --help)\n", e.what(), verbs_parsed(app));
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
