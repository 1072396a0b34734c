// Posts the CloudEvents of a file with the JavaScript SDK; prints what each request was answered.
// Called: post_cloudevents.mjs URL structured|binary|batch SOURCE FILE, with the SDK in NODE_PATH.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { CloudEvent, HTTP, Mode, emitterFor, httpTransport } = require("cloudevents");

const [url, mode, source, file] = process.argv.slice(2);

// In binary mode the SDK leaves to its caller what HTTP's headers cannot carry; what they can, up
// to U+00FF and percent signs, goes as it is.
function headerText(value) {
  return mode === "binary" && /[^\x20-\xff]/.test(value) ? encodeURIComponent(value) : value;
}

function eventOf(entry) {
  const attributes = Object.fromEntries(
    Object.entries(entry.attributes).map(([name, value]) => [name, headerText(value)]),
  );
  const data = "base64" in entry ? new Uint8Array(Buffer.from(entry.base64, "base64")) : entry.data ?? entry.text;
  return new CloudEvent({ source, ...attributes, data });
}

const events = JSON.parse(readFileSync(file, "utf8")).map(eventOf);
const transport = httpTransport(url);
const answers = [];
if (mode === "batch") {
  // Which the SDK has not: its events between brackets.
  const bodies = events.map((event) => HTTP.structured(event).body);
  const headers = { "Content-Type": "application/cloudevents-batch+json" };
  answers.push(await transport({ headers, body: `[${bodies.join(",")}]` }));
} else {
  const emit = emitterFor(transport, { mode: mode === "binary" ? Mode.BINARY : Mode.STRUCTURED });
  for (const event of events) answers.push(await emit(event));
}
for (const answer of answers) console.log(answer.body.trim());
