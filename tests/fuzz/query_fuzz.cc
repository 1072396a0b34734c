// What a request to the admin API says: its query, its body, and the numbers and addresses in them.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config_values.h"
#include "app/query_params.h"
#include "app/request_body.h"
#include "base/assert.h"
#include "net/http_server.h"

namespace spool {
namespace {

const SystemTime kNow = FromMicros(1'795'155'074'402'113);

std::string Escape(std::string_view text) {
  constexpr char kHex[] = "0123456789aBcDeF";
  std::string out;
  for (const char c : text) {
    out += '%';
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

void Query(std::string_view text) {
  const Result<QueryParams> params = QueryParams::Parse(text);
  if (!params) {
    SPOOL_ASSERT(params.error().code == Code::kInvalid);
    return;
  }
  // The same question in other letters, and asked of the request itself, has the same answer.
  net::HttpRequest request;
  request.query = text;
  for (const char* name : {"target", "limit", "after", "a", ""}) {
    bool found = false;
    const std::string value = request.QueryParam(name, &found);
    if (*name == '\0') continue;  // "a=1&&b=2" holds a nameless one for the request alone
    SPOOL_ASSERT(found == params->Has(name) && value == params->Get(name));
    std::string all;
    for (const std::string& one : params->All(name)) {
      all += (all.empty() ? "" : "&") + Escape(name) + "=" + Escape(one);
    }
    const Result<QueryParams> again = QueryParams::Parse(all);
    if (all.find("%00") != all.npos) continue;
    SPOOL_ASSERT(again && again->All(name) == params->All(name));
    const auto number = params->Number(name, 3, 500);
    if (number && *number) SPOOL_ASSERT(**number >= 3 && **number <= 500);
    SPOOL_ASSERT(found || (number && !*number));
    const auto time = params->Time(name, kNow);
    SPOOL_ASSERT(found || (time && !*time));
  }
  if (const Status ok = params->Check({"target", "limit"}, {"match"}); ok) {
    SPOOL_ASSERT(params->All("target").size() <= 1 && !params->Has("after"));
  }
}

void Body(std::string_view text) {
  const auto body = RequestBody::Parse(text, {"target", "from", "match", "dry_run", "rate"});
  if (!body) {
    SPOOL_ASSERT(body.error().code == Code::kInvalid && !body.error().message.empty());
    return;
  }
  SPOOL_ASSERT(!body->Text("another")->has_value());
  for (const char* key : {"target", "from", "match", "dry_run", "rate"}) {
    // A member is of one type, or absent and of all.
    const auto as_text = body->Text(key);
    const auto as_number = body->Number(key);
    const auto as_list = body->Texts(key);
    const auto as_flag = body->Flag(key);
    const int fits = int{as_text.has_value()} + int{as_number.has_value()} +
                     int{as_list.has_value()} + int{as_flag.has_value()};
    SPOOL_ASSERT(fits <= 1 || fits == 4);
    const auto sequence = body->SequenceOf(key);
    if (sequence && as_text && *as_text) SPOOL_ASSERT(ParseSequence(**as_text) == sequence);
    if (sequence) SPOOL_ASSERT(as_text || as_number);
  }
}

void Words(std::string_view text) {
  if (const auto sequence = ParseSequence(text)) {
    SPOOL_ASSERT(ParseSequence(ToText(*sequence)) == sequence);
    SPOOL_ASSERT(text.find_first_not_of("0123456789") == text.npos && text.size() <= 20);
  }
  if (const auto address = ParseListenAddress(text)) {
    SPOOL_ASSERT(address->port >= 0 && address->port <= 65535 && !address->host.empty());
    SPOOL_ASSERT(!(address->loopback && address->any));
    const bool six = address->host.find(':') != std::string::npos;
    const auto again = ParseListenAddress((six ? "[" + address->host + "]" : address->host) + ":" +
                                          std::to_string(address->port));
    SPOOL_ASSERT(again && again->host == address->host && again->port == address->port);
  }
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: spool::Query(text); break;
    case 1: spool::Body(text); break;
    default: spool::Words(text); break;
  }
  return 0;
}
