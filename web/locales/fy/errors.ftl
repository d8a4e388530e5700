# Error pages and messages.
error-not-found-title = Dizze side bestiet net
error-not-found-text = Dizze side of oerdracht is der net. Sjoch nei oft de hiele link oernommen is, of folje it Transaksje-ID op ’e nij yn.
error-method-title = Dit kin hjir net
error-method-text = Gean nei de startside, of iepenje de link út de e-mail op ’e nij.
error-gone-title = Dizze oerdracht is net mear beskikber
error-gone-text = De datum is foarby of de ferstjoerder hat de oerdracht ynlutsen. Nim kontakt op mei de ferstjoerder as jo de gegevens noch nedich hawwe.
error-password-title = It wachtwurd kloppet net
error-password-text = Gean werom en besykje it op ’e nij.
error-locked-title = Dizze link is foar in skoft sletten
error-locked-text = Der is te faak in ferkeard wachtwurd ynfolle, of der wienen te folle besykjen efterinoar. Jo gegevens bliuwe bewarre.
error-locked-minutes = { $count ->
        [one] Besykje it oer 1 minút op ’e nij.
       *[other] Besykje it oer { $count } minuten op ’e nij.
    }
error-busy-title = It is efkes drok
error-busy-text = Wachtsje in pear tellen en besykje it op ’e nij.
error-session-title = Jo besite is ôfrûn
error-session-text = Iepenje de oerdracht op ’e nij.
error-cross-site-title = Dit formulier is net oannommen
error-cross-site-text = It kaam net fan ús eigen side. Iepenje de link út de e-mail op ’e nij.
error-request-title = Dizze oanfraach begripe wy net
error-request-text = Gean nei de startside, of iepenje de link út de e-mail op ’e nij.
error-preview-title = Dit bestân kinne jo hjir net besjen
error-preview-text = Download it bestân om it te iepenjen.
error-trouble-title = Der giet wat mis by ús
error-trouble-text = Besykje it oer in pear minuten op ’e nij. Jo gegevens bliuwe bewarre.
error-request-number = Nûmer fan dizze steuring: { $request }
error-contact = Bliuwt it misgean? Nim kontakt op mei de ferstjoerder.
error-start = Nei de startside
