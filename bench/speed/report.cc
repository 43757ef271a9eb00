#include "bench/speed/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "bench/speed/machine.h"
#include "bench/speed/peers.h"

namespace ogee::bench {
namespace {

using Json = nlohmann::ordered_json;

// JSON knows no infinity: an error that is none (NaN where there is a value) becomes null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string ulps(double ulp) {
  if (!std::isfinite(ulp)) return "NaN";
  return ulp < 10 ? fmt::format("{:.1f}", ulp) : ulp < 1e5 ? fmt::format("{:.0f}", ulp) : fmt::format("{:.0e}", ulp);
}

}  // namespace

Json to_json(const Measurement& m) {
  Json peers = Json::object(), ratios = Json::object(), errors = Json::object(), disqualified = Json::object();
  for (const PeerResult& peer : m.peers) {
    errors[peer.name] = number(peer.ulp);
    if (peer.qualified) {
      peers[peer.name] = peer.ns;
      ratios[peer.name] = peer.ratio;
    } else {
      disqualified[peer.name] = peer.reason;
    }
  }
  Json row = {{"function", m.function},
              {"direction", name_of(m.direction)},
              {"dtype", name_of(m.type)},
              {"elements", m.elements},
              {"threads", m.threads},
              {"ns_per_element", m.ns},
              {"bytes_per_element", m.bytes},
              {"copy_ns_per_element", m.copies.copy},
              {"peers", peers},
              {"peers_ratio", ratios},
              {"peers_max_ulp", errors},
              {"disqualified", disqualified},
              {"max_ulp", m.ulp ? number(*m.ulp) : Json(nullptr)},
              {"wrong", m.wrong.empty() ? Json(nullptr) : Json(m.wrong)},
              {"streaming_copy_ns_per_element", m.copies.copy_streaming},
              {"three_stream_copy_ns_per_element", m.copies.add},
              {"three_stream_streaming_copy_ns_per_element", m.copies.add_streaming},
              {"family", m.family}};
  Json absent = Json::object();
  for (const auto& peer : all_peers()) {
    if (const std::string reason = peer->absent(); !reason.empty()) absent[peer->name()] = reason;
  }
  row["absent"] = absent;
  const PeerResult* best = m.best();
  row["best_peer"] = best != nullptr ? Json(best->name) : Json(nullptr);
  row["ratio"] = best != nullptr ? Json(best->ratio) : Json(nullptr);
  return row;
}

Json machine_json() {
  Json machine = Json::object();
  for (const auto& [key, value] : describe_machine()) machine[key] = value;
  Json peers = Json::object();
  for (const auto& peer : all_peers()) {
    const std::string absent = peer->absent();
    peers[peer->name()] = absent.empty() ? peer->version() : "absent: " + absent;
  }
  machine["peers"] = peers;
  return machine;
}

std::string table_header() {
  return fmt::format("{:<24} {:<9} {:>9} {:>8} {:>5} {:>8} {:>8} {:>8}  {}\n", "function", "direction", "elements",
                     "ogee", "ULP", "copy", "y=a+b", "ratio", "best peer");
}

std::string table_row(const Measurement& m) {
  const PeerResult* best = m.best();
  std::string line =
      fmt::format("{:<24} {:<9} {:>9} {:>8.3f} {:>5} {:>8.3f} {:>8.3f} {:>8}  {}\n", m.function, name_of(m.direction),
                  m.elements, m.ns, m.ulp ? ulps(*m.ulp) : "-", std::min(m.copies.copy, m.copies.copy_streaming),
                  std::min(m.copies.add, m.copies.add_streaming),
                  best != nullptr ? fmt::format("{:.2f}x", best->ratio) : "-", best != nullptr ? best->name : "-");
  if (!m.wrong.empty()) line += fmt::format("    ogee itself is wrong: {}\n", m.wrong);
  std::string others;
  for (const PeerResult& peer : m.peers) {
    others += others.empty() ? "    " : "; ";
    others += peer.qualified ? fmt::format("{} {:.3f} ({} ULP)", peer.name, peer.ns, ulps(peer.ulp))
                             : fmt::format("{} disqualified ({} ULP), {}", peer.name, ulps(peer.ulp), peer.reason);
  }
  return others.empty() ? line : line + others + "\n";
}

std::string machine_text() {
  std::string text;
  const Json machine = machine_json();
  for (const auto& [key, value] : machine.items()) {
    if (key != "peers") text += fmt::format("{:<10} {}\n", key, value.get<std::string>());
  }
  for (const auto& [name, value] : machine["peers"].items()) {
    text += fmt::format("{:<10} {}\n", name, value.get<std::string>());
  }
  return text;
}

}  // namespace ogee::bench
