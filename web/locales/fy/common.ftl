# Dates: used by mails and pages alike.
month-1 = jannewaris
month-2 = febrewaris
month-3 = maart
month-4 = april
month-5 = maaie
month-6 = juny
month-7 = july
month-8 = augustus
month-9 = septimber
month-10 = oktober
month-11 = novimber
month-12 = desimber
date-long = { $day } { $month } { $year }
date-and-time = { $date } om { $time }
