"""Exports the log records of a file with the Python OpenTelemetry SDK, in protobuf.

Called: export_logs.py URL none|gzip FILE. What the SDK says goes to stderr. Ends with 1 if the
exporter gave up a batch.
"""

import json
import logging
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from requests import Session

given_up = []


class Exporter(OTLPLogExporter):
    def export(self, batch):
        result = super().export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            given_up.append(len(batch))
        return result


def record_of(entry):
    return LogRecord(
        timestamp=int(entry["time"]),
        severity_number=SeverityNumber(entry["severityNumber"]),
        severity_text=entry.get("severityText"),
        body=entry["body"],
        attributes=entry.get("attributes"),
        event_name=entry.get("eventName"),
    )


def main():
    url, compression, file = sys.argv[1:]
    logging.basicConfig(level=logging.DEBUG)
    with open(file, encoding="utf-8") as groups:
        groups = json.load(groups)
    for group in groups:
        session = Session()
        session.trust_env = False  # neither a proxy nor a .netrc
        exporter = Exporter(url, timeout=60, compression=Compression(compression), session=session)
        resource = {"service.instance.id": f"python-{compression}", **group["resource"]}
        provider = LoggerProvider(Resource.create(resource))
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=100))
        logger = provider.get_logger("spool.tests", "1.0")
        for entry in group["records"]:
            logger.emit(record_of(entry))
        provider.force_flush(60_000)
        provider.shutdown()
    sys.exit(1 if given_up else 0)


main()
