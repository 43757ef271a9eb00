// ogee claims: what the literature says of activations, run and judged.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "claims/claim.h"
#include "claims/run_claim.h"
#include "cli/shell.h"
#include "cli/verbs.h"
#include "lab/laboratory.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::vector<std::string> names;
  std::string preset = "small", out = "ogee-claims";
  int workers = 0;
  bool json = false, quiet = false;
};

int list(const Flags& flags) {
  Json all = Json::array();
  std::size_t width = 0;
  for (const claims::ClaimFile& file : claims::claim_files()) {
    const claims::Claim claim = claims::parse_claim(file.text, file.path, flags.preset);
    all.push_back({{"name", file.name},
                   {"claim", claim.claim},
                   {"document", claim.document},
                   {"source", claim.source},
                   {"scale", claim.scale},
                   {"missing", claim.work->missing()}});
    width = std::max(width, file.name.size());
  }
  if (flags.json) {
    fmt::print("{}\n", all.dump(1));
    return 0;
  }
  for (const Json& each : all) {
    const auto missing = each["missing"].get<std::string>();
    fmt::print("{:<{}}  {}{}\n", each["name"].get<std::string>(), width, each["claim"].get<std::string>(),
               missing.empty() ? "" : " (" + missing + ")");
  }
  return 0;
}

std::vector<claims::ClaimFile> files_of(const Flags& flags) {
  std::vector<claims::ClaimFile> files;
  for (const std::string& name : flags.names) {
    if (name == "all") {
      for (const claims::ClaimFile& file : claims::claim_files()) files.push_back(file);
    } else {
      files.push_back(claims::find_claim(name));
    }
  }
  return files;
}

int run(const Flags& flags) {
  // All are read before the first is run: a mistake in the last one must not cost the time of the others.
  std::vector<claims::Claim> all;
  for (const claims::ClaimFile& file : files_of(flags))
    all.push_back(claims::parse_claim(file.text, file.path, flags.preset));
  claims::RunOptions options{flags.out, flags.workers, &stop_when_interrupted()};
  const bool terminal = isatty(STDERR_FILENO) && !flags.quiet;
  std::vector<Json> results;
  int status = 0;
  for (std::size_t i = 0; i < all.size() && !options.stop->load(); ++i) {
    const claims::Claim& claim = all[i];
    if (terminal)
      options.progress = [&](std::size_t done, std::size_t of, const std::string& latest) {
        const std::string line = fmt::format("{} ({} of {}): {} of {}{}", claim.name, i + 1, all.size(), done, of,
                                             latest.empty() ? "" : "; last: " + latest);
        fmt::print(stderr, "\r\x1b[K{}", line.substr(0, 79));
        std::fflush(stderr);
      };
    try {
      Json result = claims::run_claim(claim, options);
      if (terminal) fmt::print(stderr, "\r\x1b[K");
      if (const auto missing = result["missing"].get<std::string>(); !missing.empty())
        fmt::print(stderr, "ogee: {} skipped: {}\n", claim.name, missing);
      else
        results.push_back(std::move(result));
    } catch (const std::exception& error) {
      // What the user can mend of the only one is told by the exit status, too.
      if (all.size() == 1 && dynamic_cast<const Error*>(&error)) throw;
      // The others go on.
      fmt::print(stderr, "{}ogee: {}: {}\n", terminal ? "\r\x1b[K" : "", claim.name, error.what());
      status = 1;
    }
  }
  if (flags.json)
    fmt::print("{}\n", Json(results).dump(1));
  else if (!results.empty())
    fmt::print("{}", claims::claims_text(results));
  if (options.stop->load()) {
    fmt::print(stderr, "ogee: stopped; the same command again goes on from there\n");
    return 1;
  }
  return status;
}

int report(const Flags& flags) {
  const std::vector<Json> results = claims::stored_results(flags.out);
  lab::write_atomically(flags.out + "/claims.html", claims::claims_page(results));
  if (flags.json)
    fmt::print("{}\n", Json(results).dump(1));
  else
    fmt::print("{}\npage: {}/claims.html\n", claims::claims_text(results), flags.out);
  return 0;
}

void add_out(CLI::App* verb, Flags& flags) {
  verb->add_option("--out", flags.out, "the folder of what is measured")->capture_default_str();
}
void add_preset(CLI::App* verb, Flags& flags) {
  verb->add_option("--preset", flags.preset,
                   "small: minutes on two cores, the same mechanism; paper: the published settings")
      ->check(CLI::IsMember({"small", "paper"}))
      ->capture_default_str();
}

}  // namespace

void add_claims(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("claims", "What the literature says of activations: list it, run it, judge it");
  verb->require_subcommand(1);
  const auto flags = std::make_shared<Flags>();

  CLI::App* listing = verb->add_subcommand("list", "The claims, a line each");
  add_preset(listing, *flags);
  listing->add_flag("--json", flags->json, "as JSON");
  listing->callback([flags, &status] { status = list(*flags); });

  CLI::App* running = verb->add_subcommand("run", "Measure what claims are about, and say which hold");
  running->add_option("names", flags->names, "claims by name, files of your own (.toml), or all")->required();
  add_preset(running, *flags);
  add_out(running, *flags);
  running->add_option("--workers", flags->workers, "runs at a time (default: one for each core)")
      ->check(CLI::Range(1, 1024));
  running->add_flag("--json", flags->json, "print the results as JSON and nothing else");
  running->add_flag("--quiet", flags->quiet, "no progress on the terminal");
  running->footer(
      "What is measured is kept: the same command again goes on where it was stopped or killed.\n"
      "Verdicts: holds, holds in part, does not hold, cannot tell at this scale. docs/claims.md tells how they come "
      "about, and how "
      "to\n"
      "state a claim of one's own. The exit status does not depend on them.\n"
      "Examples:\n"
      "  ogee claims run dying_relu\n"
      "  ogee claims run all --out claims && ogee claims report --out claims\n"
      "  ogee claims run my_claim.toml --preset paper");
  running->callback([flags, &status] { status = run(*flags); });

  CLI::App* reporting = verb->add_subcommand("report", "What was found so far, on the terminal and as a page");
  add_out(reporting, *flags);
  reporting->add_flag("--json", flags->json, "print the results as JSON and nothing else");
  reporting->footer("Examples:\n  ogee claims report\n  ogee claims report --out claims --json");
  reporting->callback([flags, &status] { status = report(*flags); });
  verb->footer(
      "Examples:\n"
      "  ogee claims list\n"
      "  ogee claims run slope_product\n"
      "  ogee claims report");
}

}  // namespace ogee::cli
