# What senders see of a transfer after it was sent, and the mails that belong to it.

## Mail to a recipient: it was taken back
recall-subject = In berjocht fan { $organisation } is ynlutsen
recall-heading = In berjocht oan jo is ynlutsen
recall-intro = { $sender } fan { $organisation }
    hat jo op { $date } in fertroulik berjocht stjoerd, en dat ynlutsen.
recall-closed = De keppeling yn de eardere e-mail wurket net mear.
    Jo hoege neat te dwaan.
recall-question = Hawwe jo fragen? Nim kontakt op mei de ferstjoerder:

## Mail to the sender: somebody came too late
ask-subject = { $recipients } freget om jo ferrûne berjocht fan { $time }
ask-heading = In ûntfanger freget om jo berjocht
ask-intro = { $recipient } wol jo fertroulike berjocht
    fan { $date } iepenje, mar kaam te let.
ask-expired = It berjocht is ferrûn op { $date }.
ask-renew-hint = Jo kinne it berjocht oant en mei { $date } wer beskikber meitsje.
ask-renew = Op 'e nij beskikber meitsje
ask-gone = It berjocht is ferneatige. Moat de ûntfanger it noch krije?
    Stjoer it dan noch in kear.
ask-doubt = Wolle jo dit net? Dan hoege jo neat te dwaan.

## Status page
status-title = Jo fertroulike berjocht folgje
status-intro = Hjir sjogge jo wat der mei jo berjocht bard is. Wa't de link fan dizze side hat, kin it berjocht ynlûke. Stjoer him dêrom net troch.
status-sent = Ferstjoerd
status-until = Beskikber oant en mei
status-password = Wachtwurd nedich
status-yes = Ja
status-no = Nee
status-files = Bestannen
status-recipients = Untfangers
status-state = Stân
status-history = Wat der bard is
status-unsent = E-mail mei de link: noch net oan ús mailserver jûn
status-notified = E-mail mei de link oan ús mailserver jûn
status-notified-first = Foar it earst: { $date }
status-notified-last = Foar it lêst: { $date }
status-never-sent = E-mail mei de link: net oan ús mailserver jûn
report-delivered = Besoarge, neffens de mailserver fan de ûntfanger
report-relayed = Trochjûn oan in mailserver dy't net meldt oft de e-mail besoarge is
report-expanded = Trochstjoerd nei elkenien op in list
report-delayed = Noch net besoarge, neffens in mailserver ûnderweis
report-failed = Net besoarge, neffens in mailserver. De link wie al iepene en bliuwt wurkjen
report-failed-before = In eardere e-mail mei de link is net besoarge
report-copy-failed = Der kaam in melding dat in trochstjoerde kopy net oankommen is
report-copy = Der kaam in melding oer in trochstjoerde kopy
status-bounced = E-mail net oankommen, de link is sletten
status-reason = Antwurd fan de mailserver
status-opened = Foar it earst iepene
status-opened-password = { $date }, mei it wachtwurd
status-opened-link = { $date }, mei allinnich de link. Wa’t dat wie, is net te sjen; it kin ek in programma wêze dat links kontrolearret.
status-unopened = Noch net iepene
status-read = Side mei it berjocht opfrege
status-file = Bestân { $number } fan { $total } download
status-message = Berjocht download
status-partly = { $what } (in part, of yn parten)
status-times = { $count ->
        [one] 1 kear
       *[other] { $count } kear, de lêste kear op { $date }
    }
status-recalled = Ynlutsen
status-locked = Sletten nei ferkearde wachtwurden, oant
status-actions = Wat jo dwaan kinne
status-over = Dit berjocht is ynlutsen. Jo kinne der neat mear mei dwaan.
status-recall-hint = Ferkeard stjoerd? Lûk it berjocht yn. De link wurket dan daliks net mear.
status-recall-hint-all = Ferkeard stjoerd? Lûk it berjocht yn. De links fan alle ûntfangers wurkje dan daliks net mear.
status-ended-title = Dit berjocht is ferrûn
status-ended = De eindatum wie { $date }. De keppelings fan de ûntfangers binne nei dy dei sletten, en dizze side ek.
status-ended-again = De ynhâld is ferneatige. Wolle jo it berjocht wer beskikber stelle? Stjoer it dan op ’e nij.
status-ended-record = Jo behearder kin mei dit skaaimerk noch opsykje wa’t it berjocht iepene hat en wat der delhelle is.
status-renewable = Oant en mei { $date } kinne jo it wer beskikber meitsje; dêrnei wurdt it ferneatige.
status-json = Dizze gegevens as JSON
status-back = Werom nei it oersjoch

