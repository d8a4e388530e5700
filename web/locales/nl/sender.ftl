# What senders see of a transfer after it was sent, and the mails that belong to it.

## Mail to a recipient: it was taken back
recall-subject = Een bericht van { $organisation } is ingetrokken
recall-heading = Een bericht aan u is ingetrokken
recall-intro = { $sender } van { $organisation }
    heeft u op { $date } een vertrouwelijk bericht gestuurd, en dat ingetrokken.
recall-closed = De link in de eerdere e-mail werkt niet meer.
    U hoeft niets te doen.
recall-question = Hebt u vragen? Neem contact op met de verzender:

## Mail to the sender: somebody came too late
ask-subject = { $recipients } vraagt om uw verlopen bericht van { $time }
ask-heading = Een ontvanger vraagt om uw bericht
ask-intro = { $recipient } wil uw vertrouwelijke bericht
    van { $date } openen, maar kwam te laat.
ask-expired = Het bericht is verlopen op { $date }.
ask-renew-hint = U kunt het bericht tot en met { $date } weer beschikbaar maken.
ask-renew = Opnieuw beschikbaar maken
ask-gone = Het bericht is vernietigd. Moet de ontvanger het nog krijgen?
    Stuur het dan nog een keer.
ask-doubt = Wilt u dit niet? Dan hoeft u niets te doen.

## Status page
status-title = Uw vertrouwelijke bericht volgen
status-intro = Hier ziet u wat er met uw bericht is gebeurd. Wie de link van deze pagina heeft, kan het bericht intrekken. Stuur hem daarom niet door.
status-sent = Verzonden
status-until = Beschikbaar tot en met
status-password = Wachtwoord nodig
status-yes = Ja
status-no = Nee
status-files = Bestanden
status-recipients = Ontvangers
status-state = Stand
status-history = Wat er is gebeurd
status-unsent = E-mail met de link: nog niet aan onze mailserver gegeven
status-notified = E-mail met de link aan onze mailserver gegeven
status-notified-first = Voor het eerst: { $date }
status-notified-last = Voor het laatst: { $date }
status-never-sent = E-mail met de link: niet aan onze mailserver gegeven
report-delivered = Bezorgd, volgens de mailserver van de ontvanger
report-relayed = Doorgegeven aan een mailserver die niet meldt of de e-mail is bezorgd
report-expanded = Doorgestuurd naar iedereen op een lijst
report-delayed = Nog niet bezorgd, volgens een mailserver onderweg
report-failed = Niet bezorgd, volgens een mailserver. De link was al geopend en blijft werken
report-failed-before = Een eerdere e-mail met de link is niet bezorgd
report-copy-failed = Er kwam een melding dat een doorgestuurde kopie niet is aangekomen
report-copy = Er kwam een melding over een doorgestuurde kopie
status-bounced = E-mail niet aangekomen, de link is gesloten
status-reason = Antwoord van de mailserver
status-opened = Voor het eerst geopend
status-opened-password = { $date }, met het wachtwoord
status-opened-link = { $date }, met alleen de link. Wie dat was, is niet te zien; het kan ook een programma zijn dat links controleert.
status-unopened = Nog niet geopend
status-read = Pagina met het bericht opgevraagd
status-file = Bestand { $number } van { $total } gedownload
status-message = Bericht gedownload
status-partly = { $what } (een deel, of in delen)
status-times = { $count ->
        [one] 1 keer
       *[other] { $count } keer, de laatste keer op { $date }
    }
status-recalled = Ingetrokken
status-locked = Gesloten na verkeerde wachtwoorden, tot
status-actions = Wat u kunt doen
status-over = Dit bericht is ingetrokken. U kunt er niets meer mee doen.
status-recall-hint = Verkeerd gestuurd? Trek het bericht in. De link werkt dan meteen niet meer.
status-recall-hint-all = Verkeerd gestuurd? Trek het bericht in. De links van alle ontvangers werken dan meteen niet meer.
status-ended-title = Dit bericht is verlopen
status-ended = De einddatum was { $date }. De links van de ontvangers zijn na die dag gesloten, en deze pagina ook.
status-ended-again = De inhoud is vernietigd. Wilt u het bericht weer beschikbaar stellen? Verstuur het dan opnieuw.
status-ended-record = Uw beheerder kan met dit kenmerk nog opzoeken wie het bericht heeft geopend en wat er is gedownload.
status-renewable = Tot en met { $date } kunt u het weer beschikbaar maken; daarna wordt het vernietigd.
status-json = Deze gegevens als JSON
status-back = Terug naar het overzicht

