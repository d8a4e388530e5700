# Error pages and messages.
error-not-found-title = Deze pagina bestaat niet
error-not-found-text = Deze pagina of overdracht is er niet. Controleer of de hele link is overgenomen, of vul het Transactie-ID opnieuw in.
error-method-title = Dit kan hier niet
error-method-text = Ga naar de startpagina, of open de link uit de e-mail opnieuw.
error-gone-title = Deze overdracht is niet meer beschikbaar
error-gone-text = De datum is voorbij of de verzender heeft de overdracht ingetrokken. Neem contact op met de verzender als u de gegevens nog nodig hebt.
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
error-trouble-title = Er gaat iets mis bij ons
error-trouble-text = Probeer het over een paar minuten opnieuw. Uw gegevens blijven bewaard.
error-request-number = Nummer van deze storing: { $request }
error-contact = Blijft het misgaan? Neem contact op met de verzender.
error-start = Naar de startpagina