state-waiting = Noch net iepene
state-locked = Op slot
state-opened = Iepene
state-opened-link = Link iepene
state-expired = Ferrûn
state-recalled = Ynlutsen
state-bounced = E-mail net oankommen

## Why an email did not arrive
cause-unknown-address = Dit e-mailadres bestiet net. Sjoch oft it goed skreaun is.
cause-unknown-domain = It part efter de @ bestiet net, of kriget gjin e-mail. Sjoch oft it goed skreaun is.
cause-disabled = De mailbox fan de ûntfanger nimt gjin e-mail oan.
cause-mailbox-full = De mailbox fan de ûntfanger is fol.
cause-too-large = De e-mail wie te grut foar de mailserver.
cause-refused = In mailserver wegere de e-mail.
cause-unreachable = De mailserver wie net te berikken.
cause-given-up = Der is hieltyd wer besocht de e-mail te besoargjen. Dat is net slagge.
cause-other = In mailserver melde in flater.

## What can be done, each with a page that asks first
action-recall = Ynlûke
action-recall-all = Foar elkenien ynlûke
action-extend = Eindatum feroarje
action-resend = E-mail op 'e nij stjoere
action-resend-all = E-mail op 'e nij stjoere oan elkenien
action-unlock = Wer iepenstelle
action-cancel = Nee, werom
action-for = foar { $recipient }

confirm-recall-title = Berjocht ynlûke
confirm-recall-one = Wolle jo it berjocht oan { $recipient } ynlûke? De link wurket dan daliks net mear.
confirm-recall-all = Wolle jo it berjocht foar alle ûntfangers ynlûke? De links wurkje dan daliks net mear, en it berjocht wurdt ferneatige.
confirm-recall-who = Wa hat it iepene?
confirm-recall-count = { $count ->
        [0] Noch net ien hat it berjocht iepene.
        [one] 1 fan de { $total } ûntfangers hat it berjocht iepene.
       *[other] { $count } fan de { $total } ûntfangers hawwe it berjocht iepene.
    }
confirm-recall-now = Stân fan { $date }.
confirm-recall-recipient = Untfanger
confirm-recall-opened = Iepene
confirm-recall-files = { $number } fan { $total } bestannen
confirm-recall-final = Dit kinne jo net weromdraaie
confirm-recall-closed = De link is dan daliks sletten, ek foar wa't it berjocht no op it skerm hat.
confirm-recall-read = Wat al lêzen of download is, komt net werom.
confirm-recall-mail = De e-mail mei de link bliuwt yn de mailbox fan de ûntfanger.
confirm-recall-proof = Jo krije in bewiis te sjen, dat jo ôfdrukke kinne.
confirm-recall-tell = Stjoer de ûntfangers in e-mail dat it berjocht ynlutsen is
confirm-recall-yes = Ja, ynlûke
confirm-extend-title = Eindatum feroarje
confirm-extend-text = No is it berjocht beskikber oant en mei { $date }.
confirm-extend-renew = It berjocht is ferrûn op { $date }. Mei in nije eindatum wurkje de links wer.
confirm-extend-until = Nije eindatum
confirm-extend-hint = Fan { $first } oant en mei { $last }.
confirm-extend-tell = Stjoer de ûntfangers in e-mail mei de nije eindatum
confirm-extend-yes = Eindatum feroarje
confirm-resend-title = E-mail op 'e nij stjoere
confirm-resend-one = { $recipient } kriget op 'e nij in e-mail mei deselde link. It wachtwurd bliuwt itselde.
confirm-resend-all = Elkenien dy't it berjocht noch iepenje kin, kriget op 'e nij in e-mail mei deselde link. It wachtwurd bliuwt itselde.
confirm-resend-yes = Op 'e nij stjoere
confirm-unlock-title = Link wer iepenstelle
confirm-unlock-text = De link fan { $recipient } is sletten, om't der te faak in ferkeard wachtwurd ynfolle is. Witte jo wis dat it de ûntfanger sels wie? Stel de link dan wer iepen en jou it wachtwurd nochris troch oer de telefoan.
confirm-unlock-yes = Link iepenstelle

