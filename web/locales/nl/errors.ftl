# Error pages and messages.
error-not-found-title = Deze pagina bestaat niet
error-not-found-text = Deze pagina of overdracht is er niet. Controleer of de hele link is overgenomen, of klik opnieuw op de link in de e-mail.
error-method-title = Dit kan hier niet
error-method-text = Ga naar de startpagina, of open de link uit de e-mail opnieuw.
error-gone-title = Deze overdracht is niet meer beschikbaar
error-gone-text = De verzender heeft de overdracht ingetrokken, of de link is gesloten. Neem contact op met de verzender als u de gegevens nog nodig hebt.
error-lost-title = Dit kan niet meer worden geopend
error-lost-text = Een deel van deze overdracht is verloren gegaan door een storing bij ons. Opnieuw proberen helpt niet. Wij hebben onze beheerder gewaarschuwd, en ook de verzender als die bekend is. Vraag de verzender om het bericht opnieuw te sturen.
error-expired-text = De einddatum is voorbij. U kunt deze gegevens niet meer openen.
error-password-title = Het wachtwoord klopt niet
error-password-text = Ga terug en probeer het opnieuw.
error-locked-title = Deze link is tijdelijk gesloten
error-locked-text = Er is te vaak een verkeerd wachtwoord ingevuld, of er waren te veel pogingen achter elkaar. Uw gegevens blijven bewaard.
error-locked-minutes = { $count ->
        [one] Probeer het over 1 minuut opnieuw.
       *[other] Probeer het over { $count } minuten opnieuw.
    }
error-busy-title = Het is even druk
error-busy-text = Wacht een paar tellen en probeer het opnieuw.
error-session-title = Uw bezoek is afgelopen
error-session-text = Open de overdracht opnieuw.
error-cross-site-title = Dit formulier is niet aangenomen
error-cross-site-text = Het kwam niet van onze eigen pagina. Open de link uit de e-mail opnieuw.
error-request-title = Deze aanvraag begrijpen wij niet
error-request-text = Ga naar de startpagina, of open de link uit de e-mail opnieuw.
error-preview-title = Dit bestand kunt u hier niet bekijken
error-preview-text = Download het bestand om het te openen.
error-full-title = Wij kunnen nu even niets opslaan
error-full-text = Er is op dit moment te weinig ruimte. Probeer het later opnieuw. Wat u al had opgeslagen, blijft bewaard.
error-trouble-title = Er gaat iets mis bij ons
error-trouble-text = Probeer het over een paar minuten opnieuw. Uw gegevens blijven bewaard.
error-request-number = Nummer van deze storing: { $request }
error-contact = Blijft het misgaan? Neem contact op met de verzender.
error-start = Naar de startpagina

# What is wrong with an answer; each stands beside its field.
reply-error-name-empty = Vul uw naam in
reply-error-name-controls = Zet uw naam op één regel, zonder vreemde tekens
reply-error-name-markup = Gebruik geen < of > in uw naam
reply-error-name-invisible = In deze naam staan onzichtbare tekens. Typ hem opnieuw
reply-error-name-long = Deze naam is te lang. Gebruik hooguit 100 tekens
reply-error-address-empty = Vul uw e-mailadres in
reply-error-address = Dit is geen goed e-mailadres. Een adres ziet er zo uit: naam@voorbeeld.nl
reply-error-phone = Dit telefoonnummer kan niet. Gebruik cijfers, of laat het leeg
reply-error-code-empty = Vul de code uit de e-mail in
reply-error-code = { $count ->
        [0] Deze code klopt niet. Vraag een nieuwe code aan
        [one] Deze code klopt niet. U kunt het nog 1 keer proberen
       *[other] Deze code klopt niet. U kunt het nog { $count } keer proberen
    }
reply-error-code-expired = Deze code werkt niet meer. Vraag een nieuwe code aan
reply-error-codes = { $count ->
        [one] U hebt te vaak een code aangevraagd. Probeer het over 1 minuut opnieuw
       *[other] U hebt te vaak een code aangevraagd. Probeer het over { $count } minuten opnieuw
    }
