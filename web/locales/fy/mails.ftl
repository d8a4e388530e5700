# Mails: notification and receipt.
