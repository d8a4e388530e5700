# Mails. The lines are kept short: text mails show them as they stand here.

## In every mail
mail-greeting = Goedendag,
mail-and = { $others } en { $last }
mail-on-behalf = { $sender } namens { $author }
mail-until = Beschikbaar tot en met { $date }
mail-password = Wachtwoord
mail-reference = Kenmerk
mail-sent = Verzonden
mail-original-subject = Onderwerp
mail-recipients =
    { $count ->
        [one] { $recipient } en 1 andere ontvanger
       *[other] { $recipient } en { $count } andere ontvangers
    }
mail-more = Meer informatie
mail-automatic = Deze boodschap is automatisch gegenereerd.

## To the recipient: confidential data are ready
notification-subject = Vertrouwelijk bericht van { $organisation }
notification-extended-subject = Nieuwe einddatum: vertrouwelijk bericht van { $organisation }
notification-heading = Vertrouwelijke gegevens voor u
notification-intro = { $sender } van { $organisation }
    heeft vertrouwelijke gegevens voor u klaargezet.
notification-extended = De einddatum is gewijzigd: u kunt de gegevens nu ophalen
    tot en met { $date }. De link en het wachtwoord zijn hetzelfde gebleven.
notification-encrypted = De overdracht is versleuteld. Daarom staan de gegevens niet
    in deze e-mail, maar achter een beveiligde link.
notification-deleted = U kunt de gegevens downloaden tot en met { $date }.
    Daarna worden ze automatisch verwijderd.
notification-download = Download bestanden
notification-ask = Neem contact op met de verzender.
notification-open = U hebt geen wachtwoord nodig.
notification-reply = Antwoord
notification-reply-hint = Wilt u antwoorden? Dat kan hier veilig, zonder account:
notification-from = Verzender
notification-name = Naam Verzender
notification-organisation = Organisatie
notification-department = Afdeling
notification-phone = Telefoon
notification-email = E-Mail
notification-details = Overdracht Details
notification-to = Aan
notification-link = Downloadlink
notification-doubt = Twijfelt u of deze e-mail echt is? Bel { $organisation } en noem het kenmerk:

## To the sender: the message was sealed
receipt-subject = Verzonden: uw vertrouwelijke bericht aan { $recipients } ({ $time })
receipt-heading = Uw bericht is beveiligd verzonden
receipt-intro = De ontvangers krijgen een e-mail met een link naar uw bericht.
    Uw bericht zelf is versleuteld opgeslagen.
receipt-telephone = Geef het wachtwoord telefonisch door aan de ontvangers.
    Stuur het niet per e-mail.
receipt-once = Het wachtwoord staat alleen in deze e-mail.
    Bewaar deze e-mail zolang u het wachtwoord nodig hebt.
receipt-open = De ontvangers hebben geen wachtwoord nodig: de link is genoeg.
receipt-chosen = De ontvangers hebben het wachtwoord nodig dat u zelf hebt gekozen.
receipt-too-weak = Uw eigen wachtwoord is te makkelijk te raden.
    Daarom hebben wij een ander wachtwoord gemaakt.
receipt-password-needed = U wilde geen wachtwoord. Dat mag niet voor dit bericht.
receipt-reading = In het onderwerp staat "{ $written }". Wij hebben dat gelezen als { $tag }.
    Daarom is uw bericht beveiligd.
receipt-ignored = Dit deel van het onderwerp hebben wij niet gebruikt: { $options }
receipt-recipients = Ontvangers
receipt-deleted = Daarna wordt uw bericht automatisch verwijderd.
receipt-sealed = beveiligd, achter een link
receipt-passed = gewone e-mail, niet beveiligd
receipt-passed-by = gewone e-mail, niet beveiligd (regel { $rule })
receipt-mixed = Let op: niet voor alle ontvangers is het bericht beveiligd.
receipt-status-hint = Volg uw bericht, trek het in of stuur de link opnieuw.
    Houd deze link voor uzelf.
receipt-status = Bericht volgen

## To a recipient who has not opened it yet
reminder-subject = Herinnering: vertrouwelijk bericht van { $organisation }
reminder-heading = Er staan nog gegevens voor u klaar
reminder-intro = { $sender } van { $organisation }
    heeft op { $date } vertrouwelijke gegevens voor u klaargezet.
reminder-unopened = U hebt deze gegevens nog niet geopend.

## To the sender: a mail did not arrive
failure-subject = Niet bezorgd bij { $recipients }: uw bericht van { $time }
failure-heading = Uw bericht is niet aangekomen
failure-intro = Uw bericht van { $date } is niet aangekomen bij:
failure-intro-link = De e-mail met de link naar uw vertrouwelijke bericht,
    van { $date }, is niet aangekomen bij:
failure-intro-reminder = Een herinnering aan uw vertrouwelijke bericht,
    van { $date }, is niet aangekomen bij:
failure-technical = Technische melding
failure-link-closed = Deze ontvangers hebben de link niet gekregen.
    Was de link nog niet geopend? Dan is hij nu gesloten.
