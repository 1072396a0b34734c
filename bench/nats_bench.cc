// What does the NATS sink cost beyond the client library's own publish loop, on the same server?
// bench_nats [--events N] [--rounds N] [--batch N] [--bytes N] [--window N]
#include <nats/nats.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/load.h"
#include "forward/sink_factory.h"
#include "tests/support/nats_server.h"

namespace spool::bench {
namespace {

using testing::NatsServer;

struct Options {
  size_t events = 100'000;
  int rounds = 5;
  // What a NATS target has unless its configuration says otherwise.
  size_t batch = 5000;             // of one attempt: batch.events
  size_t bytes = size_t{4} << 20;  // of one attempt: batch.bytes
  int window = 256;                // publishes without an answer
};

void Check(natsStatus status, const char* doing) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "bench_nats: %s: %s\n", doing, natsStatus_GetText(status));
  std::exit(1);
}

struct Failures {
  size_t count = 0;
};
void CountFailure(jsCtx*, jsPubAckErr*, void* of) { ++static_cast<Failures*>(of)->count; }

// The yardstick: js_PublishMsgAsync with the same ids, as fast as the library takes them, until
// every answer has come.
double BareLoop(const NatsServer& server, const Load& load, const Options& options) {
  natsConnection* connection = nullptr;
  Check(natsConnection_ConnectTo(&connection, server.url().c_str()), "connect");
  Failures failures;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.PublishAsync.MaxPending = options.window;
  js_options.PublishAsync.StallWait = 10'000;
  js_options.PublishAsync.ErrHandler = CountFailure;
  js_options.PublishAsync.ErrHandlerClosure = &failures;
  jsCtx* js = nullptr;
  Check(natsConnection_JetStream(&js, connection, &js_options), "JetStream");
  const auto start = std::chrono::steady_clock::now();
  for (const Message& message : load.messages) {
    natsMsg* made = nullptr;
    Check(natsMsg_Create(&made, "bare.events", nullptr, message.body.data(),
                         static_cast<int>(message.body.size())),
          "make a message");
    Check(natsMsgHeader_Set(made, "Nats-Msg-Id", message.event->id.Hex().c_str()), "its id");
    Check(natsMsgHeader_Set(made, "Content-Type", "application/cloudevents+json; charset=UTF-8"),
          "its type");
    natsStatus status = js_PublishMsgAsync(js, &made, nullptr);
    Check(status, "publish");
    natsMsg_Destroy(made);
  }
  Check(js_PublishAsyncComplete(js, nullptr), "wait for the answers");
  const double seconds = Since(start);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  if (failures.count > 0) Check(NATS_ERR, "publishes were refused");
  return seconds;
}

double ThroughSink(const NatsServer& server, const Load& load, const Options& options) {
  NatsSettings nats;
  nats.url = server.url();
  nats.subject = "sink.events";
  nats.window = options.window;
  SinkSettings settings;
  settings.target = "bench";
  settings.of = nats;
  const std::unique_ptr<Sink> sink = MakeSink(settings).value();
  return DeliverAll(*sink, load, options.batch, options.bytes);
}

int Main(const Options& options) {
  const std::unique_ptr<NatsServer> server = NatsServer::Start();
  if (!server) return 1;
  const Load load = MakeLoad(options.events);
  const double events = static_cast<double>(options.events);
  std::printf("nats: %zu events of %.0f bytes rendered, attempts of %zu or %zu bytes, window %d\n",
              options.events, load.body_bytes(), options.batch, options.bytes, options.window);
  std::printf("%-8s %12s %12s %8s\n", "round", "bare ev/s", "sink ev/s", "of bare");
  std::vector<double> bare;
  std::vector<double> ours;
  for (int round = 1; round <= options.rounds; ++round) {
    if (!server->AddStream("BARE", {"bare.>"}) || !server->AddStream("SINK", {"sink.>"})) return 1;
    bare.push_back(events / BareLoop(*server, load, options));
    ours.push_back(events / ThroughSink(*server, load, options));
    if (server->Count("SINK") != static_cast<int64_t>(options.events)) {
      std::fprintf(stderr, "bench_nats: the stream does not hold what was delivered\n");
      return 1;
    }
    if (!server->DeleteStream("BARE") || !server->DeleteStream("SINK")) return 1;
    std::printf("%-8d %12.0f %12.0f %8.3f\n", round, bare.back(), ours.back(),
                ours.back() / bare.back());
  }
  std::printf("%-8s %12.0f %12.0f %8.3f\n", "median:", Median(bare), Median(ours),
              Median(ours) / Median(bare));
  return 0;
}

}  // namespace
}  // namespace spool::bench

int main(int count, char** arguments) {
  spool::bench::Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const char* value = arguments[i + 1];
    if (name == "--events") options.events = std::strtoull(value, nullptr, 10);
    if (name == "--rounds") options.rounds = std::atoi(value);
    if (name == "--batch") options.batch = std::strtoull(value, nullptr, 10);
    if (name == "--bytes") options.bytes = std::strtoull(value, nullptr, 10);
    if (name == "--window") options.window = std::atoi(value);
  }
  return spool::bench::Main(options);
}
