// Exports the log records of a file with the JavaScript OpenTelemetry SDK, in JSON or protobuf.
// Called: export_logs.mjs URL json|protobuf none|gzip FILE, with the SDK in NODE_PATH. What the SDK
// says goes to stderr. Ends with 1 if the exporter gave up a batch.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { DiagLogLevel, diag } = require("@opentelemetry/api");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { defaultResource, resourceFromAttributes } = require("@opentelemetry/resources");

const [url, encoding, compression, file] = process.argv.slice(2);
const { OTLPLogExporter } = require(
  encoding === "json" ? "@opentelemetry/exporter-logs-otlp-http" : "@opentelemetry/exporter-logs-otlp-proto",
);

const say = (...words) => console.error(...words);
diag.setLogger({ error: say, warn: say, info: say, debug: say, verbose: say }, DiagLogLevel.ALL);

class Exporter extends OTLPLogExporter {
  export(records, done) {
    super.export(records, (result) => {
      if (result.code !== 0) process.exitCode = 1;
      done(result);
    });
  }
}

function nanoseconds(text) {
  return [Number(text.slice(0, -9)), Number(text.slice(-9))];
}

for (const { resource, records } of JSON.parse(readFileSync(file, "utf8"))) {
  const exporter = new Exporter({ url, compression, timeoutMillis: 60_000 });
  const instance = { "service.instance.id": `javascript-${encoding}-${compression}` };
  const provider = new LoggerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ ...instance, ...resource })),
    processors: [new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 100, exportTimeoutMillis: 60_000 })],
  });
  const logger = provider.getLogger("spool.tests", "1.0");
  for (const { time, severityNumber, severityText, body, attributes, eventName } of records) {
    logger.emit({ timestamp: nanoseconds(time), severityNumber, severityText, body, attributes, eventName });
  }
  await provider.forceFlush();
  await provider.shutdown();
}
