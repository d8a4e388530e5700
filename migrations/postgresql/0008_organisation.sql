-- Whose a transfer or a mail in the queue is: the organisation's first domain when it was made. NULL: a node that knows one step
-- less has made it, and it is the operator's (src/settings/mod.rs, Settings::of).
ALTER TABLE transfers ADD COLUMN organisation TEXT;
ALTER TABLE items ADD COLUMN organisation TEXT;
