-- The original's Message-ID, so that a notification sent again, and a reminder, stand in its thread.
ALTER TABLE transfers ADD COLUMN message_id TEXT;