state-waiting = Nog niet geopend
state-locked = Op slot
state-opened = Geopend
state-opened-link = Link geopend
state-expired = Verlopen
state-recalled = Ingetrokken
state-bounced = E-mail niet aangekomen

## Why an email did not arrive
cause-unknown-address = Dit e-mailadres bestaat niet. Kijk of het goed is geschreven.
cause-unknown-domain = Het deel achter de @ bestaat niet, of krijgt geen e-mail. Kijk of het goed is geschreven.
cause-disabled = De mailbox van de ontvanger neemt geen e-mail aan.
cause-mailbox-full = De mailbox van de ontvanger is vol.
cause-too-large = De e-mail was te groot voor de mailserver.
cause-refused = Een mailserver weigerde de e-mail.
cause-unreachable = De mailserver was niet te bereiken.
cause-given-up = Er is steeds opnieuw geprobeerd de e-mail te bezorgen. Dat is niet gelukt.
cause-other = Een mailserver meldde een fout.

## What can be done, each with a page that asks first
action-recall = Intrekken
action-recall-all = Voor iedereen intrekken
action-extend = Einddatum wijzigen
action-resend = E-mail opnieuw sturen
action-resend-all = E-mail opnieuw sturen aan iedereen
action-unlock = Weer openstellen
action-cancel = Nee, terug
action-for = voor { $recipient }

confirm-recall-title = Bericht intrekken
confirm-recall-one = Wilt u het bericht aan { $recipient } intrekken? De link werkt dan meteen niet meer.
confirm-recall-all = Wilt u het bericht voor alle ontvangers intrekken? De links werken dan meteen niet meer, en het bericht wordt vernietigd.
confirm-recall-who = Wie heeft het geopend?
confirm-recall-count = { $count ->
        [0] Nog niemand heeft het bericht geopend.
        [one] 1 van de { $total } ontvangers heeft het bericht geopend.
       *[other] { $count } van de { $total } ontvangers hebben het bericht geopend.
    }
confirm-recall-now = Stand van { $date }.
confirm-recall-recipient = Ontvanger
confirm-recall-opened = Geopend
confirm-recall-files = { $number } van { $total } bestanden
confirm-recall-final = Dit kunt u niet ongedaan maken
confirm-recall-closed = De link is dan meteen gesloten, ook voor wie het bericht nu op het scherm heeft.
confirm-recall-read = Wat al gelezen of gedownload is, komt niet terug.
confirm-recall-mail = De e-mail met de link blijft in de mailbox van de ontvanger.
confirm-recall-proof = U krijgt een bewijs te zien, dat u kunt afdrukken.
confirm-recall-tell = Stuur de ontvangers een e-mail dat het bericht is ingetrokken
confirm-recall-yes = Ja, intrekken
confirm-extend-title = Einddatum wijzigen
confirm-extend-text = Nu is het bericht beschikbaar tot en met { $date }.
confirm-extend-renew = Het bericht is verlopen op { $date }. Met een nieuwe einddatum werken de links weer.
confirm-extend-until = Nieuwe einddatum
confirm-extend-hint = Van { $first } tot en met { $last }.
confirm-extend-tell = Stuur de ontvangers een e-mail met de nieuwe einddatum
confirm-extend-yes = Einddatum wijzigen
confirm-resend-title = E-mail opnieuw sturen
confirm-resend-one = { $recipient } krijgt opnieuw een e-mail met dezelfde link. Het wachtwoord blijft hetzelfde.
confirm-resend-all = Iedereen die het bericht nog kan openen, krijgt opnieuw een e-mail met dezelfde link. Het wachtwoord blijft hetzelfde.
confirm-resend-yes = Opnieuw sturen
confirm-unlock-title = Link weer openstellen
confirm-unlock-text = De link van { $recipient } is gesloten, omdat te vaak een verkeerd wachtwoord is ingevuld. Weet u zeker dat het de ontvanger zelf was? Stel de link dan weer open en geef het wachtwoord nog eens door per telefoon.
confirm-unlock-yes = Link openstellen

