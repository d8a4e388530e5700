-- The authors for whom the sender has sent it, as JSON; none where the column is empty.
ALTER TABLE transfers ADD COLUMN on_behalf_of TEXT;
