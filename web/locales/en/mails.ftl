# Mails. The lines are kept short: text mails show them as they stand here.

## In every mail
mail-greeting = Hello,
mail-and = { $others } and { $last }
mail-on-behalf = { $sender } on behalf of { $author }
mail-until = Available up to and including { $date }
mail-password = Password
mail-reference = Reference
mail-sent = Sent
mail-original-subject = Subject
mail-recipients =
    { $count ->
        [one] { $recipient } and 1 other recipient
       *[other] { $recipient } and { $count } other recipients
    }
mail-more = More information
mail-automatic = This message was generated automatically.

## To the recipient: confidential data are ready
notification-subject = Confidential message from { $organisation }
notification-extended-subject = New end date: confidential message from { $organisation }
notification-heading = Confidential information for you
notification-intro = { $sender } of { $organisation }
    has confidential information for you.
notification-extended = The end date has changed: you can now collect the information
    up to and including { $date }. The link and the password have stayed the same.
notification-encrypted = The transfer is encrypted. That is why the information is not
    in this email, but behind a secure link.
notification-deleted = You can download the information up to and including { $date }.
    After that it is deleted automatically.
notification-download = Download files
notification-ask = Please contact the sender.
notification-open = You do not need a password.
notification-reply = Reply
notification-reply-hint = Would you like to reply? You can do that here safely, without an account:
notification-from = Sender
notification-name = Name of sender
notification-organisation = Organisation
notification-department = Department
notification-phone = Telephone
notification-email = Email
notification-details = Transfer details
notification-to = To
notification-link = Download link
notification-doubt = Not sure that this email is genuine? Call { $organisation }:

## To the sender: the message was sealed
receipt-subject = Sent: your confidential message to { $recipients } ({ $time })
receipt-heading = Your message has been sent securely
receipt-intro = The recipients will get an email with a link to your message.
    The message itself is stored encrypted.
receipt-telephone = Please give the recipients the password by telephone.
    Do not send it by email.
receipt-once = The password is in this email only.
    Keep this email for as long as you need the password.
receipt-open = The recipients do not need a password: the link is enough.
receipt-chosen = The recipients need the password that you chose yourself.
receipt-too-weak = Your own password is too easy to guess.
    So we have made another one.
receipt-password-needed = You asked for no password. That is not allowed for this message.
receipt-reading = The subject says "{ $written }". We read that as { $tag }.
    That is why your message is secured.
receipt-ignored = We did not use this part of the subject: { $options }
receipt-recipients = Recipients
receipt-deleted = After that your message is deleted automatically.
receipt-sealed = secured, behind a link
receipt-passed = ordinary email, not secured
receipt-passed-by = ordinary email, not secured (rule { $rule })
receipt-mixed = Please note: the message is not secured for all recipients.
receipt-status-hint = Follow your message, withdraw it, or send the link again.
    Keep this link to yourself.
receipt-status = Follow the message

## To a recipient who has not opened it yet
reminder-subject = Reminder: confidential message from { $organisation }
reminder-heading = There is still something here for you
reminder-intro = { $sender } of { $organisation }
    left confidential data for you on { $date }.
reminder-unopened = You have not opened these data yet.

## To the sender: a mail did not arrive
failure-subject = Not delivered to { $recipients }: your message of { $time }
failure-heading = Your message was not delivered
failure-intro = Your message of { $date } was not delivered to:
failure-intro-link = The email with the link to your confidential message,
    of { $date }, was not delivered to:
failure-intro-reminder = A reminder of your confidential message,
    of { $date }, was not delivered to:
failure-technical = Technical message
failure-link-closed = These recipients did not get the link.
    If the link had not been opened yet, it is closed now.
failure-link-open = The link in the first email still works.
failure-advice = What can you do?
failure-address = Check the address. Then send the message again.
failure-helpdesk = Is the address right? Then forward this email to your help desk.

## To the sender, two days before the end: who has not opened it
unopened-subject = Not opened yet by { $recipients }: your message of { $time }
unopened-heading = Your message has not been opened yet
unopened-intro = Your confidential message of { $date }
    has not been opened yet by:
unopened-advice = We have sent these recipients a reminder.
    You can also call them, or make the message available for longer.

## To the sender: a part of it was lost
lost-subject = No longer readable for { $recipients }: your message of { $time }
lost-heading = Part of your message was lost
lost-intro = Part of your confidential message of { $date }
    was lost through a fault on our side.
lost-recipient = { $recipient } wanted to read it, and that was no longer possible.
lost-advice = Send the message again if the recipients still need it.
    Our administrator has been warned.

## To the sender: somebody has downloaded it
download-subject = Downloaded: your message to { $recipients } of { $time }
download-heading = Your message was downloaded
download-intro = With the link of { $recipient }, this was downloaded from your confidential message:
download-files = { $count ->
        [one] { $files } of { $count } file
       *[other] { $files } of { $count } files
    }
download-message = the message itself
download-time = The last time was { $time }.
download-once = You get at most one e-mail an hour about this for each recipient.

## To staff: the answer of a recipient
reply-heading = Secure reply
reply-subject = Secure reply
reply-banner = This reply came in securely at { $organisation }.
    The e-mail address { $address } was checked with a code.
reply-invited = Please note: the link was made for { $address }, not for this address.
reply-claimed = The sender goes by the name: { $name }. That name was not checked.
reply-claimed-name = Name given (not checked)
reply-empty = (Files only, without a message.)
reply-sealed = Do you answer this e-mail? Then your answer is sent securely as well.
reply-link = These files are too large for an e-mail. You can open them
    with this link, without a password, up to and including { $date }:

## To staff: the answer of a recipient is behind a link
reply-notice-subject = Secure reply from { $name }
reply-notice-heading = Secure reply
reply-notice-intro = { $name } has sent you a secure reply.
reply-notice-open = Open the reply
reply-notice-ask = { $name } has the password. Please ask for it, by telephone if you can.

## To who has answered: it was sent
confirmation-subject = Your reply was sent
confirmation-heading = Your reply was sent
confirmation-intro = Your reply to { $organisation } was received and passed on.
confirmation-time = Date and time
confirmation-recipients = Recipients
confirmation-sent = Sent
confirmation-hashes = With the checksum (SHA-256) you can show later
    what you have sent.
confirmation-numbers = Check numbers (SHA-256)
confirmation-message = Your message
confirmation-file = File { $number }
confirmation-copy = The text of your message is confidential, so it is not in this e-mail.
    You see the text on the page after sending. There you can print it as well.

## To who wants to answer: a code
verification-subject = Your code for a secure reply
verification-heading = Your code
verification-intro = You want to send { $organisation } a secure reply.
    With this code you show that this e-mail address is yours.
verification-copy = Copy the code.
verification-back = Go back to the page where you asked for the code.
verification-paste = Paste the code and choose "Verify".
verification-life = The code works for 10 minutes, and once.
verification-doubt = Did you not ask for a code? Then you need not do anything.

## To the postmaster: a mail that has no sender to tell could not be delivered
undelivered-subject = Not delivered: email { $item }
undelivered-intro = An email could not be delivered. It has no sender who could be told,
    so this message goes to you.
undelivered-item = Number in the queue
undelivered-kind = Kind
undelivered-arrived = Accepted
undelivered-server = Mail server
undelivered-recipient = Recipient
undelivered-reason = Reason
undelivered-kept = The email is kept. Look at it, remove the cause and send it again,
    or delete it:
undelivered-gone = The email is not kept.
