# Mails. The lines are kept short: text mails show them as they stand here.

## In every mail
mail-greeting = Goeie dei,
mail-and = { $others } en { $last }
mail-on-behalf = { $sender } út namme fan { $author }
mail-until = Beskikber oant en mei { $date }
mail-password = Wachtwurd
mail-reference = Skaaimerk
mail-sent = Ferstjoerd
mail-original-subject = Underwerp
mail-recipients =
    { $count ->
        [one] { $recipient } en 1 oare ûntfanger
       *[other] { $recipient } en { $count } oare ûntfangers
    }
mail-more = Mear ynformaasje
mail-automatic = Dit berjocht is automatysk makke.

## To the recipient: confidential data are ready
notification-subject = Fertroulik berjocht fan { $organisation }
notification-extended-subject = Nije eindatum: fertroulik berjocht fan { $organisation }
notification-heading = Fertroulike gegevens foar jo
notification-intro = { $sender } fan { $organisation }
    hat fertroulike gegevens foar jo klearset.
notification-extended = De eindatum is feroare: jo kinne de gegevens no ophelje
    oant en mei { $date }. De keppeling en it wachtwurd binne itselde bleaun.
notification-encrypted = De oerdracht is fersifere. Dêrom steane de gegevens net
    yn dizze e-mail, mar efter in befeilige keppeling.
notification-deleted = Jo kinne de gegevens downloade oant en mei { $date }.
    Dêrnei wurde se automatysk wiske.
notification-download = Bestannen downloade
notification-ask = Nim kontakt op mei de ferstjoerder.
notification-open = Jo hawwe gjin wachtwurd nedich.
notification-reply = Antwurd
notification-reply-hint = Wolle jo antwurdzje? Dat kin hjir feilich, sûnder akkount:
notification-from = Ferstjoerder
notification-name = Namme ferstjoerder
notification-organisation = Organisaasje
notification-department = Ofdieling
notification-phone = Telefoan
notification-email = E-mail
notification-details = Details fan de oerdracht
notification-to = Oan
notification-link = Downloadkeppeling
notification-doubt = Twivelje jo oft dizze e-mail echt is? Belje { $organisation } en neam it skaaimerk:

## To the sender: the message was sealed
receipt-subject = Ferstjoerd: jo fertroulike berjocht oan { $recipients } ({ $time })
receipt-heading = Jo berjocht is befeilige ferstjoerd
receipt-intro = De ûntfangers krije in e-mail mei in keppeling nei jo berjocht.
    It berjocht sels is fersifere opslein.
receipt-telephone = Jou it wachtwurd oer de telefoan troch oan de ûntfangers.
    Stjoer it net per e-mail.
receipt-once = It wachtwurd stiet allinnich yn dizze e-mail.
    Bewarje dizze e-mail sa lang't jo it wachtwurd nedich hawwe.
receipt-open = De ûntfangers hawwe gjin wachtwurd nedich: de keppeling is genôch.
receipt-chosen = De ûntfangers hawwe it wachtwurd nedich dat jo sels keazen hawwe.
receipt-too-weak = Jo eigen wachtwurd is te maklik te rieden.
    Dêrom hawwe wy in oar wachtwurd makke.
receipt-password-needed = Jo woene gjin wachtwurd. Dat mei net foar dit berjocht.
receipt-reading = Yn it ûnderwerp stiet "{ $written }". Wy hawwe dat lêzen as { $tag }.
    Dêrom is jo berjocht befeilige.
receipt-ignored = Dit part fan it ûnderwerp hawwe wy net brûkt: { $options }
receipt-recipients = Untfangers
receipt-deleted = Dêrnei wurdt jo berjocht automatysk wiske.
receipt-sealed = befeilige, efter in keppeling
receipt-passed = gewoane e-mail, net befeilige
receipt-passed-by = gewoane e-mail, net befeilige (rigel { $rule })
receipt-mixed = Tink derom: net foar alle ûntfangers is it berjocht befeilige.
receipt-status-hint = Folgje jo berjocht, lûk it yn of stjoer de keppeling op 'e nij.
    Hâld dizze keppeling foar josels.
receipt-status = Berjocht folgje

## To a recipient who has not opened it yet
reminder-subject = Oantinken: fertroulik berjocht fan { $organisation }
reminder-heading = Der steane noch gegevens foar jo klear
reminder-intro = { $sender } fan { $organisation }
    hat op { $date } fertroulike gegevens foar jo klearset.
reminder-unopened = Jo hawwe dizze gegevens noch net iepene.

## To the sender: a mail did not arrive
failure-subject = Net besoarge by { $recipients }: jo berjocht fan { $time }
failure-heading = Jo berjocht is net oankommen
failure-intro = Jo berjocht fan { $date } is net oankommen by:
failure-intro-link = De e-mail mei de keppeling nei jo fertroulike berjocht,
    fan { $date }, is net oankommen by:
failure-intro-reminder = In oantinken oan jo fertroulike berjocht,
    fan { $date }, is net oankommen by:
failure-technical = Technyske melding
failure-link-closed = Dizze ûntfangers hawwe de keppeling net krigen.
    Wie de keppeling noch net iepene? Dan is er no sletten.