reply-error-recipient-empty = Vul een adres in van wie uw antwoord moet krijgen
reply-error-recipient = { $address } is geen goed e-mailadres
reply-error-outside = { $address } is geen adres van { $organisation }. U kunt hier alleen naar { $organisation } sturen
reply-error-stranger = U kunt hier niet naar { $address } sturen. Gebruik een adres uit het bericht dat u beantwoordt, of laat dit adres weg
reply-error-empty = Schrijf een bericht of voeg een bestand toe
reply-error-size = Bericht en bestanden zijn samen te groot. Het mag samen { $size } zijn
reply-error-file-size = { $name } is te groot. Bericht en bestanden mogen samen { $size } zijn
reply-error-files = { $count ->
        [one] U kunt hooguit 1 bestand meesturen
       *[other] U kunt hooguit { $count } bestanden meesturen. Doe ze samen in een ZIP-bestand
    }
reply-error-file-empty = { $name } is leeg. Kies een ander bestand
reply-error-unfinished = { $name } is nog niet helemaal binnen. Maak het af of verwijder het
reply-error-file-type = { $name } kan niet mee. U kunt deze soorten bestanden sturen: { $types }
reply-error-program = { $name } is een programma of een webpagina. Zulke bestanden nemen wij niet aan. Stuur het bijvoorbeeld als pdf of als foto
reply-error-file-content = { $name } is een ander soort bestand dan de naam zegt. Het is niet toegevoegd
reply-error-virus = { $name } lijkt een virus te bevatten en is niet toegevoegd
reply-error-scan-size = { $name } is te groot om op virussen te controleren en is niet toegevoegd
reply-error-lost-file = { $name } is verloren gegaan door een storing bij ons en is verwijderd; voeg het opnieuw toe
reply-error-scanner = Wij kunnen { $name } nu niet op virussen controleren. Probeer het over een paar minuten opnieuw
reply-error-disk = Er is nu te weinig ruimte op onze server. Probeer het later opnieuw
reply-error-drafts = { $count ->
        [one] Via deze link worden te veel antwoorden geschreven. Probeer het over 1 minuut opnieuw
       *[other] Via deze link worden te veel antwoorden geschreven. Probeer het over { $count } minuten opnieuw
    }
reply-error-replies = { $count ->
        [one] Op deze overdracht zijn te veel antwoorden gestuurd. Probeer het over 1 minuut opnieuw
       *[other] Op deze overdracht zijn te veel antwoorden gestuurd. Probeer het over { $count } minuten opnieuw
    }
reply-error-expires = { $count ->
        [one] Kies een datum van morgen
       *[other] Kies een datum van morgen tot en met { $count } dagen vanaf nu
    }
reply-error-password-empty = Vul een wachtwoord in
reply-error-password-differs = De twee wachtwoorden zijn niet hetzelfde
reply-error-upload = Dit bestand is er niet meer. Kies het opnieuw
reply-error-recipients = { $count ->
        [one] U kunt hooguit 1 ontvanger invullen
       *[other] U kunt hooguit { $count } ontvangers invullen
    }
reply-error-message = { $count ->
        [one] Uw bericht is te lang. Gebruik hooguit 1 teken
       *[other] Uw bericht is te lang. Gebruik hooguit { $count } tekens, of stuur de tekst als bestand mee
    }
reply-error-not-verified = Bevestig eerst uw e-mailadres met de code
reply-error-broken = De verbinding werd verbroken. Wat al binnen is, blijft bewaard
password-strength-0 = Zeer zwak.
password-strength-1 = Zwak.
password-strength-2 = Redelijk.
password-strength-3 = Sterk.
password-strength-4 = Zeer sterk.
password-advice-longer = Gebruik minstens 8 tekens.
password-advice-keyboard = Vermijd letters die naast elkaar op het toetsenbord staan.
password-advice-repeat = Vermijd herhalingen.
password-advice-common = Dit wachtwoord gebruiken veel mensen.
password-advice-sequence = Vermijd reeksen zoals abc of 123.
password-advice-date = Vermijd datums en jaartallen.
password-advice-word = Eén woord is makkelijk te raden.
password-advice-name = Een naam is makkelijk te raden.
password-advice-words = Voeg een of twee woorden toe die niet bij elkaar horen.
password-advice-capitals = Hoofdletters helpen weinig.
password-advice-reversed = Een omgekeerd woord helpt weinig.
password-advice-substitution = Cijfers in plaats van letters, zoals 3 voor e, helpen weinig.
