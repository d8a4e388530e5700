# Error pages and messages.
error-not-found-title = This page does not exist
error-not-found-text = There is no such page or transfer. Check that you have copied the whole link, or click the link in the e-mail again.
error-method-title = This is not possible here
error-method-text = Go to the start page, or open the link in the e-mail again.
error-gone-title = This transfer is no longer available
error-gone-text = The sender has withdrawn the transfer, or the link has been closed. Please contact the sender if you still need the data.
error-lost-title = This can no longer be opened
error-lost-text = Part of this transfer was lost through a fault on our side. Trying again does not help. We have warned our administrator, and the sender as well if we know them. Ask the sender to send the message again.
error-expired-text = The end date has passed. You can no longer open these data.
error-password-title = The password is not correct
error-password-text = Go back and try again.
error-locked-title = This link is closed for a while
error-locked-text = A wrong password was entered too often, or there were too many tries in a row. Your information is kept.
error-locked-minutes = { $count ->
        [one] Try again in 1 minute.
       *[other] Try again in { $count } minutes.
    }
error-busy-title = It is busy just now
error-busy-text = Wait a few seconds and try again.
error-session-title = Your visit has ended
error-session-text = Open the transfer again.
error-cross-site-title = This form was not accepted
error-cross-site-text = It did not come from our own page. Open the link in the e-mail again.
error-request-title = We do not understand this request
error-request-text = Go to the start page, or open the link in the e-mail again.
error-preview-title = You cannot view this file here
error-preview-text = Download the file to open it.
error-full-title = We cannot store anything just now
error-full-text = There is too little room at the moment. Try again later. What you had stored before is kept.
error-trouble-title = Something went wrong on our side
error-trouble-text = Try again in a few minutes. Your information is kept.
error-request-number = Number of this problem: { $request }
error-contact = Does it keep going wrong? Contact the sender.
error-start = To the start page

# What is wrong with an answer; each stands beside its field.
reply-error-name-empty = Enter your name
reply-error-name-controls = Put your name on one line, without strange characters
reply-error-name-markup = Do not use < or > in your name
reply-error-name-invisible = There are invisible characters in this name. Type it again
reply-error-name-long = This name is too long. Use at most 100 characters
reply-error-address-empty = Enter your e-mail address
reply-error-address = This is not a correct e-mail address. An address looks like this: name@example.org
reply-error-phone = This telephone number is not possible. Use digits, or leave it empty
reply-error-code-empty = Enter the code from the e-mail
reply-error-code = { $count ->
        [0] This code is not correct. Ask for a new code
        [one] This code is not correct. You can try 1 more time
       *[other] This code is not correct. You can try { $count } more times
    }
reply-error-code-expired = This code does not work any more. Ask for a new code
reply-error-codes = { $count ->
        [one] You asked for a code too often. Try again in 1 minute
       *[other] You asked for a code too often. Try again in { $count } minutes
    }
reply-error-recipient-empty = Enter an address of who must get your reply
reply-error-recipient = { $address } is not a correct e-mail address
reply-error-outside = { $address } is not an address of { $organisation }. Here you can only send to { $organisation }
reply-error-stranger = You cannot send to { $address } from here. Use an address from the message that you are answering, or leave this one out
reply-error-empty = Write a message or add a file
reply-error-size = Message and files together are too large. Together they can be { $size }
reply-error-file-size = { $name } is too large. Message and files together can be { $size }
reply-error-files = { $count ->
        [one] You can send at most 1 file
       *[other] You can send at most { $count } files. Put them together in a ZIP file
    }
reply-error-file-empty = { $name } is empty. Choose another file
reply-error-unfinished = { $name } is not completely received yet. Finish it or remove it
reply-error-file-type = { $name } cannot be sent. You can send these types of files: { $types }
reply-error-program = { $name } is a program or a web page. We do not accept such files. Send it as a PDF or a picture, for example
reply-error-file-content = { $name } is another type of file than its name says. It was not added
reply-error-virus = { $name } seems to contain a virus and was not added
reply-error-scan-size = { $name } is too large to be checked for viruses and was not added
reply-error-lost-file = { $name } was lost through a fault on our side and has been removed; please add it again
reply-error-scanner = We cannot check { $name } for viruses now. Try again in a few minutes
reply-error-disk = There is not enough space on our server now. Try again later
reply-error-drafts = { $count ->
        [one] Too many replies are being written through this link. Try again in 1 minute
       *[other] Too many replies are being written through this link. Try again in { $count } minutes
    }
reply-error-replies = { $count ->
        [one] Too many replies were sent to this transfer. Try again in 1 minute
       *[other] Too many replies were sent to this transfer. Try again in { $count } minutes
    }
reply-error-expires = { $count ->
        [one] Choose the date of tomorrow
       *[other] Choose a date from tomorrow to { $count } days from now
    }
reply-error-password-empty = Enter a password
reply-error-password-differs = The two passwords are not the same
reply-error-upload = This file is not there any more. Choose it again
reply-error-recipients = { $count ->
        [one] You can enter at most 1 recipient
       *[other] You can enter at most { $count } recipients
    }
reply-error-message = { $count ->
        [one] Your message is too long. Use at most 1 character
       *[other] Your message is too long. Use at most { $count } characters, or send the text as a file
    }
reply-error-not-verified = First confirm your e-mail address with the code
reply-error-broken = The connection was lost. What has been received is kept
password-strength-0 = Very weak.
password-strength-1 = Weak.
password-strength-2 = Fair.
password-strength-3 = Strong.
password-strength-4 = Very strong.
password-advice-longer = Use at least 8 characters.
password-advice-keyboard = Avoid letters that stand next to each other on the keyboard.
password-advice-repeat = Avoid repetitions.
password-advice-common = Many people use this password.
password-advice-sequence = Avoid series such as abc or 123.
password-advice-date = Avoid dates and years.
password-advice-word = One word is easy to guess.
password-advice-name = A name is easy to guess.
password-advice-words = Add one or two words that do not belong together.
password-advice-capitals = Capitals hardly help.
password-advice-reversed = A word written backwards hardly helps.
password-advice-substitution = Digits in place of letters, such as 3 for e, hardly help.