done-extend = De eindatum is feroare.
done-extend-told = De eindatum is feroare. De ûntfangers krije dêroer in e-mail, útsein as der yn de lêste tsien minuten al ien gie.
done-resend = De e-mail stiet op 'e nij klear om te ferstjoeren.
done-unlock = De link stiet wer iepen.
problem-closed = Dit kin net mear: it berjocht is ferrûn of ynlutsen.
problem-until = Kies in dei fan { $first } oant en mei { $last }
problem-before = Dizze e-mail is krekt al ferstjoerd. Oer tsien minuten kin it op 'e nij.

## Proof of a recall
proof-title = Bewiis fan ynlûken
proof-intro = Dit stiet fêst oer it ynlûken fan dit fertroulike berjocht. Jo kinne dizze side ôfdrukke foar jo dossier.
proof-written = Opmakke
proof-sender = Ferstjoerder
proof-when = Ynlutsen op
proof-by = Ynlutsen troch
proof-opened = Iepene foar't it ynlutsen waard
proof-never = Nee, nea iepene
proof-first = Ja, foar it earst op { $date }
proof-first-password = Ja, foar it earst op { $date }, mei it wachtwurd
proof-first-link = Ja, foar it earst op { $date }, mei allinnich de link. Wa’t dat wie, is net te sjen; it kin ek in programma wêze dat links kontrolearret.
proof-read = Side mei it berjocht opfrege
proof-fetched = Download
proof-nothing = Neat
proof-file = Bestân { $number } fan { $total }
proof-message = Berjocht
proof-not-recalled = Net ynlutsen foar
proof-trail = Wat fêstlein is
proof-time = Tiid ({ $zone })
proof-what = Barren
proof-about = Fan wa of wat
proof-result = Utkomst
proof-who = Troch
proof-origin = Fan ôf
proof-json = Dit bewiis as JSON

trail-seal = Befeilige
trail-notify = E-mail klearset
trail-open = Tagong frege
trail-lock = Sletten nei ferkearde wachtwurden
trail-download = Download
trail-read = Side mei it berjocht opfrege
trail-finish = Besite ôfsletten
trail-recall = Ynlutsen
trail-expire = Ferrûn en ferneatige
trail-extend = Eindatum feroare
trail-remind = Oantinken klearset
trail-resend = E-mail op 'e nij klearset
trail-unlock = Wer iepensteld
trail-ask = Untfanger frege derom
trail-bounce = E-mail net oankommen
trail-report = Melding fan in mailserver
trail-reply = Antwurd ferstjoerd
trail-scan = Bestân by in antwurd wegere
trail-code = Koade foar in antwurd
actor-recipient = immen mei de link
actor-admin = behearder
actor-zegel = fansels
origin-local = dizze server
result-ok = Slagge
result-opened = Slagge, wie al iepene
result-unopened = Slagge, wie nea iepene
result-until = Oant { $date }
result-wrong-password = Ferkeard wachtwurd
result-closed = Keppeling sletten
result-failed = Net besoarge
result-delayed = Noch net besoarge
result-delivered = Besoarge
result-relayed = Trochjûn
result-expanded = Nei in list
result-copy = Oer in trochstjoerde kopy
result-download = Oan de ferstjoerder, oer in download
result-not-opened = Oan de ferstjoerder: noch net iepene
result-recall = Oer it ynlûken
result-sent = Ferstjoerd
result-too-many = Te folle
result-too-large = Te grut om te kontrolearjen
result-other-type = In oar soarte bestân as de namme seit
result-verified = Kloppet
result-wrong = Kloppet net
result-expired = Ferrûn

## An expired link offers to ask the sender
ask-offer = Hawwe jo de gegevens noch nedich? Wy kinne de ferstjoerder in e-mail stjoere dat jo derom freegje.
ask-button = Freegje it de ferstjoerder
asked-title = De ferstjoerder kriget in e-mail
asked-text = Wy hawwe de ferstjoerder witte litten dat jo om dit berjocht freegje. De ferstjoerder beslist oft jo it noch krije. Komt it wer beskikber, dan hearre jo dat fan de ferstjoerder.
asked-before = Jo hawwe hjoed al om dit berjocht frege. De ferstjoerder hat dêr in e-mail oer krigen.
