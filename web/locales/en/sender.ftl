# What senders see of a transfer after it was sent, and the mails that belong to it.

## Mail to a recipient: it was taken back
recall-subject = A message from { $organisation } has been withdrawn
recall-heading = A message to you has been withdrawn
recall-intro = { $sender } of { $organisation }
    sent you a confidential message on { $date }, and took it back.
recall-closed = The link in the earlier email no longer works.
    You do not need to do anything.
recall-question = Do you have questions? Contact the sender:

## Mail to the sender: somebody came too late
ask-subject = { $recipients } asks for your expired message of { $time }
ask-heading = A recipient asks for your message
ask-intro = { $recipient } would like to open your confidential message
    of { $date }, but came too late.
ask-expired = The message expired on { $date }.
ask-renew-hint = You can make the message available again up to and including { $date }.
ask-renew = Make available again
ask-gone = The message has been destroyed. Should the recipient still get it?
    Then please send it once more.
ask-doubt = If you do not want this, you do not need to do anything.

## Status page
status-title = Follow your confidential message
status-intro = Here you see what has happened to your message. Whoever has the link to this page can withdraw the message. So please do not forward it.
status-sent = Sent
status-until = Available up to and including
status-password = Password needed
status-yes = Yes
status-no = No
status-files = Files
status-recipients = Recipients
status-state = State
status-history = What has happened
status-unsent = Email with the link: not handed to our mail server yet
status-notified = Email with the link handed to our mail server
status-notified-first = For the first time: { $date }
status-notified-last = For the last time: { $date }
status-never-sent = Email with the link: not handed to our mail server
report-delivered = Delivered, says the recipient’s mail server
report-relayed = Passed on to a mail server that does not tell whether it delivers
report-expanded = Sent on to everybody on a list
report-delayed = Not delivered yet, says a mail server on the way
report-failed = Not delivered, says a mail server. The link had been opened before and still works
report-failed-before = An earlier email with the link was not delivered
report-copy-failed = A report came that a forwarded copy did not arrive
report-copy = A report came about a forwarded copy
status-bounced = Email did not arrive, the link is closed
status-reason = The mail server said
status-opened = Opened for the first time
status-opened-password = { $date }, with the password
status-opened-link = { $date }, with the link alone. Who that was cannot be seen; it may also have been a program that checks links.
status-unopened = Not opened yet
status-read = Page with the message asked for
status-file = File { $number } of { $total } downloaded
status-message = Message downloaded
status-partly = { $what } (a part of it, or in parts)
status-times = { $count ->
        [one] once
       *[other] { $count } times, the last time on { $date }
    }
status-recalled = Withdrawn
status-locked = Closed after wrong passwords, until
status-actions = What you can do
status-over = This message has been withdrawn. There is nothing left to do with it.
status-recall-hint = Sent by mistake? Withdraw the message. The link will stop working at once.
status-recall-hint-all = Sent by mistake? Withdraw the message. The links of all recipients will stop working at once.
status-ended-title = This message has expired
status-ended = The end date was { $date }. The recipients’ links were closed after that day, and so was this page.
status-ended-again = The contents have been destroyed. To make the message available again, send it once more.
status-ended-record = With this reference your administrator can still look up who opened the message and what was downloaded.
status-renewable = You can make it available again up to and including { $date }; after that it is destroyed.
status-json = These facts as JSON
status-back = Back to the overview

state-waiting = Not opened yet
state-locked = Locked
state-opened = Opened
state-opened-link = Link opened
state-expired = Expired
state-recalled = Withdrawn
state-bounced = Email did not arrive

## Why an email did not arrive
cause-unknown-address = This email address does not exist. Please check how it is spelt.
cause-unknown-domain = The part after the @ does not exist, or takes no email. Please check how it is spelt.
cause-disabled = The recipient’s mailbox does not take email.
cause-mailbox-full = The recipient’s mailbox is full.
cause-too-large = The email was too large for the mail server.
cause-refused = A mail server refused the email.
cause-unreachable = The mail server could not be reached.
cause-given-up = We kept trying to deliver the email, and did not succeed.
cause-other = A mail server reported an error.

## What can be done, each with a page that asks first
action-recall = Withdraw
action-recall-all = Withdraw for everybody
action-extend = Change the end date
action-resend = Send the email again
action-resend-all = Send the email again to everybody
action-unlock = Open again
action-cancel = No, go back
action-for = for { $recipient }

confirm-recall-title = Withdraw the message
confirm-recall-one = Do you want to withdraw the message to { $recipient }? The link will stop working at once.
confirm-recall-all = Do you want to withdraw the message for all recipients? The links will stop working at once, and the message will be destroyed.
confirm-recall-who = Who has opened it?
confirm-recall-count = { $count ->
        [0] Nobody has opened the message yet.
        [one] 1 of the { $total } recipients has opened the message.
       *[other] { $count } of the { $total } recipients have opened the message.
    }
