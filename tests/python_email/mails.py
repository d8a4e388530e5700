"""Mails as Python's email package writes them and as it reads them: each line of the output is a mail and the files that
Python finds in it, all in base64."""

import base64
import binascii
import email
import email.policy
import json
import random
from email.message import EmailMessage

NAMES = [
    "besluit.pdf",
    "Besluit op aanvraag omgevingsvergunning Hegewei 12 te Kollum, versie 3 (definitief).pdf",
    "Één naam met blanks en €.docx",
    "заявление.xlsx",
    "a'b%20c.txt",
    "lange " + "naam " * 40 + ".csv",
    "punt. komma, en;teken=is.png",
]
TYPES = {"pdf": ("application", "pdf"), "csv": ("text", "csv"), "png": ("image", "png"), "txt": ("text", "plain")}


def data(dice):
    kind = dice.randrange(3)
    length = dice.choice([0, 1, 2, 44, 45, 46, 57, 200, 5000])
    if kind == 0:
        return dice.randbytes(length)
    if kind == 1:
        return ("regel met é en  blanks  \r\n" * (length // 20)).encode("latin-1")
    return b"=" * length


def written(seed):
    """A mail that Python writes: text, HTML with a picture, and files in any order."""
    dice = random.Random(seed)
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = "Proef"
    mail.set_content("platte tekst\n")
    if dice.random() < 0.7:
        mail.add_alternative('<p>rijk <img src="cid:a@b"></p>', subtype="html")
        if dice.random() < 0.7:
            mail.get_payload()[-1].add_related(
                dice.randbytes(99), "image", "png", cid="<a@b>", filename="plaatje.png"
            )
    for name in dice.sample(NAMES, dice.randrange(1, 5)):
        maintype, subtype = TYPES.get(name.rsplit(".", 1)[1], ("application", "octet-stream"))
        cte = dice.choice(["base64", "quoted-printable"])
        mail.add_attachment(data(dice), maintype, subtype, cte=cte, filename=name)
    return mail.as_bytes()


def part(encoding, body, name="a.bin"):
    head = f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    mail = "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\ntekst\r\n--m\r\n"
    mail += head + f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    return mail.encode() + body + b"\r\n--m--\r\n"


def uuencoded(content, backtick):
    lines = [content[at : at + 45] for at in range(0, len(content), 45)]
    lines = [binascii.b2a_uu(line, backtick=backtick).rstrip(b"\n") for line in lines]
    return b"\r\n".join([b"begin 644 a.bin", *lines, b"`", b"end"])


def odd():
    """What programs make of the encodings, and strangers add."""
    content = bytes(range(256)) * 3
    whole = base64.encodebytes(content).replace(b"\n", b"\r\n")
    padded = base64.encodebytes(content[:325]).replace(b"\n", b"\r\n")
    for body in [
        whole,
        padded + b"\r\nGecontroleerd door een virusscanner\r\n",
        padded + padded,
        padded.rstrip(b"=\r\n"),
        b" " + padded.replace(b"\r\n", b" \r\n\t"),
        padded.replace(b"\r\n", b""),
        padded.replace(b"\r\n", b"\r\n!*-\r\n"),
        padded + b"====",
        b"aGVs=bG8=",
        b"aG=VsbG8=",
        b"=aGE=",
        b"",
    ]:
        yield part("base64", body)
        yield part("BASE64", body)
    for body in [b"a=3D=e9=E9=\r\nb=zz=4", b"=20=20=20\r\n=09\r\n", b"een=\r\n=\r\ntwee=", b"==", b"=3d=3D=3"]:
        yield part("quoted-printable", body)
    for length in [0, 1, 2, 3, 44, 45, 46, 768]:
        for encoding in ["x-uuencode", "uuencode", "x-uue", "uue"]:
            yield part(encoding, uuencoded(content[:length], length % 2 == 0))
    yield part("7bit", b"zoals het is\r\n")
    yield part("binary", bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b""))


def files(mail):
    """As Python reads them."""
    for part in email.message_from_bytes(mail, policy=email.policy.default).walk():
        name = part.get_filename()
        if name is not None and not part.is_multipart():
            # The parser of the old policy does not guess what bytes may have been a text.
            yield name, part.get_payload(decode=True)


def encoded(octets):
    return base64.b64encode(octets).decode()


for mail in [*map(written, range(60)), *odd()]:
    found = [[name, encoded(content)] for name, content in files(mail)]
    print(json.dumps({"mail": encoded(mail), "files": found}))
