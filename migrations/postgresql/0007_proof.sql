-- When the first notification was handed over, which one that is sent again does not overwrite; NULL: notified, as a node of an
-- older release leaves it.
ALTER TABLE transfer_recipients ADD COLUMN first_notified BIGINT;
-- Why a notification did not arrive, as far as the codes of servers tell; NULL: they were not read.
ALTER TABLE transfer_recipients ADD COLUMN bounce_cause TEXT;
ALTER TABLE delivery_reports ADD COLUMN cause TEXT;