failure-link-open = De keppeling yn de earste e-mail wurket noch.
failure-advice = Wat kinne jo dwaan?
failure-address = Sjoch oft it adres kloppet. Stjoer it berjocht dêrnei op 'e nij.
failure-helpdesk = Kloppet it adres? Stjoer dizze mail dan troch nei jo helpdesk.

## To the sender, two days before the end: who has not opened it
unopened-subject = Noch net iepene troch { $recipients }: jo berjocht fan { $time }
unopened-heading = Jo berjocht is noch net iepene
unopened-intro = Jo fertroulike berjocht fan { $date }
    is noch net iepene troch:
unopened-advice = Wy hawwe dizze ûntfangers in oantinken stjoerd.
    Jo kinne se ek belje, of it berjocht langer beskikber meitsje.

## To the sender: a part of it was lost
lost-subject = Net mear te lêzen troch { $recipients }: jo berjocht fan { $time }
lost-heading = In part fan jo berjocht is ferlern gien
lost-intro = Fan jo fertroulike berjocht fan { $date }
    is in part ferlern gien troch in steuring by ús.
lost-recipient = { $recipient } woe it lêze, mar dat koe net mear.
lost-advice = Stjoer it berjocht op 'e nij as de ûntfangers it noch nedich hawwe.
    Us behearder is warskôge.

## To the sender: somebody has downloaded it
download-subject = Delhelle: jo berjocht oan { $recipients } fan { $time }
download-heading = Jo berjocht is delhelle
download-intro = Mei de link fan { $recipient } is fan jo fertroulike berjocht delhelle:
download-files = { $count ->
        [one] { $files } fan { $count } bestân
       *[other] { $files } fan { $count } bestannen
    }
download-message = it berjocht sels
download-time = De lêste kear wie op { $time }.
download-once = Jo krije hjiroer de ûntfanger op syn heechst ien e-mail yn 'e oere.

## To staff: the answer of a recipient
reply-heading = Befeilige antwurd
reply-subject = Befeilige antwurd
reply-banner = Dit antwurd is befeilige binnenkommen by { $organisation }.
    It e-mailadres { $address } is kontrolearre mei in koade.
reply-invited = Tink derom: de keppeling wie makke foar { $address }, net foar dit adres.
reply-claimed = De ôfstjoerder neamt himsels: { $name }. Dy namme is net kontrolearre.
reply-claimed-name = Opjûne namme (net kontrolearre)
reply-empty = (Allinnich bestannen, sûnder berjocht.)
reply-sealed = Antwurdzje jo op dizze mail? Dan wurdt jo antwurd ek befeilige ferstjoerd.
reply-link = Dizze bestannen binne te grut foar in e-mail. Jo kinne se iepenje
    mei dizze keppeling, sûnder wachtwurd, oant en mei { $date }:

## To staff: the answer of a recipient is behind a link
reply-notice-subject = Befeilige antwurd fan { $name }
reply-notice-heading = Befeilige antwurd
reply-notice-intro = { $name } hat jo in befeilige antwurd stjoerd.
reply-notice-open = Antwurd iepenje
reply-notice-ask = { $name } hat it wachtwurd. Freegje dernei, it leafst oer de telefoan.

## To who has answered: it was sent
confirmation-subject = Jo antwurd is ferstjoerd
confirmation-heading = Jo antwurd is ferstjoerd
confirmation-intro = Jo antwurd oan { $organisation } is ûntfongen en trochstjoerd.
confirmation-time = Datum en tiid
confirmation-recipients = Untfangers
confirmation-sent = Ferstjoerd
confirmation-hashes = Mei it kontrôlegetal (SHA-256) kinne jo letter oantoane
    wat jo ferstjoerd hawwe.
confirmation-numbers = Kontrôlegetallen (SHA-256)
confirmation-message = Jo berjocht
confirmation-file = Bestân { $number }
confirmation-copy = De tekst fan jo berjocht is fertroulik en stiet dêrom net yn dizze mail.
    Jo sjogge de tekst op de side nei it ferstjoeren. Dêr kinne jo him ek ôfdrukke.

## To who wants to answer: a code
verification-subject = Jo koade om feilich te antwurdzjen
verification-heading = Jo koade
verification-intro = Jo wolle { $organisation } in befeilige antwurd stjoere.
    Mei dizze koade litte jo sjen dat dit e-mailadres fan jo is.
verification-copy = Kopiearje de koade.
verification-back = Gean werom nei de side dêr't jo de koade frege hawwe.
verification-paste = Plak de koade en kies "Ferifiearje".
verification-life = De koade wurket 10 minuten, en ien kear.
verification-doubt = Hawwe jo net om in koade frege? Dan hoege jo neat te dwaan.

## To the postmaster: a mail that has no sender to tell could not be delivered
undelivered-subject = Net besoarge: e-mail { $item }
undelivered-intro = In e-mail koe net besoarge wurde. Der is gjin ôfstjoerder dy't dat hearre kin.
    Dêrom krije jo dit berjocht.
undelivered-item = Nûmer yn 'e wachtrige
undelivered-kind = Soarte
undelivered-arrived = Oannommen
undelivered-server = Mailserver
undelivered-recipient = Untfanger
undelivered-reason = Reden
undelivered-kept = De e-mail is bewarre. Besjoch him, nim de oarsaak wei en ferstjoer him op 'e nij,
    of smyt him fuort:
undelivered-gone = De e-mail is net bewarre.
