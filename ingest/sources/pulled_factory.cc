#include "ingest/sources/pulled_factory.h"

#include "ingest/sources/file.h"
#include "ingest/sources/kafka.h"
#include "ingest/sources/nats.h"
#include "ingest/sources/stdin.h"

namespace spool {
namespace {

struct TypeName {
  std::string_view operator()(const FileSourceSettings&) const { return "file"; }
  std::string_view operator()(const StdinSourceSettings&) const { return "stdin"; }
  std::string_view operator()(const NatsSourceSettings&) const { return "nats"; }
  std::string_view operator()(const KafkaSourceSettings&) const { return "kafka"; }
};

struct Maker {
  IntakeOptions options;
  Journal& journal;

  std::unique_ptr<PulledSource> operator()(const FileSourceSettings& settings) {
    return std::make_unique<FileSource>(settings, std::move(options), journal);
  }
  std::unique_ptr<PulledSource> operator()(const StdinSourceSettings& settings) {
    return std::make_unique<StdinSource>(settings, std::move(options), journal);
  }
  std::unique_ptr<PulledSource> operator()(const NatsSourceSettings& settings) {
    return std::make_unique<NatsSource>(settings, std::move(options), journal);
  }
  std::unique_ptr<PulledSource> operator()(const KafkaSourceSettings& settings) {
    return std::make_unique<KafkaSource>(settings, std::move(options), journal);
  }
};

}  // namespace

std::string_view TypeNameOf(const PulledSettings& settings) {
  return std::visit(TypeName{}, settings);
}

std::unique_ptr<PulledSource> MakePulledSource(const PulledSettings& settings,
                                               IntakeOptions options, Journal& journal) {
  options.type = TypeNameOf(settings);
  return std::visit(Maker{std::move(options), journal}, settings);
}

}  // namespace spool
