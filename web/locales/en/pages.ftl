# Web pages.
frame-skip = Skip to the content
frame-menu = Menu
frame-start = Start
frame-print = Print
frame-help = Help
frame-language = Language
frame-privacy = Privacy
frame-accessibility = Accessibility
frame-phone = Telephone:

form-problem = Something still needs your attention
form-transaction = Transaction ID

start-title = Collect confidential information
start-intro = You have received an e-mail from { $organisation } with a link. Click that link, or enter the Transaction ID from the e-mail here.
start-hint = This is the code at the end of the link. You may also paste the whole link.
start-next = Next
start-empty = Enter the Transaction ID
start-more = Need help?
start-help = Read how it works

unlock-title = Open the transfer
unlock-intro = { $organisation } has confidential information ready for you.
unlock-expires = Available until { $date }. After that the information is deleted automatically.
unlock-password = Password
unlock-password-hint = The sender gives you the password, for example by telephone. Capitals, spaces and dashes do not matter.
unlock-reveal = Show password
unlock-no-password = You do not need a password for this transfer.
unlock-next = Next
unlock-open = Open
unlock-back = Back
unlock-help = No password? Contact the sender. You will find the name and telephone number in the e-mail with the link.
unlock-empty = Enter the password
unlock-wrong = This password is not correct. Check it and try again

transfer-title = Your confidential information
transfer-expires = You can view and download this information until { $date }.
transfer-message = Message
transfer-from = From
transfer-date = Sent
transfer-subject = Subject
transfer-no-subject = (no subject)
transfer-no-text = This message has no text.
transfer-too-large = This formatted text is too large to show here. Read the plain text, or download the message.
transfer-message-frame = Text of the message
transfer-message-tab = Open the message in a new tab
transfer-message-plain = Message as plain text
transfer-files = Download
transfer-zip-text = Download the message and all files together as one ZIP file.
transfer-zip = Download everything (ZIP)
transfer-each = Or one by one
transfer-eml = The whole message as an e-mail file (.eml)
transfer-preview = View
transfer-download = Download
transfer-finish-text = Are you done? Then choose Finish. The transfer is then closed on this device.
transfer-finish = Finish

preview-title = View file
preview-back = Back to the message and the files
preview-tab = Open in a new tab
preview-picture = Picture { $name }
preview-frame = Contents of { $name }
preview-none = You cannot view this file here. Download it to open it.

reply-title = Answer
reply-text = You cannot answer securely on this page yet. Call or mail the sender; you will find the details in the e-mail with the link.
reply-warning = Do not send personal information in ordinary e-mail. Ask the sender how you can provide it securely.
reply-phone = Telephone number of { $organisation }:
reply-back = Back to the transfer

help-title = How it works
help-intro = { $organisation } does not put confidential information in an e-mail. You get a link to collect it securely. You do not need an account.
help-mail-title = 1. You get an e-mail with a link
help-mail-text = The e-mail comes from somebody who works at { $organisation }. Click the button in the e-mail. Does the button not work? Copy the link, go to the start page and paste it under Transaction ID.
help-password-title = 2. You enter the password
help-password-text = The sender gives you the password, never in the same e-mail as the link. Do you not know the password? Call the sender. Capitals, spaces and dashes do not matter.
help-open-title = 3. You read the message and collect the files
help-open-text = You can download everything at once as a ZIP file, or one by one. The eye lets you view a file without downloading it. Choose Finish when you are done.
help-files-title = A file does not open
help-files-text = Open a ZIP file with a double click, or with the Files app on your telephone. Open an .eml file with a mail program. Does it not work? Ask the sender for another kind of file.
help-locked-title = The link is closed for a while
help-locked-text = After a number of wrong passwords the link closes for a while, so that nobody can guess. The information is kept. Wait, or ask the sender for the right password.
help-safe-title = Is this e-mail real?
help-safe-text = Are you in doubt? Then do not click the link. Call { $organisation } on a number that you look up yourself. We never ask for your DigiD or for money.
help-answer-title = Answering
help-answer-text = Do you want to send something back? Call or mail the sender and ask how to do that securely. Do not send personal information in ordinary e-mail.
help-options-title = For staff: choices in the subject
help-options-text = Start the subject of your e-mail with [confidential]. You can add more inside the brackets, also together. The recipient does not see it.
help-options-days = [confidential 14d]: the message is available for 14 days (1 to 365).
help-options-open = [confidential no-password]: the link is enough.
help-options-password = [confidential password=…]: your own password of 8 characters or more. With spaces in it, put quotation marks around it.
help-options-language = [confidential language=en]: the e-mail to the recipient is in English. Choose nl, fy or en.

privacy-title = Privacy
privacy-intro = This page tells you what { $organisation } keeps when you collect confidential information.
privacy-what-title = What we keep
privacy-what-text = The message and the files are on our server, encrypted. To encrypt them, the server handles them once in readable form, in memory. After that they can only be opened with your link, and with the password if one is needed.
privacy-who-title = Who can read it
privacy-who-text = The sender, and everybody who has the link and the password. So do not pass them on.
privacy-long-title = For how long
privacy-long-text = Until the date in the e-mail. Then we destroy the keys and delete the information automatically. Nobody can open it after that.
privacy-cookies-title = Cookies
privacy-cookies-text = We use one cookie to remember that you have opened the transfer. It ends when you choose Finish, or after 30 minutes without use. A second cookie remembers your language. We do not follow you and load nothing from other websites.
privacy-log-title = What we record
privacy-log-text = We record when, and from which internet address, a transfer was opened or downloaded. The rules for secure e-mail ask for this. We do not record contents, file names or passwords.
privacy-rights-title = Your rights
privacy-rights-text = You may ask which information { $organisation } has about you, and ask to correct or delete it. Contact { $organisation } for this.

accessibility-title = Accessibility
accessibility-intro = Everybody must be able to use these pages. We work on that.
accessibility-goal-title = What we hold ourselves to
accessibility-goal-text = These pages are made according to the guidelines WCAG 2.2, level AA. We have checked that ourselves. The sender is responsible for the contents of messages and files.
accessibility-how-title = How you can use the pages
accessibility-how-text = The pages work with a keyboard and a screen reader, on a small screen and strongly enlarged, and also without JavaScript. You may paste codes and passwords.
accessibility-problem-title = Does something not work?
accessibility-problem-text = Tell { $organisation }. We will help you in another way, and solve the problem.