failure-link-open = De link in de eerste e-mail werkt nog.
failure-advice = Wat kunt u doen?
failure-address = Kijk of het adres klopt. Stuur het bericht daarna opnieuw.
failure-helpdesk = Klopt het adres? Stuur deze mail dan door naar uw helpdesk.

## To the sender, two days before the end: who has not opened it
unopened-subject = Nog niet geopend door { $recipients }: uw bericht van { $time }
unopened-heading = Uw bericht is nog niet geopend
unopened-intro = Uw vertrouwelijke bericht van { $date }
    is nog niet geopend door:
unopened-advice = Wij hebben deze ontvangers een herinnering gestuurd.
    U kunt ze ook bellen, of het bericht langer beschikbaar maken.

## To the sender: a part of it was lost
lost-subject = Niet meer te lezen door { $recipients }: uw bericht van { $time }
lost-heading = Een deel van uw bericht is verloren gegaan
lost-intro = Van uw vertrouwelijke bericht van { $date }
    is een deel verloren gegaan door een storing bij ons.
lost-recipient = { $recipient } wilde het lezen, maar dat kon niet meer.
lost-advice = Stuur het bericht opnieuw als de ontvangers het nog nodig hebben.
    Onze beheerder is gewaarschuwd.

## To the sender: somebody has downloaded it
download-subject = Gedownload: uw bericht aan { $recipients } van { $time }
download-heading = Uw bericht is gedownload
download-intro = Met de link van { $recipient } is van uw vertrouwelijke bericht gedownload:
download-files = { $count ->
        [one] { $files } van { $count } bestand
       *[other] { $files } van { $count } bestanden
    }
download-message = het bericht zelf
download-time = De laatste keer was op { $time }.
download-once = U krijgt hierover per ontvanger hooguit één e-mail per uur.

## To staff: the answer of a recipient
reply-heading = Beveiligd antwoord
reply-subject = Beveiligd antwoord
reply-banner = Dit antwoord is beveiligd binnengekomen bij { $organisation }.
    Het e-mailadres { $address } is gecontroleerd met een code.
reply-invited = Let op: de link was gemaakt voor { $address }, niet voor dit adres.
reply-claimed = De afzender noemt zich: { $name }. Die naam is niet gecontroleerd.
reply-claimed-name = Opgegeven naam (niet gecontroleerd)
reply-empty = (Alleen bestanden, zonder bericht.)
reply-sealed = Antwoordt u op deze mail? Dan wordt uw antwoord ook beveiligd verzonden.
reply-link = Deze bestanden zijn te groot voor een e-mail. U kunt ze openen
    met deze link, zonder wachtwoord, tot en met { $date }:

## To staff: the answer of a recipient is behind a link
reply-notice-subject = Beveiligd antwoord van { $name }
reply-notice-heading = Beveiligd antwoord
reply-notice-intro = { $name } heeft u een beveiligd antwoord gestuurd.
reply-notice-open = Antwoord openen
reply-notice-ask = { $name } heeft het wachtwoord. Vraag ernaar, liefst telefonisch.

## To who has answered: it was sent
confirmation-subject = Uw antwoord is verzonden
confirmation-heading = Uw antwoord is verzonden
confirmation-intro = Uw antwoord aan { $organisation } is ontvangen en doorgestuurd.
confirmation-time = Datum en tijd
confirmation-recipients = Ontvangers
confirmation-sent = Verzonden
confirmation-hashes = Met het controlegetal (SHA-256) kunt u later aantonen
    wat u hebt verzonden.
confirmation-numbers = Controlegetallen (SHA-256)
confirmation-message = Uw bericht
confirmation-file = Bestand { $number }
confirmation-copy = De tekst van uw bericht is vertrouwelijk en staat daarom niet in deze mail.
    U ziet de tekst op de pagina na het verzenden. Daar kunt u hem ook afdrukken.

## To who wants to answer: a code
verification-subject = Uw code om veilig te antwoorden
verification-heading = Uw code
verification-intro = U wilt { $organisation } een beveiligd antwoord sturen.
    Met deze code laat u zien dat dit e-mailadres van u is.
verification-copy = Kopieer de code.
verification-back = Ga terug naar de pagina waar u de code hebt gevraagd.
verification-paste = Plak de code en kies "Verifiëren".
verification-life = De code werkt 10 minuten, en één keer.
verification-doubt = Hebt u niet om een code gevraagd? Dan hoeft u niets te doen.

## To the postmaster: a mail that has no sender to tell could not be delivered
undelivered-subject = Niet bezorgd: e-mail { $item }
undelivered-intro = Een e-mail kon niet worden bezorgd. Er is geen afzender die dat kan horen.
    Daarom krijgt u dit bericht.
undelivered-item = Nummer in de wachtrij
undelivered-kind = Soort
undelivered-arrived = Aangenomen
undelivered-server = Mailserver
undelivered-recipient = Ontvanger
undelivered-reason = Reden
undelivered-kept = De e-mail is bewaard. Bekijk hem, neem de oorzaak weg en verstuur hem opnieuw,
    of verwijder hem:
undelivered-gone = De e-mail is niet bewaard.
