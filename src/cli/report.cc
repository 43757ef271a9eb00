// ogee report: stored comparisons drawn again, merged, or side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "lab/laboratory.h"
#include "lab/report.h"
#include "lab/stored.h"
#include "ogee/ogee.h"

namespace ogee::cli {
namespace {

struct Flags {
  std::vector<std::string> folders;
  std::string out;
  bool json = false;
};

int run(const Flags& flags) {
  std::vector<lab::StoredComparison> comparisons;
  for (const std::string& folder : flags.folders) comparisons.push_back(lab::load_comparison(folder));
  comparisons = lab::merge(std::move(comparisons));
  const bool one = comparisons.size() == 1;
  const std::filesystem::path out = !flags.out.empty()          ? flags.out
                                    : flags.folders.size() == 1 ? flags.folders[0]
                                                                : "ogee-report";
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (!std::filesystem::is_directory(out)) throw Error(fmt::format("--out {}: cannot make this folder", out.string()));
  const nlohmann::ordered_json results = one ? comparisons[0].results() : lab::side_by_side(comparisons);
  lab::write_atomically((out / "results.json").string(), results.dump(1) + "\n");
  lab::write_atomically((out / "report.html").string(),
                        one ? lab::html_report(results) : lab::side_by_side_html(results));
  if (flags.json)
    fmt::print("{}\n", results.dump(1));
  else
    fmt::print("{}\nreport: {}/report.html\n", one ? lab::text_report(results) : lab::side_by_side_text(results),
               out.string());
  return 0;
}

}  // namespace

void add_report(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("report", "Draw stored comparisons again: one, several merged, or side by side");
  const auto flags = std::make_shared<Flags>();
  verb->add_option("folders", flags->folders, "folders that ogee compare wrote (its --out)")->required();
  verb->add_option("--out", flags->out,
                   "where results.json and report.html go (default: the folder itself; of several, ogee-report)");
  verb->add_flag("--json", flags->json, "print results.json and nothing else");
  verb->footer(
      "Folders that hold runs of the same experiment become one comparison with the runs of all; different "
      "experiments\n"
      "are shown side by side. No data are needed.\n"
      "Examples:\n"
      "  ogee report ogee-compare\n"
      "  ogee report monday tuesday --out both");
  verb->callback([flags, &status] { status = run(*flags); });
}

}  // namespace ogee::cli
