# Web pages.
frame-skip = Direct naar de inhoud
frame-menu = Menu
frame-start = Start
frame-print = Afdrukken
frame-help = Hulp
frame-language = Taal
frame-privacy = Privacy
frame-accessibility = Toegankelijkheid
frame-phone = Telefoon:

form-problem = Er is iets nog niet goed ingevuld
form-transaction = Transactie-ID

start-title = Vertrouwelijke gegevens ophalen
start-intro = U hebt een e-mail van { $organisation } gekregen met een link. Klik op die link, of vul hier het Transactie-ID uit de e-mail in.
start-hint = Dit is de code aan het einde van de link. U mag ook de hele link plakken.
start-next = Verder
start-empty = Vul het Transactie-ID in
start-more = Komt u er niet uit?
start-help = Lees hoe het werkt

unlock-title = Overdracht openen
unlock-intro = { $organisation } heeft vertrouwelijke gegevens voor u klaargezet.
unlock-expires = Beschikbaar tot { $date }. Daarna worden de gegevens automatisch verwijderd.
unlock-password = Wachtwoord
unlock-password-hint = U krijgt het wachtwoord van de verzender, bijvoorbeeld per telefoon. Hoofdletters, spaties en streepjes maken niet uit.
unlock-reveal = Wachtwoord tonen
unlock-no-password = Voor deze overdracht hebt u geen wachtwoord nodig.
unlock-next = Verder
unlock-open = Openen
unlock-back = Terug
unlock-help = Hebt u geen wachtwoord? Neem contact op met de verzender. De naam en het telefoonnummer staan in de e-mail met de link.
unlock-empty = Vul het wachtwoord in
unlock-wrong = Dit wachtwoord klopt niet. Controleer het en probeer het opnieuw

transfer-title = Uw vertrouwelijke gegevens
transfer-expires = U kunt deze gegevens bekijken en downloaden tot { $date }.
transfer-message = Bericht
transfer-from = Van
transfer-date = Verzonden
transfer-subject = Onderwerp
transfer-no-subject = (geen onderwerp)
transfer-no-text = Dit bericht heeft geen tekst.
transfer-too-large = Deze opgemaakte tekst is te groot om hier te tonen. Lees de gewone tekst, of download het bericht.
transfer-message-frame = Tekst van het bericht
transfer-message-tab = Bericht openen in een nieuw tabblad
transfer-message-plain = Bericht als gewone tekst
transfer-files = Downloaden
transfer-zip-text = Download het bericht en alle bestanden samen in één ZIP-bestand.
transfer-zip = Alles downloaden (ZIP)
transfer-each = Of één voor één
transfer-eml = Het hele bericht als e-mailbestand (.eml)
transfer-preview = Bekijken
transfer-download = Download
transfer-finish-text = Bent u klaar? Kies dan Voltooien. De overdracht wordt dan op dit apparaat gesloten.
transfer-finish = Voltooien

preview-title = Bestand bekijken
preview-back = Terug naar het bericht en de bestanden
preview-tab = Openen in een nieuw tabblad
preview-picture = Afbeelding { $name }
preview-frame = Inhoud van { $name }
preview-none = Dit bestand kunt u hier niet bekijken. Download het om het te openen.

reply-title = Antwoorden
reply-text = U kunt op deze pagina nog niet veilig antwoorden. Bel of mail de verzender; de gegevens staan in de e-mail met de link.
reply-warning = Stuur geen persoonlijke gegevens in een gewone e-mail. Vraag de verzender hoe u die veilig kunt geven.
reply-phone = Telefoonnummer van { $organisation }:
reply-back = Terug naar de overdracht

