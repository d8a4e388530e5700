# Web pages.
frame-skip = Daliks nei de ynhâld
frame-menu = Menu
frame-start = Start
frame-print = Ofdrukke
frame-help = Help
frame-language = Taal
frame-privacy = Privacy
frame-accessibility = Tagonklikheid
frame-phone = Telefoan:

form-problem = Der is wat noch net goed ynfolle
form-transaction = Transaksje-ID

start-title = Fertroulike gegevens ophelje
start-intro = Jo hawwe in e-mail fan { $organisation } krigen mei in link. Klik op dy link, of folje hjir it Transaksje-ID út de e-mail yn.
start-hint = Dit is de koade oan de ein fan de link. Jo meie ek de hiele link plakke.
start-next = Fierder
start-empty = Folje it Transaksje-ID yn
start-more = Komme jo der net út?
start-help = Lês hoe’t it wurket

unlock-title = Oerdracht iepenje
unlock-intro = { $organisation } hat fertroulike gegevens foar jo klearset.
unlock-expires = Beskikber oant { $date }. Dêrnei wurde de gegevens automatysk fuortsmiten.
unlock-password = Wachtwurd
unlock-password-hint = Jo krije it wachtwurd fan de ferstjoerder, bygelyks oer de telefoan. Haadletters, spaasjes en streekjes meitsje net út.
unlock-reveal = Wachtwurd sjen litte
unlock-no-password = Foar dizze oerdracht hawwe jo gjin wachtwurd nedich.
unlock-next = Fierder
unlock-open = Iepenje
unlock-back = Werom
unlock-help = Hawwe jo gjin wachtwurd? Nim kontakt op mei de ferstjoerder. De namme en it telefoannûmer steane yn de e-mail mei de link.
unlock-empty = Folje it wachtwurd yn
unlock-wrong = Dit wachtwurd kloppet net. Sjoch it nei en besykje it op ’e nij

transfer-title = Jo fertroulike gegevens
transfer-expires = Jo kinne dizze gegevens besjen en downloade oant { $date }.
transfer-message = Berjocht
transfer-from = Fan
transfer-date = Ferstjoerd
transfer-subject = Underwerp
transfer-no-subject = (gjin ûnderwerp)
transfer-no-text = Dit berjocht hat gjin tekst.
transfer-too-large = Dizze opmakke tekst is te grut om hjir sjen te litten. Lês de gewoane tekst, of download it berjocht.
transfer-message-frame = Tekst fan it berjocht
transfer-message-tab = Berjocht iepenje yn in nij ljepblêd
transfer-message-plain = Berjocht as gewoane tekst
transfer-files = Downloade
transfer-zip-text = Download it berjocht en alle bestannen tegearre yn ien ZIP-bestân.
transfer-zip = Alles downloade (ZIP)
transfer-each = Of ien foar ien
transfer-eml = It hiele berjocht as e-mailbestân (.eml)
transfer-preview = Besjen
transfer-download = Download
transfer-finish-text = Binne jo klear? Kies dan Foltôgje. De oerdracht wurdt dan op dit apparaat sletten.
transfer-finish = Foltôgje

preview-title = Bestân besjen
preview-back = Werom nei it berjocht en de bestannen
preview-tab = Iepenje yn in nij ljepblêd
preview-picture = Ofbylding { $name }
preview-frame = Ynhâld fan { $name }
preview-none = Dit bestân kinne jo hjir net besjen. Download it om it te iepenjen.

reply-title = Antwurdzje
reply-text = Jo kinne op dizze side noch net feilich antwurdzje. Skilje of mail de ferstjoerder; de gegevens steane yn de e-mail mei de link.
reply-warning = Stjoer gjin persoanlike gegevens yn in gewoane e-mail. Freegje de ferstjoerder hoe’t jo dy feilich jaan kinne.
reply-phone = Telefoannûmer fan { $organisation }:
reply-back = Werom nei de oerdracht

