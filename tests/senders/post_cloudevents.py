"""Posts the CloudEvents of a file with the Python SDK; prints what each request was answered.

Called: post_cloudevents.py URL structured|binary|batch SOURCE FILE
"""

import base64
import json
import sys

import requests
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse


def event_of(entry, source):
    attributes = {"source": source, **entry["attributes"]}
    attributes["time"] = isoparse(attributes["time"])
    data = entry.get("data", entry.get("text"))
    if "base64" in entry:
        data = base64.b64decode(entry["base64"])
    return CloudEvent(attributes, data)


def messages_of(events, mode):
    """What goes over the wire: of each event what the SDK makes of it."""
    if mode == "batch":  # which the SDK has not: its events between brackets
        bodies = [http.to_structured_event(event).body for event in events]
        return [({"Content-Type": "application/cloudevents-batch+json"}, b"[" + b",".join(bodies) + b"]")]
    make = {"structured": http.to_structured_event, "binary": http.to_binary_event}[mode]
    return [(message.headers, message.body) for message in map(make, events)]


def main():
    url, mode, source, file = sys.argv[1:]
    with open(file, encoding="utf-8") as entries:
        events = [event_of(entry, source) for entry in json.load(entries)]
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor a .netrc
    for headers, body in messages_of(events, mode):
        answer = session.post(url, data=body, headers=headers, timeout=30)
        print(answer.text.strip(), flush=True)
        answer.raise_for_status()


main()
