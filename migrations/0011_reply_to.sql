-- Who is answered in the sender's place, as a JSON list; NULL: the sender.
ALTER TABLE transfers ADD COLUMN reply_to TEXT;