help-title = Hoe’t it wurket
help-intro = { $organisation } stjoert fertroulike gegevens net los yn in e-mail. Jo krije in link dêr’t jo se feilich mei ophelje. Jo hawwe gjin account nedich.
help-mail-title = 1. Jo krije in e-mail mei in link
help-mail-text = De e-mail komt fan in meiwurker fan { $organisation }. Klik op de knop yn de e-mail. Docht de knop it net? Kopiearje dan de link, gean nei de startside en plak him by Transaksje-ID.
help-password-title = 2. Jo folje it wachtwurd yn
help-password-text = Jo krije it wachtwurd fan de ferstjoerder, en nea yn deselde e-mail as de link. Witte jo it wachtwurd net? Skilje dan de ferstjoerder. Haadletters, spaasjes en streekjes meitsje net út.
help-open-title = 3. Jo lêze it berjocht en helje de bestannen op
help-open-text = Jo kinne alles yn ien kear downloade as ZIP-bestân, of ien foar ien. Mei it each besjogge jo in bestân sûnder it te downloaden. Kies Foltôgje as jo klear binne.
help-files-title = In bestân giet net iepen
help-files-text = In ZIP-bestân iepenje jo mei dûbelklikke, of mei de app Bestannen op jo telefoan. In .eml-bestân iepenje jo mei in e-mailprogramma. Slagget it net? Freegje de ferstjoerder om in oar bestân.
help-locked-title = De link is foar in skoft sletten
help-locked-text = Nei in tal ferkearde wachtwurden slút de link in skoft, sadat nimmen riede kin. De gegevens bliuwe bewarre. Wachtsje efkes, of freegje de ferstjoerder om it goede wachtwurd.
help-safe-title = Is dizze e-mail echt?
help-safe-text = Twifelje jo? Klik dan net op de link. Skilje { $organisation } op in nûmer dat jo sels opsykje. Wy freegje nea om jo DigiD of om jild.
help-answer-title = Antwurdzje
help-answer-text = Wolle jo wat weromstjoere? Skilje of mail de ferstjoerder en freegje hoe’t dat feilich kin. Stjoer gjin persoanlike gegevens yn in gewoane e-mail.
help-options-title = Foar meiwurkers: karren yn it ûnderwerp
help-options-text = Begjin it ûnderwerp fan jo e-mail mei [fertroulik]. Binnen de heakken meie jo mear sette, ek tegearre. De ûntfanger sjocht dit net.
help-options-days = [fertroulik 14d]: it berjocht is 14 dagen beskikber (1 oant 365).
help-options-open = [fertroulik gjin-wachtwurd]: de keppeling is genôch.
help-options-password = [fertroulik wachtwurd=…]: jo eigen wachtwurd fan 8 tekens of mear. Mei spaasjes deryn sette jo der oanheltekens omhinne.
help-options-language = [fertroulik taal=fy]: de e-mail oan de ûntfanger is yn it Frysk. Kies nl, fy of en.

privacy-title = Privacy
privacy-intro = Op dizze side lêze jo wat { $organisation } bewarret as jo fertroulike gegevens ophelje.
privacy-what-title = Wat wy bewarje
privacy-what-text = It berjocht en de bestannen steane fersifere op ús server. Om se te fersiferjen ferwurket de server se ien kear lêsber, yn it ûnthâld. Dêrnei binne se allinnich te iepenjen mei jo link, en mei it wachtwurd as dat nedich is.
privacy-who-title = Wa’t it lêze kin
privacy-who-text = De ferstjoerder en elkenien dy’t de link en it wachtwurd hat. Jou se dus net troch.
privacy-long-title = Hoe lang
privacy-long-text = Oant de datum yn de e-mail. Dan ferneatigje wy de kaaien en smite wy de gegevens automatysk fuort. Nimmen kin se dêrnei noch iepenje.
privacy-cookies-title = Cookies
privacy-cookies-text = Wy brûke ien cookie om te ûnthâlden dat jo de oerdracht iepene hawwe. Dy hâldt op as jo Foltôgje kieze, of nei 30 minuten sûnder gebrûk. In twadde cookie ûnthâldt jo taal. Wy folgje jo net en lade neat fan oare websiden.
privacy-log-title = Wat wy fêstlizze
privacy-log-text = Wy lizze fêst wannear en fan hokker ynternetadres ôf in oerdracht iepene of downloade is. Dat moat neffens de regels foar feilige e-mail. De ynhâld, bestânsnammen en wachtwurden lizze wy net fêst.
privacy-rights-title = Jo rjochten
privacy-rights-text = Jo meie freegje hokker gegevens { $organisation } fan jo hat, en freegje om se te ferbetterjen of fuort te smiten. Nim dêrfoar kontakt op mei { $organisation }.

accessibility-title = Tagonklikheid
accessibility-intro = Elkenien moat dizze siden brûke kinne. Dêr wurkje wy oan.
accessibility-goal-title = Dêr’t wy ús oan hâlde
accessibility-goal-text = Dizze siden binne makke neffens de rjochtlinen WCAG 2.2, nivo AA. Wy hawwe dat sels neigien. Foar de ynhâld fan berjochten en bestannen soarget de ferstjoerder.
accessibility-how-title = Hoe’t jo de siden brûke kinne
accessibility-how-text = De siden wurkje mei toetseboerd en skermlêzer, op in lyts skerm en sterk fergrutte, en ek sûnder JavaScript. Jo meie koaden en wachtwurden plakke.
accessibility-problem-title = Docht der wat it net?
accessibility-problem-text = Lit it { $organisation } witte. Dan helpe wy jo op in oare wize, en losse wy it op.