help-title = Hoe het werkt
help-intro = { $organisation } stuurt vertrouwelijke gegevens niet los in een e-mail. U krijgt een link waarmee u ze veilig ophaalt. U hebt geen account nodig.
help-mail-title = 1. U krijgt een e-mail met een link
help-mail-text = De e-mail komt van een medewerker van { $organisation }. Klik op de knop in de e-mail. Werkt de knop niet? Kopieer dan de link, ga naar de startpagina en plak hem bij Transactie-ID.
help-password-title = 2. U vult het wachtwoord in
help-password-text = U krijgt het wachtwoord van de verzender, en nooit in dezelfde e-mail als de link. Weet u het wachtwoord niet? Bel dan de verzender. Hoofdletters, spaties en streepjes maken niet uit.
help-open-title = 3. U leest het bericht en haalt de bestanden op
help-open-text = U kunt alles in één keer downloaden als ZIP-bestand, of één voor één. Met het oog bekijkt u een bestand zonder het te downloaden. Kies Voltooien als u klaar bent.
help-files-title = Een bestand gaat niet open
help-files-text = Een ZIP-bestand opent u met dubbelklikken, of met de app Bestanden op uw telefoon. Een .eml-bestand opent u met een e-mailprogramma. Lukt het niet? Vraag de verzender om een ander bestand.
help-locked-title = De link is tijdelijk gesloten
help-locked-text = Na een aantal verkeerde wachtwoorden sluit de link een tijd, zodat niemand kan raden. De gegevens blijven bewaard. Wacht even, of vraag de verzender om het goede wachtwoord.
help-safe-title = Is deze e-mail echt?
help-safe-text = Twijfelt u? Klik dan niet op de link. Bel { $organisation } op een nummer dat u zelf opzoekt. Wij vragen nooit om uw DigiD of om geld.
help-answer-title = Antwoorden
help-answer-text = Wilt u iets terugsturen? Bel of mail de verzender en vraag hoe dat veilig kan. Stuur geen persoonlijke gegevens in een gewone e-mail.
help-options-title = Voor medewerkers: keuzes in het onderwerp
help-options-text = Begin het onderwerp van uw e-mail met [vertrouwelijk]. Binnen de haken mag u meer zetten, ook samen. De ontvanger ziet dit niet.
help-options-days = [vertrouwelijk 14d]: het bericht is 14 dagen beschikbaar (1 tot 365).
help-options-open = [vertrouwelijk geen-wachtwoord]: de link is genoeg.
help-options-password = [vertrouwelijk wachtwoord=…]: uw eigen wachtwoord van 8 tekens of meer. Met spaties erin zet u er aanhalingstekens omheen.
help-options-language = [vertrouwelijk taal=en]: de e-mail aan de ontvanger is in het Engels. Kies nl, fy of en.

privacy-title = Privacy
privacy-intro = Op deze pagina leest u wat { $organisation } bewaart als u vertrouwelijke gegevens ophaalt.
privacy-what-title = Wat wij bewaren
privacy-what-text = Het bericht en de bestanden staan versleuteld op onze server. Om ze te versleutelen verwerkt de server ze één keer leesbaar, in het geheugen. Daarna zijn ze alleen te openen met uw link, en met het wachtwoord als dat nodig is.
privacy-who-title = Wie het kan lezen
privacy-who-text = De verzender en iedereen die de link en het wachtwoord heeft. Geef ze dus niet door.
privacy-long-title = Hoe lang
privacy-long-text = Tot de datum in de e-mail. Dan vernietigen wij de sleutels en verwijderen wij de gegevens automatisch. Niemand kan ze daarna nog openen.
privacy-cookies-title = Cookies
privacy-cookies-text = Wij gebruiken één cookie om te onthouden dat u de overdracht hebt geopend. Die stopt als u Voltooien kiest, of na 30 minuten zonder gebruik. Een tweede cookie onthoudt uw taal. Wij volgen u niet en laden niets van andere websites.
privacy-log-title = Wat wij vastleggen
privacy-log-text = Wij leggen vast wanneer en vanaf welk internetadres een overdracht is geopend of gedownload. Dat moet volgens de regels voor veilige e-mail. De inhoud, bestandsnamen en wachtwoorden leggen wij niet vast.
privacy-rights-title = Uw rechten
privacy-rights-text = U mag vragen welke gegevens { $organisation } van u heeft, en vragen om ze te verbeteren of te verwijderen. Neem daarvoor contact op met { $organisation }.

accessibility-title = Toegankelijkheid
accessibility-intro = Iedereen moet deze pagina’s kunnen gebruiken. Daar werken wij aan.
accessibility-goal-title = Waar wij ons aan houden
accessibility-goal-text = Deze pagina’s zijn gemaakt volgens de richtlijnen WCAG 2.2, niveau AA. Wij hebben dat zelf gecontroleerd. Voor de inhoud van berichten en bestanden zorgt de verzender.
accessibility-how-title = Hoe u de pagina’s kunt gebruiken
accessibility-how-text = De pagina’s werken met toetsenbord en schermlezer, op een klein scherm en sterk vergroot, en ook zonder JavaScript. U mag codes en wachtwoorden plakken.
accessibility-problem-title = Werkt er iets niet?
accessibility-problem-text = Laat het { $organisation } weten. Dan helpen wij u op een andere manier, en lossen wij het op.
