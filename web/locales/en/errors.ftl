# Error pages and messages.
error-not-found-title = This page does not exist
error-not-found-text = There is no such page or transfer. Check that you have copied the whole link, or enter the Transaction ID again.
error-method-title = This is not possible here
error-method-text = Go to the start page, or open the link in the e-mail again.
error-gone-title = This transfer is no longer available
error-gone-text = The date has passed or the sender has recalled the transfer. Contact the sender if you still need the information.
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
error-trouble-title = Something went wrong on our side
error-trouble-text = Try again in a few minutes. Your information is kept.
error-request-number = Number of this problem: { $request }
error-contact = Does it keep going wrong? Contact the sender.
error-start = To the start page
