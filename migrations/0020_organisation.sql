-- Whose a transfer or a mail in the queue is: the organisation's first domain when it was made. NULL: it is from before there
-- could be several organisations, and the operator's (src/settings/mod.rs, Settings::of).
ALTER TABLE transfers ADD COLUMN organisation TEXT;
ALTER TABLE items ADD COLUMN organisation TEXT;
