# Error pages and messages.
error-not-found-title = Dizze side bestiet net
error-not-found-text = Dizze side of oerdracht is der net. Sjoch nei oft de hiele link oernommen is, of klik op ’e nij op de link yn de e-mail.
error-method-title = Dit kin hjir net
error-method-text = Gean nei de startside, of iepenje de link út de e-mail op ’e nij.
error-gone-title = Dizze oerdracht is net mear beskikber
error-gone-text = De ferstjoerder hat de oerdracht ynlutsen, of de keppeling is sletten. Nim kontakt op mei de ferstjoerder as jo de gegevens noch nedich hawwe.
error-lost-title = Dit kin net mear iepene wurde
error-lost-text = In part fan dizze oerdracht is ferlern gien troch in steuring by ús. Op 'e nij besykje helpt net. Wy hawwe ús behearder warskôge, en ek de ferstjoerder as dy bekend is. Freegje de ferstjoerder om it berjocht op 'e nij te stjoeren.
error-expired-text = De eindatum is foarby. Jo kinne dizze gegevens net mear iepenje.
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
error-full-title = Wy kinne no efkes neat opslaan
error-full-text = Der is op dit stuit te min romte. Besykje it letter op ’e nij. Wat jo al opslein hiene, bliuwt bewarre.
error-trouble-title = Der giet wat mis by ús
error-trouble-text = Besykje it oer in pear minuten op ’e nij. Jo gegevens bliuwe bewarre.
error-request-number = Nûmer fan dizze steuring: { $request }
error-contact = Bliuwt it misgean? Nim kontakt op mei de ferstjoerder.
error-start = Nei de startside

# What is wrong with an answer; each stands beside its field.
reply-error-name-empty = Folje jo namme yn
reply-error-name-controls = Set jo namme op ien rigel, sûnder nuvere tekens
reply-error-name-markup = Brûk gjin < of > yn jo namme
reply-error-name-invisible = Yn dizze namme steane ûnsichtbere tekens. Typ him op ’e nij
reply-error-name-long = Dizze namme is te lang. Brûk op syn heechst 100 tekens
reply-error-address-empty = Folje jo e-mailadres yn
reply-error-address = Dit is gjin goed e-mailadres. In adres sjocht der sa út: namme@foarbyld.nl
reply-error-phone = Dit telefoannûmer kin net. Brûk sifers, of lit it leech
reply-error-code-empty = Folje de koade út de e-mail yn
reply-error-code = { $count ->
        [0] Dizze koade kloppet net. Freegje in nije koade oan
        [one] Dizze koade kloppet net. Jo kinne it noch 1 kear besykje
       *[other] Dizze koade kloppet net. Jo kinne it noch { $count } kear besykje
    }
reply-error-code-expired = Dizze koade wurket net mear. Freegje in nije koade oan
reply-error-codes = { $count ->
        [one] Jo hawwe te faak in koade oanfrege. Besykje it oer 1 minút op ’e nij
       *[other] Jo hawwe te faak in koade oanfrege. Besykje it oer { $count } minuten op ’e nij
    }
reply-error-recipient-empty = Folje in adres yn fan wa’t jo antwurd krije moat
reply-error-recipient = { $address } is gjin goed e-mailadres
reply-error-outside = { $address } is gjin adres fan { $organisation }. Jo kinne hjir allinnich nei { $organisation } stjoere
reply-error-stranger = Jo kinne hjir net nei { $address } stjoere. Brûk in adres út it berjocht dat jo beantwurdzje, of lit dit adres wei
reply-error-empty = Skriuw in berjocht of foegje in bestân ta
reply-error-size = Berjocht en bestannen binne tegearre te grut. It mei tegearre { $size } wêze
reply-error-file-size = { $name } is te grut. Berjocht en bestannen meie tegearre { $size } wêze
reply-error-files = { $count ->
        [one] Jo kinne op syn heechst 1 bestân meistjoere
       *[other] Jo kinne op syn heechst { $count } bestannen meistjoere. Doch se tegearre yn in ZIP-bestân
    }
reply-error-file-empty = { $name } is leech. Kies in oar bestân
reply-error-unfinished = { $name } is noch net hielendal binnen. Meitsje it ôf of smyt it fuort
reply-error-file-type = { $name } kin net mei. Jo kinne dizze soarten bestannen stjoere: { $types }
reply-error-program = { $name } is in programma of in webside. Sokke bestannen nimme wy net oan. Stjoer it bygelyks as pdf of as foto
reply-error-file-content = { $name } is in oar soarte bestân as de namme seit. It is net tafoege
reply-error-virus = { $name } liket in firus te befetsjen en is net tafoege
reply-error-scan-size = { $name } is te grut om op firussen te kontrolearjen en is net tafoege
reply-error-lost-file = { $name } is ferlern gien troch in steuring by ús en is fuorthelle; foegje it op 'e nij ta
reply-error-scanner = Wy kinne { $name } no net op firussen kontrolearje. Besykje it oer in pear minuten op ’e nij
reply-error-disk = Der is no te min romte op ús server. Besykje it letter op ’e nij
reply-error-drafts = { $count ->
        [one] Fia dizze keppeling wurde te folle antwurden skreaun. Besykje it oer 1 minút op ’e nij
       *[other] Fia dizze keppeling wurde te folle antwurden skreaun. Besykje it oer { $count } minuten op ’e nij
    }
reply-error-replies = { $count ->
        [one] Op dizze oerdracht binne te folle antwurden stjoerd. Besykje it oer 1 minút op ’e nij
       *[other] Op dizze oerdracht binne te folle antwurden stjoerd. Besykje it oer { $count } minuten op ’e nij
    }
reply-error-expires = { $count ->
        [one] Kies in datum fan moarn
       *[other] Kies in datum fan moarn oant en mei { $count } dagen fan no ôf
    }
reply-error-password-empty = Folje in wachtwurd yn
reply-error-password-differs = De twa wachtwurden binne net itselde
reply-error-upload = Dit bestân is der net mear. Kies it op ’e nij
reply-error-recipients = { $count ->
        [one] Jo kinne op syn heechst 1 ûntfanger ynfolje
       *[other] Jo kinne op syn heechst { $count } ûntfangers ynfolje
    }
reply-error-message = { $count ->
        [one] Jo berjocht is te lang. Brûk op syn heechst 1 teken
       *[other] Jo berjocht is te lang. Brûk op syn heechst { $count } tekens, of stjoer de tekst as bestân mei
    }
reply-error-not-verified = Befêstigje earst jo e-mailadres mei de koade
reply-error-broken = De ferbining waard ferbrutsen. Wat al binnen is, bliuwt bewarre
password-strength-0 = Tige swak.
password-strength-1 = Swak.
password-strength-2 = Ridlik.
password-strength-3 = Sterk.
password-strength-4 = Tige sterk.
password-advice-longer = Brûk minstens 8 tekens.
password-advice-keyboard = Brûk gjin letters dy’t njonken inoar op it toetseboerd steane.
password-advice-repeat = Brûk gjin werhellingen.
password-advice-common = Dit wachtwurd brûke in soad minsken.
password-advice-sequence = Brûk gjin rigen lykas abc of 123.
password-advice-date = Brûk gjin datums en jiertallen.
password-advice-word = Ien wurd is maklik te rieden.
password-advice-name = In namme is maklik te rieden.
password-advice-words = Foegje ien of twa wurden ta dy’t net by inoar hearre.
password-advice-capitals = Haadletters helpe net folle.
password-advice-reversed = In omkeard wurd helpt net folle.
password-advice-substitution = Sifers ynstee fan letters, lykas 3 foar e, helpe net folle.