done-extend = De einddatum is gewijzigd.
done-extend-told = De einddatum is gewijzigd. De ontvangers krijgen daarover een e-mail, tenzij er in de laatste tien minuten al een ging.
done-resend = De e-mail staat opnieuw klaar om te versturen.
done-unlock = De link staat weer open.
problem-closed = Dit kan niet meer: het bericht is verlopen of ingetrokken.
problem-until = Kies een dag van { $first } tot en met { $last }
problem-before = Deze e-mail is net al verzonden. Over tien minuten kan het opnieuw.

## Proof of a recall
proof-title = Bewijs van intrekking
proof-intro = Dit staat vast over het intrekken van dit vertrouwelijke bericht. U kunt deze pagina afdrukken voor uw dossier.
proof-written = Opgemaakt
proof-sender = Verzender
proof-when = Ingetrokken op
proof-by = Ingetrokken door
proof-opened = Geopend voordat het werd ingetrokken
proof-never = Nee, nooit geopend
proof-first = Ja, voor het eerst op { $date }
proof-first-password = Ja, voor het eerst op { $date }, met het wachtwoord
proof-first-link = Ja, voor het eerst op { $date }, met alleen de link. Wie dat was, is niet te zien; het kan ook een programma zijn dat links controleert.
proof-read = Pagina met het bericht opgevraagd
proof-fetched = Gedownload
proof-nothing = Niets
proof-file = Bestand { $number } van { $total }
proof-message = Bericht
proof-not-recalled = Niet ingetrokken voor
proof-trail = Wat is vastgelegd
proof-time = Tijd ({ $zone })
proof-what = Gebeurtenis
proof-about = Van wie of wat
proof-result = Uitkomst
proof-who = Door
proof-origin = Vanaf
proof-json = Dit bewijs als JSON

trail-seal = Beveiligd
trail-notify = E-mail klaargezet
trail-open = Toegang gevraagd
trail-lock = Gesloten na verkeerde wachtwoorden
trail-download = Gedownload
trail-read = Pagina met het bericht opgevraagd
trail-finish = Bezoek afgesloten
trail-recall = Ingetrokken
trail-expire = Verlopen en vernietigd
trail-extend = Einddatum gewijzigd
trail-remind = Herinnering klaargezet
trail-resend = E-mail opnieuw klaargezet
trail-unlock = Weer opengesteld
trail-ask = Ontvanger vroeg erom
trail-bounce = E-mail niet aangekomen
trail-report = Melding van een mailserver
trail-reply = Antwoord verstuurd
trail-scan = Bestand bij een antwoord geweigerd
trail-code = Code voor een antwoord
actor-recipient = iemand met de link
actor-admin = beheerder
actor-zegel = vanzelf
origin-local = deze server
result-ok = Gelukt
result-opened = Gelukt, was al geopend
result-unopened = Gelukt, was nooit geopend
result-until = Tot { $date }
result-wrong-password = Verkeerd wachtwoord
result-closed = Link gesloten
result-failed = Niet bezorgd
result-delayed = Nog niet bezorgd
result-delivered = Bezorgd
result-relayed = Doorgegeven
result-expanded = Naar een lijst
result-copy = Over een doorgestuurde kopie
result-download = Aan de verzender, over een download
result-not-opened = Aan de verzender: nog niet geopend
result-recall = Over de intrekking
result-sent = Verstuurd
result-too-many = Te veel
result-too-large = Te groot om te controleren
result-other-type = Ander soort bestand dan de naam zegt
result-verified = Klopt
result-wrong = Klopt niet
result-expired = Verlopen

## An expired link offers to ask the sender
ask-offer = Hebt u de gegevens nog nodig? Wij kunnen de verzender een e-mail sturen dat u erom vraagt.
ask-button = Vraag het de verzender
asked-title = De verzender krijgt een e-mail
asked-text = Wij hebben de verzender laten weten dat u om dit bericht vraagt. De verzender beslist of u het nog krijgt. Komt het weer beschikbaar, dan hoort u dat van de verzender.
asked-before = U hebt vandaag al om dit bericht gevraagd. De verzender heeft daar een e-mail over gekregen.
