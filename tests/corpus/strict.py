"""Reads every file of a folder as a message, as strictly as Python can, and prints what is wrong."""

import email
import email.policy
import pathlib
import sys

wrong = []
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    def say(fault):
        wrong.append(f"{path.name}: {fault}")

    try:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.strict)
        for part in message.walk():
            for fault in part.defects:
                say(fault)
            for name, value in part.items():
                for fault in value.defects:
                    say(f"{name}: {fault!r}")
        for name in ["From", "Date", "Message-ID", "Subject", "MIME-Version", "Content-Type"]:
            if len(message.get_all(name, [])) != 1:
                say(f"{name} is there {len(message.get_all(name, []))} times")
        if message["Date"] is not None and message["Date"].datetime is None:
            say("no date")
        authors = [one for one in message["From"].addresses if one.username and one.domain]
        if not authors or len(authors) > 1 and message["Sender"] is None:
            say("From and Sender do not tell who sent it")
        if message.get_body(("plain",)) is None or message.get_body(("html",)) is None:
            say("no text")
    except Exception as error:
        say(f"{type(error).__name__}: {error}")
print("\n".join(wrong))
sys.exit(bool(wrong))
