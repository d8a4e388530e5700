-- When a virus scanner found nothing in an upload; NULL: it was not asked. What is complete never changes any more.
ALTER TABLE uploads ADD COLUMN scanned INTEGER;