confirm-recall-now = As of { $date }.
confirm-recall-recipient = Recipient
confirm-recall-opened = Opened
confirm-recall-files = { $number } of { $total } files
confirm-recall-final = You cannot undo this
confirm-recall-closed = The link is closed at once, also for anybody who has the message on their screen now.
confirm-recall-read = What has been read or downloaded does not come back.
confirm-recall-mail = The email with the link stays in the recipient’s mailbox.
confirm-recall-proof = You will be shown a proof, which you can print.
confirm-recall-tell = Send the recipients an email that the message has been withdrawn
confirm-recall-yes = Yes, withdraw
confirm-extend-title = Change the end date
confirm-extend-text = The message is now available up to and including { $date }.
confirm-extend-renew = The message expired on { $date }. With a new end date the links work again.
confirm-extend-until = New end date
confirm-extend-hint = From { $first } up to and including { $last }.
confirm-extend-tell = Send the recipients an e-mail with the new end date
confirm-extend-yes = Change the end date
confirm-resend-title = Send the email again
confirm-resend-one = { $recipient } gets another email with the same link. The password stays the same.
confirm-resend-all = Everybody who can still open the message gets another email with the same link. The password stays the same.
confirm-resend-yes = Send again
confirm-unlock-title = Open the link again
confirm-unlock-text = The link of { $recipient } is closed, because a wrong password was entered too often. Are you sure that it was the recipient? Then open the link again, and give the password once more by telephone.
confirm-unlock-yes = Open the link

done-extend = The end date has been changed.
done-extend-told = The end date has changed. The recipients get an e-mail about it, unless one went out in the last ten minutes.
done-resend = The email is ready to be sent again.
done-unlock = The link is open again.
problem-closed = This is no longer possible: the message has expired or has been withdrawn.
problem-until = Choose a day from { $first } up to and including { $last }
problem-before = This email has only just been sent. You can send it again in ten minutes.

## Proof of a recall
proof-title = Proof of withdrawal
proof-intro = This is what is known about the withdrawal of this confidential message. You can print this page for your files.
proof-written = Drawn up
proof-sender = Sender
proof-when = Withdrawn on
proof-by = Withdrawn by
proof-opened = Opened before it was withdrawn
proof-never = No, never opened
proof-first = Yes, for the first time on { $date }
proof-first-password = Yes, for the first time on { $date }, with the password
proof-first-link = Yes, for the first time on { $date }, with the link alone. Who that was cannot be seen; it may also have been a program that checks links.
proof-read = Page with the message asked for
proof-fetched = Downloaded
proof-nothing = Nothing
proof-file = File { $number } of { $total }
proof-message = Message
proof-not-recalled = Not withdrawn for
proof-trail = What has been recorded
proof-time = Time ({ $zone })
proof-what = Event
proof-about = Of whom or what
proof-result = Result
proof-who = By
proof-origin = From
proof-json = This proof as JSON

trail-seal = Secured
trail-notify = Email prepared
trail-open = Access asked for
trail-lock = Closed after wrong passwords
trail-download = Downloaded
trail-read = Page with the message asked for
trail-finish = Visit ended
trail-recall = Withdrawn
trail-expire = Expired and destroyed
trail-extend = End date changed
trail-remind = Reminder prepared
trail-resend = Email prepared again
trail-unlock = Opened again
trail-ask = Recipient asked for it
trail-bounce = Email did not arrive
trail-report = Report of a mail server
trail-reply = Reply sent
trail-scan = File with a reply refused
trail-code = Code for a reply
actor-recipient = somebody with the link
actor-admin = administrator
actor-zegel = automatically
origin-local = this server
result-ok = Done
result-opened = Done, had been opened
result-unopened = Done, had never been opened
result-until = Until { $date }
result-wrong-password = Wrong password
result-closed = Link closed
result-failed = Not delivered
result-delayed = Not delivered yet
result-delivered = Delivered
result-relayed = Passed on
result-expanded = To a list
result-copy = About a forwarded copy
result-download = To the sender, about a download
result-not-opened = To the sender: not opened yet
result-recall = About the withdrawal
result-sent = Sent
result-too-many = Too many
result-too-large = Too large to be checked
result-other-type = Another type of file than its name says
result-verified = Correct
result-wrong = Not correct
result-expired = Expired

## An expired link offers to ask the sender
ask-offer = Do you still need the information? We can send the sender an email that you are asking for it.
ask-button = Ask the sender
asked-title = The sender gets an email
asked-text = We have told the sender that you are asking for this message. The sender decides whether you still get it. If it becomes available again, you will hear from the sender.
asked-before = You have already asked for this message today. The sender got an email about it.
